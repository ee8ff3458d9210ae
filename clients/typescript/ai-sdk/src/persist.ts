import { type Answer, type AnswerOptions, type ColloquyClient, type Message } from "@colloquy/client";
import type { UIMessage, UIMessageChunk } from "ai";
import { type Chunk, asJson, messageOf, typed } from "./chunk.ts";
import { chunksAfter } from "./chunks-after.ts";

type Stream = ReadableStream<UIMessageChunk>;

/** While the model is silent, a stop is noticed within this time. */
const KEEP_ALIVE_MS = 2_000;

export interface PersistOptions<M extends UIMessage = UIMessage>
  extends Pick<AnswerOptions, "key" | "agentKey" | "metadata" | "signal" | "pause" | "keepAlive"> {
  client: ColloquyClient;
  sessionId: string;
  /** As for `toUIMessageStream`: if the last message is the assistant's, the stream continues it. */
  originalMessages?: M[];
  /** The text of an error that the reader gets; by default it says nothing about the cause. */
  onError?: (error: unknown) => string;
}

/** Makes the stream once the answer has started. `signal` aborts when there is no use in writing: pass it to the model. */
export type StreamSource = Stream | ((answer: { signal: AbortSignal; messageId: string }) => Stream | PromiseLike<Stream>);

export interface PersistedAnswer {
  /** The id of the message in chats. */
  messageId: string;
  /** The chunks as they come, for the browser. Nobody has to read them: the answer is written anyway. */
  stream: Stream;
  /** The message as it ended; rejects if it could not be written. A serverless function waits for it. */
  message: Promise<Message>;
}

/**
 * Writes the stream of an answer into a session while it is read. It ends COMPLETE with its `UIMessage` as document,
 * CANCELLED when anybody stops it, or FAILED at an error of the stream. Throws what `source` throws, and ColloquyError.
 */
export async function persist<M extends UIMessage = UIMessage>(
  source: StreamSource,
  { client, sessionId, originalMessages, onError = () => "The answer has failed.", ...options }: PersistOptions<M>,
): Promise<PersistedAnswer> {
  let answer: Answer | undefined;
  try {
    answer = await begin(client, sessionId, { keepAlive: KEEP_ALIVE_MS, ...options, partsFormat: "AI_SDK" });
    const writer = new ChunkWriter(answer, { ...options, originalMessages, onError });
    const { signal } = answer;
    const { messageId } = writer;
    const chunks = typeof source === "function" ? await source({ signal, messageId }) : source;
    return { messageId, stream: writer.stream, message: writer.writeAll(chunks) };
  } catch (error) {
    if (typeof source !== "function") await source.cancel().catch(() => {});
    await answer?.fail().catch(() => {}); // the first error is the one to throw
    throw error;
  }
}

/** Starts an answer. What an earlier producer with this key has written cannot go on with other chunks: it fails. */
async function begin(client: ColloquyClient, sessionId: string, options: AnswerOptions): Promise<Answer> {
  const answer = await client.answer(sessionId, options);
  if (!answer.existingParts.length) return answer;
  await answer.fail();
  const { key: _, ...others } = options;
  return client.answer(sessionId, others);
}

class ChunkWriter<M extends UIMessage> {
  readonly stream: Stream;
  readonly messageId: string;
  private readonly before: M | undefined;
  private reader: ReadableStreamDefaultController<UIMessageChunk> | undefined;
  private readonly written: Chunk[] = [];

  constructor(
    private readonly answer: Answer,
    private readonly options: Pick<PersistOptions<M>, "signal"> & {
      originalMessages: M[] | undefined;
      onError: (error: unknown) => string;
    },
  ) {
    const last = options.originalMessages?.at(-1);
    this.before = last?.role === "assistant" ? asJson(last) : undefined;
    this.messageId = this.before?.id ?? answer.message.key ?? answer.message.id;
    this.stream = new ReadableStream<UIMessageChunk>({
      start: (controller) => void (this.reader = controller),
      cancel: () => void (this.reader = undefined), // a browser that leaves does not stop the answer
    });
    // Readers that join see the whole message, so what it continues is written first.
    if (this.before) this.answer.writeParts(...chunksAfter(this.before));
  }

  writeAll(chunks: Stream): Promise<Message> {
    const message = this.copy(chunks)
      .then(() => this.end())
      .catch((error: unknown) => this.fail(error));
    message.catch(() => {}); // who does not wait for it is not ended by it
    void message.finally(() => this.reader?.close()).catch(() => {});
    return message;
  }

  private async copy(chunks: Stream): Promise<void> {
    const { signal } = this.answer;
    const source = chunks.getReader();
    const stop = () => void source.cancel().catch(() => {});
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      for (let next = await source.read(); !next.done; next = await source.read()) {
        const chunk = this.withId(asJson(next.value) as unknown as Chunk);
        if (!this.answer.writeParts(chunk)) return;
        this.written.push(chunk);
        this.reader?.enqueue(typed(chunk));
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  private withId(chunk: Chunk): Chunk {
    return chunk.type === "start" ? { ...chunk, messageId: this.messageId } : chunk;
  }

  private async end(): Promise<Message> {
    const { answer } = this;
    const has = (type: string) => this.written.some((chunk) => chunk.type === type);
    if (has("error")) return answer.fail();
    if (has("abort") || this.options.signal?.aborted) return answer.cancel();
    if (!answer.signal.aborted) {
      const raw = JSON.stringify(await messageOf(this.written, this.messageId, this.before));
      await answer.finish({ raw });
    }
    if (answer.stopped) this.reader?.enqueue({ type: "abort" });
    else if (answer.message.status === "STREAMING") await answer.finish(); // throws what writing threw
    return answer.message;
  }

  private async fail(error: unknown): Promise<never> {
    this.reader?.enqueue({ type: "error", errorText: this.options.onError(error) });
    await this.answer.fail().catch(() => {});
    throw error;
  }
}
