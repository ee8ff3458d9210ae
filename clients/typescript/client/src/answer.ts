import type { ColloquyClient } from "./client.ts";
import { length } from "./codepoints.ts";
import { ColloquyError } from "./errors.ts";
import type { FinishMessageInput, StartMessageInput } from "./generated.ts";
import { newKey } from "./requests.ts";
import type { Message } from "./types.ts";

const PATIENCE_MS = 120_000; // a server that restarts, or a database that fails over

/** With a `partsFormat` the message consists of parts, JSON values; without one of text. */
export interface AnswerOptions extends Omit<StartMessageInput, "sessionId"> {
  /** Cancels the answer; what is written stays. */
  signal?: AbortSignal;
  /** Milliseconds for which texts or parts are collected before they are sent together, 50 by default. */
  pause?: number;
  /** Milliseconds after which an empty text keeps the message alive, 20,000 by default. */
  keepAlive?: number;
}

/** What `finish` and `fail` may send with the end; `raw` replaces the written text or parts. */
export type AnswerEnd = Pick<FinishMessageInput, "raw" | "usage" | "metadata">;

/** A streaming message that this program writes. */
export class Answer {
  /** The message as the server returned it last. */
  message: Message;
  /** The text of an earlier producer with the same key; new text follows it. */
  readonly existingText: string;
  /** The same for a message of parts. */
  readonly existingParts: readonly unknown[];
  /** Aborts when there is no use in writing: another client has cancelled the message, or writing failed. */
  readonly signal: AbortSignal;
  private readonly ended = new AbortController();
  private readonly isText: boolean;
  private readonly buffer: unknown[] = [];
  private offset: number;
  private sending: Promise<void> | undefined;
  private error: unknown;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly unlisten: () => void;

  private constructor(
    private readonly client: ColloquyClient,
    started: { message: Message; fence: string },
    private readonly fence: string,
    private readonly options: AnswerOptions,
  ) {
    this.message = started.message;
    this.existingText = started.message.text;
    this.existingParts = started.message.parts ?? [];
    this.isText = streamOf(options) === "TEXT";
    this.offset = this.isText ? length(this.existingText) : this.existingParts.length;
    this.signal = this.ended.signal;
    const cancel = () => void this.cancel().catch(() => {});
    options.signal?.addEventListener("abort", cancel);
    this.unlisten = () => options.signal?.removeEventListener("abort", cancel);
    this.schedule();
  }

  static async start(client: ColloquyClient, sessionId: string, options: AnswerOptions): Promise<Answer> {
    const { signal, pause: _, keepAlive: __, ...input } = options;
    // With a key of its own a lost response finds the same message again.
    const started = await client.startMessage({ key: newKey(), ...input, stream: streamOf(options), sessionId }, { signal });
    const answer = new Answer(client, started, started.fence, options);
    if (signal?.aborted) await answer.cancel();
    return answer;
  }

  /** True if the message was cancelled, by this program or by another. */
  get stopped(): boolean {
    return this.message.status === "CANCELLED";
  }

  /** Adds text, which is sent in the background. False: stop writing, the message is cancelled. Throws what sending threw. */
  write(text: string): boolean {
    return this.add(true, text ? [text] : []);
  }

  /** Adds parts to a message that was started with a `partsFormat`; otherwise as `write`. */
  writeParts(...parts: unknown[]): boolean {
    return this.add(false, parts);
  }

  /** Writes all texts, then completes the message; one that throws makes it FAILED. Returns the message as it ended. */
  pipe(texts: AsyncIterable<string> | Iterable<string>, end: AnswerEnd = {}): Promise<Message> {
    return this.writeAll(texts, (text) => this.write(text), end);
  }

  /** Writes all parts, then completes the message; otherwise as `pipe`. */
  pipeParts(parts: AsyncIterable<unknown> | Iterable<unknown>, end: AnswerEnd = {}): Promise<Message> {
    return this.writeAll(parts, (part) => this.writeParts(part), end);
  }

  /** Sends the rest and completes the message, unless it is cancelled. */
  async finish(end: AnswerEnd = {}): Promise<Message> {
    await this.flush();
    return this.close(() => this.end("COMPLETE", end));
  }

