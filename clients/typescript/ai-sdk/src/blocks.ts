// Messages that no AI SDK wrote: the blocks that the server derives from any document become parts of a UIMessage.

import type { Block, Row } from "./documents.ts";
import type { Part } from "./chunk.ts";

type Convert = (block: Block) => Part[];

const CONVERT: Record<string, Convert> = {
  TextBlock: ({ text }) => [{ type: "text", text, state: "done" }],
  ReasoningBlock: ({ text }) => [{ type: "reasoning", text, state: "done" }],
  ToolUseBlock: ({ toolUseId, name, input }) => [
    { type: "dynamic-tool", toolName: name, toolCallId: toolUseId, state: "input-available", input },
  ],
  SourceBlock: ({ url, title, fileName, position }) => {
    const source = { sourceId: `source-${position}`, ...(title && { title }) };
    if (url) return [{ type: "source-url", ...source, url }];
    return [{ type: "source-document", mediaType: "application/octet-stream", ...source, title: title ?? "", filename: fileName }];
  },
  // A block has no content of a file, so it cannot be a part of type `file`.
  MediaBlock: ({ mediaType, fileName }) => [{ type: "data-media", data: { mediaType, fileName } }],
  DataBlock: ({ name, data }) => [{ type: `data-${name}`, data }],
};

/** The parts of a message; a result is put into the part of its call. */
export function partsOf({ content }: Row): Part[] {
  const parts: Part[] = [];
  for (const block of content) {
    if (block.__typename === "ToolResultBlock") addResult(parts, block);
    else parts.push(...(CONVERT[block.__typename]?.(block) ?? []));
  }
  return parts;
}

/** Puts a result into the part of its call; without such a part it is left out. */
export function addResult(parts: readonly Part[], { toolUseId, isError, content }: Block): void {
  const call = parts.findLast((part) => part.toolCallId === toolUseId);
  if (!call) return;
  if (!isError) Object.assign(call, { state: "output-available", output: content });
  else Object.assign(call, { state: "output-error", errorText: typeof content === "string" ? content : JSON.stringify(content) });
}
