// Chunks and messages as JSON. The types of AI SDK differ between its versions; what is read here is in all of them.

import { type UIMessage, type UIMessageChunk, createUIMessageStream } from "ai";

export type Json = { [name: string]: unknown };
/** A UIMessageChunk of any version. */
export type Chunk = Json & { type: string };
/** A part of a UIMessage of any version. */
export type Part = Json & { type: string };

/** A copy without references to `value` and without undefined members: what a server stores and returns. */
export const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

export const isChunk = (value: unknown): value is Chunk =>
  typeof value === "object" && value !== null && typeof (value as Chunk).type === "string";

/** The message that AI SDK makes of chunks, with this id unless a chunk has another; `before` is what they continue. */
export async function messageOf<M extends UIMessage>(
  chunks: readonly Chunk[],
  id: string,
  before?: M,
): Promise<M> {
  let message: M | undefined;
  const stream = createUIMessageStream<M>({
    execute({ writer }) {
      for (const chunk of asJson(chunks)) writer.write(chunk as never); // AI SDK changes chunks of data
    },
    originalMessages: before ? [asJson(before)] : [],
    generateId: () => id,
    onFinish: ({ responseMessage }) => void (message = responseMessage),
  });
  const reader = stream.getReader();
  while (!(await reader.read()).done);
  return asJson(message!);
}

/** Yields the chunks, typed as the caller's version of AI SDK types them. */
export const typed = (chunk: Chunk): UIMessageChunk => chunk as unknown as UIMessageChunk;
