// A message of any producer as a record of AI SDK's storage format.

import type { ContentBlock } from "@colloquy/client";
import { type StoredMessage, isObject } from "./stored.ts";

/** The content of a record for the storage formats of AI SDK; null for other formats, and for a message of a tool. */
export function aiSdkContent(stored: StoredMessage, format: string): Record<string, unknown> | null {
  if (!format.startsWith("ai-sdk/") || stored.role === "TOOL" || stored.redactedAt) return null;
  return written(stored.raw) ?? { role: stored.role.toLowerCase(), parts: stored.content.flatMap(partOf) };
}

/** A UIMessage without its id, which records have beside the content. */
function written(raw: string | null): Record<string, unknown> | null {
  try {
    const document: unknown = JSON.parse(raw ?? "null");
    if (!isObject(document) || typeof document.role !== "string" || !Array.isArray(document.parts)) return null;
    const { id: _, ...content } = document;
    return content;
  } catch {
    return null; // a document of another kind
  }
}

function partOf(block: ContentBlock, _: number, blocks: readonly ContentBlock[]): object[] {
  switch (block.__typename) {
    case "TextBlock":
      return [{ type: "text", text: block.text }];
    case "ReasoningBlock":
      return [{ type: "reasoning", text: block.text }];
    case "ToolUseBlock":
      return [callOf(block, blocks)];
    case "SourceBlock":
      return sourceOf(block);
    case "DataBlock":
      return [{ type: `data-${block.name}`, data: block.data }];
    default:
      return [];
  }
}

function sourceOf({ position, url, title }: Extract<ContentBlock, { __typename: "SourceBlock" }>): object[] {
  return url === null ? [] : [{ type: "source-url", sourceId: String(position), url, ...(title !== null && { title }) }];
}

type ToolUse = Extract<ContentBlock, { __typename: "ToolUseBlock" }>;

function callOf({ toolUseId, name, input }: ToolUse, blocks: readonly ContentBlock[]): object {
  const call = { type: "dynamic-tool", toolCallId: toolUseId, toolName: name, input };
  const result = blocks.find((block) => block.__typename === "ToolResultBlock" && block.toolUseId === toolUseId);
  if (result?.__typename !== "ToolResultBlock") return { ...call, state: "input-available" };
  const { content } = result;
  if (!result.isError) return { ...call, state: "output-available", output: content };
  return { ...call, state: "output-error", errorText: typeof content === "string" ? content : JSON.stringify(content) };
}
