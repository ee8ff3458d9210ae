import { type ColloquyClient, ColloquyError } from "@colloquy/client";
import type { UIMessage } from "ai";
import type { Row, RowEvent } from "./documents.ts";
import { readRows, rowEvents } from "./rows.ts";
import { idOf, toUIMessages } from "./ui-messages.ts";

/** What is used of a `Chat` of AI SDK. */
export interface LiveChat<M extends UIMessage = UIMessage> {
  messages: M[];
  readonly status: string;
  resumeStream(): Promise<void>;
}

export interface FollowOptions {
  client: ColloquyClient;
  sessionId: string;
  /** The most messages to load, the newest; all by default. */
  limit?: number;
  /** Called when following ends by itself, as with NOT_FOUND. */
  onError?: (error: unknown) => void;
}

const BUSY = new Set(["submitted", "streaming"]);
const BUSY_MS = 50; // a chat does not announce its status to everybody
const MAX_RETRY_MS = 10_000;

/**
 * Keeps a chat equal to its session: loads its messages, adds those of other devices and agents, and resumes every
 * answer that is being written. Returns the function that ends it.
 */
export function followChat<M extends UIMessage>(chat: LiveChat<M>, options: FollowOptions): () => void {
  const follower = new ChatFollower(chat, options);
  return () => follower.stop();
}

class ChatFollower<M extends UIMessage> {
  private readonly left = new AbortController();
  private rows: Row[] = [];
  /** The ids that the session has or had; any other message of the chat has not been stored yet. */
  private readonly stored = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private version = 0;
  /** Milliseconds until an answer is resumed again whose stream has ended before it. */
  private retry = BUSY_MS;

  constructor(
    private readonly chat: LiveChat<M>,
    private readonly options: FollowOptions,
  ) {
    this.run().catch((error: unknown) => {
      if (this.left.signal.aborted) return;
      this.stop(); // without events an answer that is being written would be resumed for ever
      options.onError?.(error);
    });
  }

  stop(): void {
    this.left.abort();
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    const { client, sessionId, limit } = this.options;
    const { signal } = this.left;
    while (!signal.aborted) {
      const { rows, cursor } = await readRows(client, sessionId, limit, {}, signal);
      this.change(rows);
      for await (const event of rowEvents(client, sessionId, cursor, signal)) {
        if (event.__typename === "StreamReset") break;
        if (event.__typename === "SessionRemoved") throw new ColloquyError("NOT_FOUND", "The session has been deleted.");
        this.apply(event);
      }
    }
  }

  private apply({ __typename, message, messageId, offset, parts }: RowEvent): void {
    if (message) {
      const at = this.rows.findLastIndex(({ sequence }) => sequence <= message.sequence) + 1;
      const others = this.rows.slice(0, at).filter(({ id }) => id !== message.id);
      this.change([...others, message, ...this.rows.slice(at)]);
    } else if (__typename === "MessageRemoved") this.change(this.rows.filter(({ id }) => id !== messageId));
    else if (parts && offset === 0) {
      this.rows = this.rows.map((row) => (row.id === messageId ? { ...row, parts } : row)); // the first may name the message
      this.learnIds();
    }
  }

  private learnIds(): void {
    for (const row of this.rows) this.stored.add(idOf(row));
  }

  private change(rows: Row[]): void {
    this.rows = rows;
    this.learnIds();
    this.version++;
    this.retry = BUSY_MS;
    this.schedule(0);
  }

  private schedule(milliseconds: number): void {
    clearTimeout(this.timer);
    if (!this.left.signal.aborted) this.timer = setTimeout(() => void this.show(), milliseconds);
  }

  private async show(): Promise<void> {
    const { chat, version } = this;
    if (BUSY.has(chat.status)) return this.schedule(BUSY_MS);
    const messages = await toUIMessages<M>(this.rows);
    if (version !== this.version || this.left.signal.aborted) return; // a later change shows itself
    if (BUSY.has(chat.status)) return this.schedule(BUSY_MS);
    this.replace(messages);
    if (!this.rows.some(({ status, role }) => status === "STREAMING" && role === "ASSISTANT")) return;
    await chat.resumeStream();
    this.schedule(this.retry);
    this.retry = Math.min(this.retry * 2, MAX_RETRY_MS);
  }

  private replace(messages: M[]): void {
    const existing = new Map(this.chat.messages.map((message) => [message.id, message]));
    const growing = new Set(this.rows.filter(({ status }) => status === "STREAMING").map(idOf));
    for (const { id } of messages) this.stored.add(id);
    const known = new Set(messages.map(({ id }) => id));
    const isLocal = (id: string) => !known.has(id) && (growing.has(id) || !this.stored.has(id));
    const local = this.chat.messages.filter(({ id, parts }) => parts.length && isLocal(id));
    const next = [...messages.map((message) => same(existing.get(message.id), message)), ...local];
    if (next.length !== existing.size || next.some((message, index) => message !== this.chat.messages[index])) {
      this.chat.messages = next;
    }
  }
}

/** The object that the chat has if nothing changes, so that nothing is rendered again. */
function same<M>(existing: M | undefined, message: M): M {
  return existing && JSON.stringify(existing) === JSON.stringify(message) ? existing : message;
}
