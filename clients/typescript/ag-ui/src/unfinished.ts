// What a stream of events has begun and not ended.

import { type AGUIEvent, EventType } from "@ag-ui/core";

/** The message or the call that an event belongs to. */
export type Owner = { messageId?: string; toolCallId?: string };

export class Unfinished {
  private readonly endings = new Map<string, AGUIEvent>();

  track(event: AGUIEvent): void {
    const ending = endingOf(event);
    if (ending) this.endings.set(keyOf(ending), ending);
    else this.endings.delete(keyOf(event));
  }

  /** The events that end it, the newest first; before each comes what `restOf` has of its content. */
  close(restOf: (owner: Owner) => string = () => ""): AGUIEvent[] {
    const events = [...this.endings.values()].reverse().flatMap((ending) => [...contentOf(ending, restOf), ending]);
    this.endings.clear();
    return events;
  }
}

/** The event that ends what this one begins; undefined if it begins nothing. */
function endingOf(event: AGUIEvent): AGUIEvent | undefined {
  switch (event.type) {
    case EventType.TEXT_MESSAGE_START:
      return { type: EventType.TEXT_MESSAGE_END, messageId: event.messageId };
    case EventType.TOOL_CALL_START:
      return { type: EventType.TOOL_CALL_END, toolCallId: event.toolCallId };
    case EventType.REASONING_START:
      return { type: EventType.REASONING_END, messageId: event.messageId };
    case EventType.REASONING_MESSAGE_START:
      return { type: EventType.REASONING_MESSAGE_END, messageId: event.messageId };
    case EventType.STEP_STARTED:
      return { type: EventType.STEP_FINISHED, stepName: event.stepName };
    default:
      return undefined;
  }
}

/** The event with the content that is missing before this end. */
function contentOf(ending: AGUIEvent, restOf: (owner: Owner) => string): AGUIEvent[] {
  const delta = restOf(ending as Owner);
  if (!delta) return [];
  switch (ending.type) {
    case EventType.TEXT_MESSAGE_END:
      return [{ type: EventType.TEXT_MESSAGE_CONTENT, messageId: ending.messageId, delta }];
    case EventType.REASONING_MESSAGE_END:
      return [{ type: EventType.REASONING_MESSAGE_CONTENT, messageId: ending.messageId, delta }];
    case EventType.TOOL_CALL_END:
      return [{ type: EventType.TOOL_CALL_ARGS, toolCallId: ending.toolCallId, delta }];
    default:
      return [];
  }
}

function keyOf(event: AGUIEvent): string {
  const { type, messageId, toolCallId, stepName } = event as { type: string; [name: string]: unknown };
  return `${type} ${messageId ?? toolCallId ?? stepName}`;
}
