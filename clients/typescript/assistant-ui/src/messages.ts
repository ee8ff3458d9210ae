// A message of any producer as assistant-ui shows it, made of its blocks. Results and approvals belong to their calls.

import type { ThreadMessageLike } from "@assistant-ui/react";
import { type Approval, type ContentBlock, type Message, contentOf } from "@colloquy/client";
import { isObject } from "./stored.ts";

type Part = Exclude<ThreadMessageLike["content"], string>[number];
type ToolUse = Extract<ContentBlock, { __typename: "ToolUseBlock" }>;
type ToolResult = Extract<ContentBlock, { __typename: "ToolResultBlock" }>;

const ROLES = { USER: "user", ASSISTANT: "assistant", SYSTEM: "system" } as const;

/** What a conversation has beside its messages: the result and the newest approval of each call, by the id of the call. */
interface Calls {
  results: Map<string, ToolResult>;
  approvals: Map<string, Approval>;
}

/** The messages that are shown: those of tools become the results of their calls. */
export function shown(messages: readonly Message[], approvals: readonly Approval[]): ThreadMessageLike[] {
  const calls = callsOf(messages, approvals);
  return messages.filter(({ role, redactedAt }) => role !== "TOOL" && !redactedAt).map((message) => likeOf(message, calls));
}

/** The id under which a message is shown: that of the record or outgoing message it came from. */
export function idOf({ id, key, role }: Pick<Message, "id" | "key" | "role">): string {
  return role === "USER" && key !== null ? key : id;
}

/** The content of an answer, with the results that are in it. */
export function answerParts(message: Message): Part[] {
  return partsOf(message, callsOf([message], []));
}

const cache = new WeakMap<Message, ThreadMessageLike>();

/** The same object for the same message without calls: assistant-ui converts a message again when its object is another. */
function likeOf(message: Message, calls: Calls): ThreadMessageLike {
  const known = cache.get(message);
  if (known) return known;
  const { role, status, text, content, createdAt } = message;
  const common = { id: idOf(message), createdAt: new Date(createdAt), metadata: { custom: { colloquyId: message.id } } };
  const like: ThreadMessageLike =
    role === "ASSISTANT"
      ? { ...common, role: "assistant", content: partsOf(message, calls), status: statusOf(message, calls) }
      : { ...common, role: ROLES[role as "USER" | "SYSTEM"], content: [{ type: "text", text }] };
  // The approval and the result of a call change without its message, whose blocks are not in `content` while it streams.
  const isWhole = status !== "STREAMING" && !content.some((block) => block.__typename === "ToolUseBlock");
  if (isWhole) cache.set(message, like);
  return like;
}

function callsOf(messages: readonly Message[], approvals: readonly Approval[]): Calls {
  const blocks = messages.flatMap((message) => contentOf(message));
  const results = blocks.filter((block) => block.__typename === "ToolResultBlock");
  return {
    results: new Map(results.map((result) => [result.toolUseId, result])),
    approvals: new Map(approvals.flatMap((approval) => (approval.toolUseId ? [[approval.toolUseId, approval]] : []))),
  };
}

function partsOf(message: Message, calls: Calls): Part[] {
  return contentOf(message).flatMap((block) => partOf(block, calls));
}

function partOf(block: ContentBlock, calls: Calls): Part | Part[] {
  switch (block.__typename) {
    case "TextBlock":
      return { type: "text", text: block.text };
    case "ReasoningBlock":
      return { type: "reasoning", text: block.text };
    case "ToolUseBlock":
      return callOf(block, calls);
    case "SourceBlock":
      return sourceOf(block);
    case "DataBlock":
      return { type: "data", name: block.name, data: block.data };
    case "MediaBlock":
      return { type: "data", name: "media", data: { mediaType: block.mediaType, fileName: block.fileName } };
    default:
      return []; // results are in their calls; OtherBlock has nothing to show
  }
}

function callOf({ toolUseId, name, input }: ToolUse, { results, approvals }: Calls): Part {
  const result = results.get(toolUseId);
  const approval = approvals.get(toolUseId);
  return {
    type: "tool-call",
    toolCallId: toolUseId,
    toolName: name,
    args: (isObject(input) ? input : {}) as never,
    argsText: typeof input === "string" ? input : JSON.stringify(input), // a text until it is complete
    ...(result && { result: result.content, isError: result.isError }),
    ...(approval && { approval: approvalOf(approval) }),
  };
}

function approvalOf({ id, status, notes }: Approval) {
  const decided = status === "APPROVED" || status === "REJECTED";
  return {
    id,
    ...(decided && { approved: status === "APPROVED" }),
    ...(notes !== null && (decided ? { reason: notes } : { prompt: notes })),
    ...(status === "CANCELLED" && { resolution: "cancelled" as const }),
  };
}

function sourceOf({ position, url, title, fileName }: Extract<ContentBlock, { __typename: "SourceBlock" }>): Part {
  const id = String(position);
  if (url !== null) return { type: "source", sourceType: "url", id, url, ...(title !== null && { title }) };
  const name = fileName ?? title ?? "";
  const mediaType = "application/octet-stream"; // a block has none
  return { type: "source", sourceType: "document", id, title: title ?? name, mediaType, filename: name };
}

function statusOf({ status, content }: Message, { approvals }: Calls): NonNullable<ThreadMessageLike["status"]> {
  const waits = (block: ContentBlock) =>
    block.__typename === "ToolUseBlock" && approvals.get(block.toolUseId)?.status === "PENDING";
  if (status === "STREAMING") return { type: "running" };
  if (status === "CANCELLED") return { type: "incomplete", reason: "cancelled" };
  if (status === "FAILED") return { type: "incomplete", reason: "error" };
  return content.some(waits) ? { type: "requires-action", reason: "tool-calls" } : { type: "complete", reason: "unknown" };
}
