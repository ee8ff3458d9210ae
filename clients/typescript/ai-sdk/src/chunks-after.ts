// The inverse of what AI SDK does with chunks: the chunks that lead from one state of a message to a later one.

import type { UIMessage } from "ai";
import type { Chunk, Json, Part } from "./chunk.ts";

const STREAMED: ReadonlySet<string> = new Set(["text", "reasoning"]);
const isTool = (part: Part): boolean => part.type === "dynamic-tool" || part.type.startsWith("tool-");
const equal = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** The members that have a value. */
const given = (members: Json): Json =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined && value !== null));

/**
 * The chunks that make `after` of `before`, the message that the chunks `sent` have made; all chunks of `after` without
 * them. What `before` has and `after` has not is dropped by a reset of its last step; an earlier step stays as it is.
 */
export function chunksAfter(after: UIMessage, before?: UIMessage, sent: readonly Chunk[] = []): Chunk[] {
  const [known, wanted] = [(before?.parts ?? []) as Part[], after.parts as Part[]];
  const { ids, inputs } = openParts(known, sent);
  const chunks = opening(after, before);
  let common = known.findIndex((part, index) => !continues(part, wanted[index], ids.has(part)));
  if (common === -1) common = known.length;
  else {
    const step = known.findLastIndex(({ type }) => type === "step-start") + 1;
    if (common < step) return chunks;
    chunks.push({ type: "reset-step" });
    common = step;
  }
  wanted.forEach((part, index) => {
    const earlier = index < common ? known[index] : undefined;
    if (STREAMED.has(part.type)) chunks.push(...(earlier ? restOfText(part, earlier, ids.get(earlier)) : wholeText(part, index)));
    else if (isTool(part)) chunks.push(...withoutKnown(toolChunks(part, inputs), earlier ? toolChunks(earlier, inputs) : []));
    else if (!equal(part, earlier)) chunks.push(part.type === "step-start" ? { type: "start-step" } : part);
  });
  return chunks;
}

function opening({ id, metadata }: UIMessage, before?: UIMessage): Chunk[] {
  if (!before) return [{ type: "start", messageId: id, ...given({ messageMetadata: metadata }) }];
  return equal(metadata, before.metadata) ? [] : [{ type: "message-metadata", messageMetadata: metadata }];
}

interface Open {
  /** The ids of the texts that have not ended. */
  ids: Map<Part, string>;
  /** By call: the pieces of its input that were sent. */
  inputs: Map<unknown, string>;
}

function openParts(known: readonly Part[], sent: readonly Chunk[]): Open {
  const open: Record<string, Set<string>> = { text: new Set(), reasoning: new Set() };
  const inputs = new Map<unknown, string>();
  for (const chunk of sent) {
    const [kind, change] = chunk.type.split("-") as [string, string | undefined];
    if (chunk.type === "reset-step") for (const ids of Object.values(open)) ids.clear();
    else if (chunk.type === "tool-input-start") inputs.set(chunk.toolCallId, "");
    else if (chunk.type === "tool-input-delta") {
      inputs.set(chunk.toolCallId, `${inputs.get(chunk.toolCallId) ?? ""}${String(chunk.inputTextDelta)}`);
    } else if (STREAMED.has(kind) && change === "start") open[kind]!.add(String(chunk.id));
    else if (STREAMED.has(kind) && change === "end") open[kind]!.delete(String(chunk.id));
  }
  const ids = new Map<Part, string>();
  for (const [kind, names] of Object.entries(open)) {
    const parts = known.filter(({ type, state }) => type === kind && state === "streaming").slice(-names.size || Infinity);
    [...names].forEach((name, index) => parts[index] && ids.set(parts[index], name));
  }
  return { ids, inputs };
}

/** True if chunks can make `after` of `before`. */
function continues(before: Part, after: Part | undefined, open: boolean): boolean {
  if (before.type !== after?.type) return false;
  if (STREAMED.has(before.type)) {
    return before.text === after.text || (open && String(after.text).startsWith(String(before.text)));
  }
  if (isTool(before)) return before.toolCallId === after.toolCallId;
  return equal(before, after) || (before.type.startsWith("data-") && before.id !== undefined && before.id === after.id);
}

