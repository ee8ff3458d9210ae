// The events of AG-UI that make a message.

import { type AGUIEvent, type AssistantMessage, EventType, type Message, type ReasoningMessage } from "@ag-ui/core";

/** The events of a message that an agent wrote; none of a message that is an input. */
export function eventsOf(message: Message): AGUIEvent[] {
  switch (message.role) {
    case "assistant":
      return [...textEvents(message.id, message.content), ...callEvents(message)];
    case "reasoning":
      return reasoningEvents(message);
    case "tool": {
      const { id: messageId, toolCallId, content } = message;
      return [{ type: EventType.TOOL_CALL_RESULT, messageId, toolCallId, content, role: "tool" }];
    }
    case "activity": {
      const { id: messageId, activityType, content } = message;
      return [{ type: EventType.ACTIVITY_SNAPSHOT, messageId, activityType, content, replace: true }];
    }
    default:
      return [];
  }
}

function textEvents(messageId: string, content: string | undefined): AGUIEvent[] {
  if (content === undefined) return [];
  return [
    { type: EventType.TEXT_MESSAGE_START, messageId, role: "assistant" },
    ...(content ? [{ type: EventType.TEXT_MESSAGE_CONTENT as const, messageId, delta: content }] : []),
    { type: EventType.TEXT_MESSAGE_END, messageId },
  ];
}

/** The calls of an answer, complete. */
export function callEvents({ id, toolCalls = [] }: AssistantMessage): AGUIEvent[] {
  return toolCalls.flatMap(({ id: toolCallId, function: { name, arguments: written } }): AGUIEvent[] => [
    { type: EventType.TOOL_CALL_START, toolCallId, toolCallName: name, parentMessageId: id },
    ...(isJSON(written) ? [{ type: EventType.TOOL_CALL_ARGS as const, toolCallId, delta: written }] : []),
    { type: EventType.TOOL_CALL_END, toolCallId },
  ]);
}

function reasoningEvents({ id: messageId, content, encryptedValue }: ReasoningMessage): AGUIEvent[] {
  const encrypted = { type: EventType.REASONING_ENCRYPTED_VALUE as const, subtype: "message" as const, entityId: messageId };
  return [
    { type: EventType.REASONING_START, messageId },
    { type: EventType.REASONING_MESSAGE_START, messageId, role: "reasoning" },
    ...(content ? [{ type: EventType.REASONING_MESSAGE_CONTENT as const, messageId, delta: content }] : []),
    { type: EventType.REASONING_MESSAGE_END, messageId },
    ...(encryptedValue ? [{ ...encrypted, encryptedValue }] : []),
    { type: EventType.REASONING_END, messageId },
  ];
}

/** False for the arguments of a call that was cut off: a consumer parses what it gets. */
function isJSON(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