  /** Sends the rest if possible, and fails the message. */
  async fail(end: AnswerEnd = {}): Promise<Message> {
    await this.flush().catch(() => {});
    return this.close(() => this.end("FAILED", end));
  }

  /** Sends the rest if possible, and cancels the message. */
  async cancel(): Promise<Message> {
    await this.flush().catch(() => {});
    return this.close(() => this.client.cancelMessage(this.message.id));
  }

  private add(isText: boolean, pieces: unknown[]): boolean {
    if (isText !== this.isText) {
      throw new ColloquyError("BAD_USER_INPUT", `This message consists of ${this.isText ? "text" : "parts"}.`);
    }
    if (this.error) throw this.error;
    if (this.ended.signal.aborted) return false;
    const isFirst = !this.buffer.length; // a later piece must not begin the pause again
    this.buffer.push(...pieces);
    if (isFirst) this.schedule();
    return true;
  }

  private async writeAll<Piece>(
    pieces: AsyncIterable<Piece> | Iterable<Piece>,
    write: (piece: Piece) => boolean,
    end: AnswerEnd,
  ): Promise<Message> {
    try {
      for await (const piece of pieces) if (!write(piece)) break;
    } catch (error) {
      await this.fail().catch(() => {}); // the first error is the one to throw
      throw error;
    }
    return this.finish(end);
  }

  private end(status: "COMPLETE" | "FAILED", end: AnswerEnd): Promise<Message> {
    return this.client.finishMessage({ id: this.message.id, fence: this.fence, status, ...end });
  }

  private async close(request: () => Promise<Message>): Promise<Message> {
    if (this.message.status !== "STREAMING") return this.message;
    this.unlisten();
    this.ended.abort();
    clearTimeout(this.timer);
    try {
      this.message = await untilDone(request);
    } catch (error) {
      if (!(await this.wasCancelled(error))) throw error;
    }
    return this.message;
  }

  private async flush(): Promise<void> {
    clearTimeout(this.timer);
    await this.sending;
    while (this.buffer.length && !this.error && !this.ended.signal.aborted) await this.send();
    if (this.error) throw this.error;
  }

  private schedule(): void {
    const { pause = 50, keepAlive = 20_000 } = this.options;
    if (this.sending || this.ended.signal.aborted) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.send(), this.buffer.length ? pause : keepAlive);
  }

  /** Sends what is in the buffer; an empty text keeps the message alive. Sets `error` or stops; never rejects. */
  private send(): Promise<void> {
    this.sending = this.extend().finally(() => {
      this.sending = undefined;
      this.schedule();
    });
    return this.sending;
  }

  private async extend(): Promise<void> {
    const pieces = this.buffer.splice(0);
    const text = this.isText ? pieces.join("") : "";
    const { message, fence, offset } = this;
    try {
      const input = { id: message.id, fence, offset, ...(this.isText ? { text } : { parts: pieces }) };
      await untilDone(() => this.client.extendMessage(input));
      this.offset += this.isText ? length(text) : pieces.length;
    } catch (error) {
      if (!(await this.wasCancelled(error).catch(() => false))) this.error = error;
      this.ended.abort();
    }
  }

  /** True, with the message as it ended, if `error` means that another client has cancelled it. */
  private async wasCancelled(error: unknown): Promise<boolean> {
    if (!(error instanceof ColloquyError) || error.code !== "ILLEGAL_TRANSITION") return false;
    const { fromStatus, toStatus } = error.details;
    if (fromStatus !== "CANCELLED" && toStatus !== "CANCELLED") return false;
    this.message = await this.client.cancelMessage(this.message.id); // returns the message as it is
    return true;
  }
}

/** The result of a request, which is sent again as long as the server is away, also for longer than one request waits. */
async function untilDone<Result>(request: () => Promise<Result>): Promise<Result> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof ColloquyError && error.transient) || Date.now() > until) throw error;
    }
  }
}

const streamOf = ({ stream, partsFormat }: AnswerOptions) => stream ?? (partsFormat ? "PARTS" : "TEXT");