function wholeText(part: Part, index: number): Chunk[] {
  const { type: kind, text, state, providerMetadata } = part;
  const id = String(part.id ?? `part-${index}`);
  return [
    { type: `${kind}-start`, id, ...given({ providerMetadata }) },
    ...(text ? [{ type: `${kind}-delta`, id, delta: text }] : []),
    ...(state === "streaming" ? [] : [endOf(part, id)]),
  ];
}

/** What follows a text whose beginning was sent; `id` is undefined if it has ended. */
function restOfText(part: Part, before: Part, id: string | undefined): Chunk[] {
  if (id === undefined) return [];
  const delta = String(part.text).slice(String(before.text).length);
  return [
    ...(delta ? [{ type: `${part.type}-delta`, id, delta }] : []),
    ...(part.state === "streaming" ? [] : [endOf(part, id)]),
  ];
}

const endOf = ({ type, providerMetadata, citations }: Part, id: string): Chunk => ({
  type: `${type}-end`,
  id,
  ...given({ providerMetadata, citations }),
});

/** All chunks that make the part of a call. */
function toolChunks(part: Part, inputs: ReadonlyMap<unknown, string>): Chunk[] {
  const { type, toolCallId, state, input, rawInput, output, errorText, preliminary, approval } = part;
  const { providerExecuted, title, toolMetadata, inputEncoding } = part;
  const { callProviderMetadata, resultProviderMetadata } = part;
  const dynamic = type === "dynamic-tool" || undefined;
  const toolName = dynamic ? part.toolName : type.slice("tool-".length);
  const call = { toolCallId, toolName, ...given({ providerExecuted, providerMetadata: callProviderMetadata, title, toolMetadata, dynamic }) };
  if (state === "input-streaming") {
    const text = String(rawInput ?? inputs.get(toolCallId) ?? "");
    return [
      { type: "tool-input-start", ...call, ...given({ inputEncoding }) },
      ...(text ? [{ type: "tool-input-delta", toolCallId, inputTextDelta: text }] : []),
    ];
  }
  if (state === "output-error" && input === undefined) return [{ type: "tool-input-error", ...call, input: rawInput, errorText }];
  const result = given({ providerExecuted, providerMetadata: resultProviderMetadata, dynamic });
  return [
    { type: "tool-input-available", ...call, input },
    ...approvalChunks(toolCallId, approval as Json | undefined),
    ...(state === "output-available" ? [{ type: "tool-output-available", toolCallId, output, ...given({ preliminary }), ...result }] : []),
    ...(state === "output-error" ? [{ type: "tool-output-error", toolCallId, errorText, ...result }] : []),
    ...(state === "output-denied" ? [{ type: "tool-output-denied", toolCallId }] : []),
  ];
}

function approvalChunks(toolCallId: unknown, approval?: Json): Chunk[] {
  if (!approval) return [];
  const { id, approved, reason, descriptor, requestReason, isAutomatic, signature, inputSchemaInput } = approval;
  const request = given({ approvalDescriptor: descriptor, reason: requestReason, isAutomatic, signature, inputSchemaInput });
  return [
    { type: "tool-approval-request", approvalId: id, toolCallId, ...request },
    ...(approved === undefined ? [] : [{ type: "tool-approval-response", approvalId: id, approved, ...given({ reason }) }]),
  ];
}

/** `chunks` without those that have been sent; of a growing input only what is new. */
function withoutKnown(chunks: Chunk[], known: Chunk[]): Chunk[] {
  const sent = new Set(known.map((chunk) => JSON.stringify(chunk)));
  return chunks.flatMap((chunk) => {
    if (sent.has(JSON.stringify(chunk))) return [];
    const before = chunk.type === "tool-input-delta" ? known.find(({ type }) => type === chunk.type) : undefined;
    if (!before) return [chunk];
    return [{ ...chunk, inputTextDelta: String(chunk.inputTextDelta).slice(String(before.inputTextDelta).length) }];
  });
}
