import type { ColloquyClient } from "@colloquy/client";
import type { ChatTransport, UIMessage, UIMessageChunk } from "ai";
import { asJson } from "./chunk.ts";
import { chunksAfter } from "./chunks-after.ts";
import type { Row } from "./documents.ts";
import { AnswerReader } from "./read-answer.ts";
import { readRows } from "./rows.ts";
import { idOf, writtenMessage } from "./ui-messages.ts";

type SendOptions<M extends UIMessage> = Parameters<ChatTransport<M>["sendMessages"]>[0];
type ReconnectOptions<M extends UIMessage> = Parameters<ChatTransport<M>["reconnectToStream"]>[0];

/** What the producer of an answer is called with. */
export interface AnswerRequest {
  /** The session, which is the chat. */
  id: string;
  trigger: "submit-message" | "regenerate-message";
  /** The id of the message to answer. */
  messageId: string | undefined;
  headers: Headers;
  /** The `body` of `sendMessage`, without id, trigger and messageId. */
  body: object;
  metadata: unknown;
}

export interface ColloquyChatTransportOptions {
  client: ColloquyClient;
  /**
   * What starts the answer: an address that gets the id of the chat and of the message as JSON by POST, or a function.
   * Without it somebody else answers, such as an agent that follows the session.
   */
  api?: string | ((request: AnswerRequest) => unknown);
  fetch?: typeof globalThis.fetch;
}

/**
 * The chats of AI SDK in Colloquy. The id of a chat is the id of its session. A user's message is stored once; its
 * answer is read from the server, from any producer, from its beginning and through lost connections.
 */
export class ColloquyChatTransport<M extends UIMessage = UIMessage> implements ChatTransport<M> {
  /** A resumed stream begins with the first chunk of its answer. */
  readonly resumeStreamIsReplay = true;
  private readonly client: ColloquyClient;
  private readonly api: ColloquyChatTransportOptions["api"];
  private readonly fetch: typeof globalThis.fetch;
  private readonly attempts = new Map<string, number>();

  constructor({ client, api, fetch = (...request) => globalThis.fetch(...request) }: ColloquyChatTransportOptions) {
    this.client = client;
    this.api = api;
    this.fetch = fetch;
  }

  async sendMessages(options: SendOptions<M>): Promise<ReadableStream<UIMessageChunk>> {
    const { chatId, messages, abortSignal } = options;
    const sequence = await this.store(options);
    const later = (role: Row["role"]) => (row: Row) => row.role === role && row.sequence > sequence;
    const last = messages.at(-1);
    const continued = last?.role === "assistant" ? { id: last.id, chunks: chunksAfter(asJson(last)).length } : undefined;
    const { rows, cursor } = await readRows(this.client, chatId, 10);
    const which = { isAnswer: later("ASSISTANT"), isNext: later("USER"), continued, signal: abortSignal };
    const reader = new AnswerReader(this.client, chatId, { rows, cursor, ...which });
    const isCalled = !abortSignal?.aborted;
    this.stopWith(abortSignal, chatId, reader, isCalled || this.api === undefined);
    if (isCalled) void this.start(options, last?.id).catch((error: unknown) => reader.fail(error));
    return reader.stream;
  }

  async reconnectToStream({ chatId, abortSignal }: ReconnectOptions<M>): Promise<ReadableStream<UIMessageChunk> | null> {
    this.attempts.set(chatId, (this.attempts.get(chatId) ?? 0) + 1);
    const filter = { status: ["STREAMING"], role: ["ASSISTANT"] };
    const { rows, cursor } = await readRows(this.client, chatId, 1, filter, abortSignal);
    const [row] = rows;
    if (!row) return null;
    const reader = new AnswerReader(this.client, chatId, { rows, cursor, isAnswer: ({ id }) => id === row.id, signal: abortSignal });
    this.stopWith(abortSignal, chatId, reader);
    return reader.stream;
  }

  /** Stores what the last message has that the server has not. Returns its sequence. */
  private async store({ chatId, trigger, messageId, messages }: SendOptions<M>): Promise<number> {
    const last = messages.at(-1);
    if (!last) return 0;
    const raw = JSON.stringify(last);
    const isNew = trigger === "submit-message" && messageId === undefined && last.role === "user";
    if (isNew) return (await this.client.appendMessage(chatId, { key: last.id, role: "USER", raw })).sequence;
    const { rows } = await readRows(this.client, chatId);
    const row = rows.findLast((each) => each.status !== "STREAMING" && idOfEnded(each) === last.id);
    if (!row) return (await this.client.appendMessage(chatId, { key: last.id, role: last.role === "user" ? "USER" : "ASSISTANT", raw })).sequence;
    if (trigger === "submit-message" && row.raw !== raw) await this.client.updateMessage(row.id, { raw });
    for (const later of rows.filter(({ sequence }) => sequence > row.sequence)) {
      if (later.status === "STREAMING") await this.client.cancelMessage(later.id);
      await this.client.deleteMessage(later.id);
    }
    return row.sequence;
  }

  private async start({ chatId: id, trigger, headers, body = {}, metadata }: SendOptions<M>, messageId: string | undefined): Promise<void> {
    const request: AnswerRequest = { id, trigger, messageId, headers: new Headers(headers), body, metadata };
    if (typeof this.api === "function") await this.api(request);
    else if (this.api !== undefined) await this.post(this.api, request);
  }

  private async post(api: string, { headers, body, metadata: _, ...request }: AnswerRequest): Promise<void> {
    headers.set("content-type", "application/json");
    const response = await this.fetch(api, { method: "POST", headers, body: JSON.stringify({ ...body, ...request }) });
    if (!response.ok) throw new Error((await response.text()) || `HTTP ${response.status}`);
    await response.body?.cancel(); // the answer comes from Colloquy
  }

  /** Cancels the answer when the chat is stopped. A chat that only reads it once more aborts the former reader too. */
  private stopWith(signal: AbortSignal | undefined, chatId: string, reader: AnswerReader, mayStart = true): void {
    const attempt = this.attempts.get(chatId);
    const stop = () => {
      // `resumeStream` aborts a former one and calls `reconnectToStream` at once.
      setTimeout(() => (this.attempts.get(chatId) === attempt ? reader.stop(mayStart) : reader.leave()));
    };
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  }
}

const idOfEnded = (row: Row): string => writtenMessage(row.raw)?.id || idOf(row);
