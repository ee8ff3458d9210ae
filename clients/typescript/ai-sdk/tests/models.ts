// A scripted model, and an app that answers with it.

import type { ColloquyClient } from "@colloquy/client";
import { type UIMessage, convertToModelMessages, simulateReadableStream, streamText } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { type AnswerRequest, type PersistOptions, type PersistedAnswer, loadUIMessages, persist } from "../src/index.ts";

type Part = Record<string, unknown> & { type: string };
type DoStream = Extract<ConstructorParameters<typeof MockLanguageModelV4>[0], object>["doStream"];

export interface Script {
  /** The pieces of the answer. */
  words: string[];
  /** Milliseconds before each. */
  delay?: number;
}

const usage = { inputTokens: { total: 3 }, outputTokens: { total: 5 } };
const finish = { type: "finish", usage, finishReason: { unified: "stop", raw: "stop" } };

/** What the model thinks and writes; the calls of `doStream` are in `model.doStreamCalls`. */
export function modelOf({ words, delay = 5 }: Script, ...before: Part[]): MockLanguageModelV4 {
  const chunks: Part[] = [
    { type: "stream-start", warnings: [] },
    ...before,
    { type: "reasoning-start", id: "r" },
    { type: "reasoning-delta", id: "r", delta: "Trains leave " },
    { type: "reasoning-delta", id: "r", delta: "at nine." },
    { type: "reasoning-end", id: "r" },
    { type: "text-start", id: "t" },
    ...words.map((word) => ({ type: "text-delta", id: "t", delta: word })),
    { type: "text-end", id: "t" },
    finish,
  ];
  const doStream = ({ abortSignal }: { abortSignal?: AbortSignal }) => {
    const stream = simulateReadableStream({ chunks, initialDelayInMs: delay, chunkDelayInMs: delay });
    return Promise.resolve({ stream: abortable(stream, abortSignal) });
  };
  return new MockLanguageModelV4({ doStream: doStream as unknown as NonNullable<DoStream> });
}

/** As a provider does: an aborted request errors. */
function abortable(stream: ReadableStream<Part>, signal?: AbortSignal): ReadableStream<Part> {
  const errors = new TransformStream<Part, Part>({
    start: (controller) => signal?.addEventListener("abort", () => controller.error(signal.reason)),
  });
  return stream.pipeThrough(errors);
}

/** What the server of an app does with a request: it answers with the model. */
export function answering(client: ColloquyClient, model: MockLanguageModelV4, options: Partial<PersistOptions> = {}) {
  return async ({ id }: Pick<AnswerRequest, "id">): Promise<PersistedAnswer> => {
    const messages = await loadUIMessages<UIMessage>(client, id);
    const modelMessages = await convertToModelMessages(messages);
    return persist(({ signal }) => streamText({ model, messages: modelMessages, abortSignal: signal }).toUIMessageStream(), {
      client,
      sessionId: id,
      pause: 0,
      ...options,
    });
  };
}
