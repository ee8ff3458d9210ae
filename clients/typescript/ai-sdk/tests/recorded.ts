// Streams that AI SDK wrote, and what its version in this workspace makes of chunks.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type UIMessage, type UIMessageChunk, readUIMessageStream, simulateReadableStream } from "ai";
import type { Chunk } from "../src/chunk.ts";
import { WORKSPACE } from "../../tests/projects.ts";

interface Recorded {
  streams: { parts: Chunk[]; message: UIMessage }[];
}

const directory = join(WORKSPACE, "../../tests/documents/streams");

/** The recorded streams of one version of AI SDK. */
export const recordedBy = (version: number): Recorded["streams"] =>
  (JSON.parse(readFileSync(join(directory, `ai_sdk_${version}.json`), "utf8")) as Recorded).streams;

/** The types of chunks that the installed AI SDK defines. */
export function definedTypes(): string[] {
  const types = readFileSync(join(createRequire(import.meta.url).resolve("ai"), "../index.d.ts"), "utf8");
  const [chunk] = types.slice(types.indexOf("type UIMessageChunk<")).split("\ntype InferUIMessageChunk<") as [string];
  return [...chunk.matchAll(/type: ['"]([\w-]+)['"]/g)].map(([, type]) => type!);
}

/** The message that AI SDK makes of a stream; errors in it are passed over, as `readUIMessageStream` does. */
export async function read(stream: ReadableStream<UIMessageChunk>, message?: UIMessage): Promise<UIMessage | undefined> {
  let last: UIMessage | undefined = message;
  const start = message && { message };
  for await (const next of readUIMessageStream({ stream, onError: () => {}, ...start })) last = next;
  return last && (JSON.parse(JSON.stringify(last)) as UIMessage);
}

/** The same for chunks. */
export const readChunks = (chunks: readonly Chunk[], message?: UIMessage): Promise<UIMessage | undefined> =>
  read(simulateReadableStream({ chunks: structuredClone(chunks) as unknown as UIMessageChunk[] }), message);

export const streamOf = (chunks: readonly Chunk[], chunkDelayInMs: number | null = null): ReadableStream<UIMessageChunk> =>
  simulateReadableStream({ chunks: structuredClone(chunks) as unknown as UIMessageChunk[], initialDelayInMs: null, chunkDelayInMs });

/** Reads the chunks to the end, into `chunks` as they come. */
export async function collect(stream: ReadableStream<UIMessageChunk>, chunks: Chunk[] = []): Promise<Chunk[]> {
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value as unknown as Chunk);
  return chunks;
}
