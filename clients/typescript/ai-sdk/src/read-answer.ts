import { type ColloquyClient, ColloquyError } from "@colloquy/client";
import type { UIMessageChunk } from "ai";
import { AnswerChunks, type Continued } from "./answer-chunks.ts";
import { type Chunk, typed } from "./chunk.ts";
import type { Row } from "./documents.ts";
import { readRows, rowEvents } from "./rows.ts";

/** Milliseconds for which a stopped reader waits for an answer that has not started, to cancel it. */
const STOP_MS = 60_000;

export interface AnswerOptions {
  /** Which message is the answer. */
  isAnswer: (row: Row) => boolean;
  /** Which message is a later question: an answer that starts after it may be its own. */
  isNext?: (row: Row) => boolean;
  /** The cursor after which the events of the session begin. */
  cursor: string;
  /** The rows that are read already. */
  rows: readonly Row[];
  continued?: Continued | undefined;
  /** Whoever aborts it calls `stop` or `leave`. */
  signal?: AbortSignal | undefined;
}

/** Reads an answer from its beginning, from any producer and whenever it starts. */
export class AnswerReader {
  readonly stream: ReadableStream<UIMessageChunk>;
  private readonly left = new AbortController();
  private controller!: ReadableStreamDefaultController<UIMessageChunk>;
  private answer: { id: string; chunks: AnswerChunks } | undefined;
  private isOver = false;
  private stopping = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(
    private readonly client: ColloquyClient,
    private readonly sessionId: string,
    private readonly options: AnswerOptions,
  ) {
    this.stream = new ReadableStream<UIMessageChunk>({
      start: (controller) => void (this.controller = controller),
      cancel: () => {
        this.closed = true;
        // AI SDK 7 cancels the stream in the event of a stop, before the answer is cancelled.
        if (!this.options.signal?.aborted) this.leave();
      },
    });
    this.run()
      .then(
        () => this.close((controller) => controller.close()),
        (error: unknown) => this.close((controller) => controller.error(error)),
      )
      .finally(() => this.leave());
  }

  /** Cancels the answer; if one `mayStart`, also one that starts before the next question. */
  stop(mayStart = true): void {
    this.stopping = true;
    if (this.answer) return this.cancel(this.answer.id);
    if (!mayStart || this.isOver || this.left.signal.aborted) return this.leave();
    this.timer = setTimeout(() => this.leave(), STOP_MS);
  }

  /** Reads no further; the answer goes on. */
  leave(): void {
    clearTimeout(this.timer);
    this.left.abort();
  }

  /** Ends the stream with an error, unless the answer has started. */
  fail(error: unknown): void {
    if (this.answer) return;
    this.close((controller) => controller.error(error));
    this.leave();
  }

  private async run(): Promise<void> {
    const { signal } = this.left;
    let { rows, cursor } = this.options;
    for (;;) {
      // What a query has of a message that is being written comes once more as an event, in one piece.
      for (const row of rows) if (this.isAnswer(row) && row.status !== "STREAMING") return this.end(row);
      if (await this.follow(cursor)) return;
      if (signal.aborted) return;
      ({ rows, cursor } = await readRows(this.client, this.sessionId, 100, {}, signal)); // after a StreamReset
      const { answer } = this;
      if (answer && !rows.some(({ id }) => id === answer.id)) return; // deleted meanwhile
    }
  }

  /** Returns true at the end, false when the events have a gap. */
  private async follow(cursor: string): Promise<boolean> {
    for await (const event of rowEvents(this.client, this.sessionId, cursor, this.left.signal)) {
      if (event.__typename === "StreamReset") return false;
      if (event.__typename === "SessionRemoved") throw new ColloquyError("NOT_FOUND", "The session has been deleted.");
      if (event.session?.deletedAt && !this.answer) return true; // SOFT: no answer can start
      if (event.message && this.isAnswer(event.message)) {
        if (event.message.status !== "STREAMING") return this.end(event.message).then(() => true);
        this.answer!.chunks.grown(event.message);
      } else if (event.messageId !== undefined && event.messageId === this.answer?.id) {
        if (event.__typename === "MessageRemoved") return true;
        this.answer.chunks.added(event);
      }
    }
    return true;
  }

  private isAnswer(row: Row): boolean {
    if (!this.answer && !this.left.signal.aborted) this.find(row);
    return row.id === this.answer?.id;
  }

  private find(row: Row): void {
    if (this.options.isAnswer(row)) {
      const emit = (chunk: Chunk) => !this.closed && this.controller.enqueue(typed(chunk));
      this.answer = { id: row.id, chunks: new AnswerChunks(row, emit, this.options.continued) };
      if (this.stopping) this.cancel(row.id);
    } else if (this.options.isNext?.(row)) {
      this.isOver = true;
      if (this.stopping) this.leave();
    }
  }

  private async end(row: Row): Promise<void> {
    await this.answer!.chunks.ended(row);
  }

  /** Cancels the answer. It may have ended meanwhile; then there is nothing to cancel. */
  private cancel(id: string): void {
    void this.client
      .cancelMessage(id)
      .catch(() => {})
      .finally(() => this.leave());
  }

  private close(how: (controller: ReadableStreamDefaultController<UIMessageChunk>) => void): void {
    if (this.closed) return;
    this.closed = true;
    how(this.controller);
  }
}
