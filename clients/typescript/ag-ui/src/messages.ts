// What a stored message is in AG-UI: the messages that its producer wrote, or messages made of its blocks.

import type { AssistantMessage, Message, ToolMessage } from "@ag-ui/core";
import type { StoredMessage } from "./stored.ts";

type Block = StoredMessage["content"][number];

/** The AG-UI messages of a stored message, in their order; none of a redacted one. */
export function messagesOf(stored: StoredMessage): Message[] {
  if (stored.redactedAt) return [];
  return written(stored.raw) ?? ofBlocks(stored);
}

/** The messages of a document that consists of AG-UI messages; null for another document. */
function written(raw: string | null): Message[] | null {
  const document = parsed(raw);
  const messages = (Array.isArray(document) ? document : [document]).map(asMessage);
  return messages.length && messages.every((message) => message !== null) ? messages : null;
}

function asMessage(value: unknown): Message | null {
  // A message of AI SDK has `parts`, one of assistant-ui `attachments`; their other members may fit AG-UI.
  if (typeof value !== "object" || value === null || "parts" in value || "attachments" in value) return null;
  return isMessage(value) ? value : null;
}

/** True for the members that make a message of its role; `@ag-ui/core/schemas` would need the package zod. */
function isMessage(value: object): value is Message {
  const { id, role, content, toolCalls, toolCallId, activityType } = value as Record<string, unknown>;
  if (typeof id !== "string") return false;
  const isText = typeof content === "string";
  switch (role) {
    case "assistant":
      return (isText || content === undefined) && (toolCalls === undefined || (isArray(toolCalls) && toolCalls.every(isCall)));
    case "user":
      return isText || isParts(content);
    case "tool":
      return typeof toolCallId === "string" && (isText || isParts(content));
    case "activity":
      return typeof activityType === "string" && typeof content === "object" && content !== null && !isArray(content);
    default:
      return isText && (role === "system" || role === "developer" || role === "reasoning");
  }
}

const { isArray } = Array;
const PARTS = new Set(["text", "image", "audio", "video", "document"]);

function isParts(content: unknown): boolean {
  return isArray(content) && content.every((part) => PARTS.has((part as { type?: string } | null)?.type ?? ""));
}

function isCall(value: unknown): boolean {
  const { id, function: called } = (value ?? {}) as { id?: unknown; function?: { name?: unknown; arguments?: unknown } };
  return typeof id === "string" && typeof called?.name === "string" && typeof called.arguments === "string";
}

function parsed(raw: string | null): unknown {
  try {
    return raw === null ? null : JSON.parse(raw);
  } catch {
    return null; // a document of another kind
  }
}

function ofBlocks(stored: StoredMessage): Message[] {
  const { id, role, text } = stored;
  if (role === "USER") return [{ id, role: "user", content: text }];
  if (role === "SYSTEM") return [{ id, role: "system", content: text }];
  const messages: Message[] = [];
  for (const block of stored.content) add(messages, block, id);
  return messages;
}

/** Adds a block. An answer has one text before its calls, so a text after a call begins another message. */
function add(messages: Message[], block: Block, storedId: string): void {
  const id = messages.length ? `${storedId}:${block.position}` : storedId;
  switch (block.__typename) {
    case "TextBlock":
      addText(messages, block.text, id);
      break;
    case "ReasoningBlock":
      messages.push({ id, role: "reasoning", content: block.text });
      break;
    case "ToolUseBlock":
      addCall(messages, block, id);
      break;
    case "ToolResultBlock":
      messages.push(result(block, id));
      break;
    case "DataBlock":
      messages.push({ id, role: "activity", activityType: block.name, content: asObject(block.data) });
      break;
  }
}

function addText(messages: Message[], text: string, id: string): void {
  const last = messages.at(-1);
  if (last?.role === "assistant" && !last.toolCalls) last.content = `${last.content ?? ""}\n${text}`;
  else messages.push({ id, role: "assistant", content: text });
}

function addCall(messages: Message[], block: Extract<Block, { __typename: "ToolUseBlock" }>, id: string): void {
  const call = { name: block.name, arguments: JSON.stringify(block.input) };
  const last = messages.at(-1);
  const message: AssistantMessage = last?.role === "assistant" ? last : { id, role: "assistant" };
  if (message !== last) messages.push(message);
  (message.toolCalls ??= []).push({ id: block.toolUseId, type: "function", function: call });
}

function result(block: Extract<Block, { __typename: "ToolResultBlock" }>, id: string): ToolMessage {
  const { toolUseId: toolCallId, content: value, isError } = block;
  const content = typeof value === "string" ? value : JSON.stringify(value);
  return { id, role: "tool", toolCallId, content, ...(isError && { error: content }) };
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : { value };
}
