import type { ColloquyClient } from "./client.ts";
import { type Conversation, after, opened, withEarlier, withMessage } from "./conversation.ts";
import type { ColloquyError } from "./errors.ts";
import { type Handlers, follow } from "./follow.ts";
import { FollowingStore } from "./following-store.ts";
import { SessionEvents, type MessageInput } from "./generated.ts";
import type { Outbox, Outgoing } from "./outbox.ts";
import type { Approval, Message, Session, SessionEvent } from "./types.ts";

export interface ConversationSnapshot {
  /** `absent`: there is no such session (any more), or it belongs to somebody else. */
  readonly status: "loading" | "ready" | "absent";
  readonly session: Session | null;
  /** In the order of their sequence. */
  readonly messages: readonly Message[];
  readonly approvals: readonly Approval[];
  /** Messages of the outbox that the server has not stored yet; each is in `messages` or here, never in both. */
  readonly outgoing: readonly Outgoing[];
  readonly hasEarlier: boolean;
  /** Why reading or following fails at present. */
  readonly error: ColloquyError | null;
}

const LOADING: ConversationSnapshot = {
  status: "loading",
  session: null,
  messages: [],
  approvals: [],
  outgoing: [],
  hasEarlier: false,
  error: null,
};
const MAX_PAGE = 100;

export interface ConversationOptions {
  /** Where messages of `send` go; its messages for this session are in the snapshot. */
  outbox?: Outbox;
  /** Messages of a page, 1 to 100; 50 by default. */
  pageSize?: number;
}

/** One conversation, current while it is subscribed to. */
export class ConversationStore extends FollowingStore<ConversationSnapshot, SessionEvent> {
  private conversation: Conversation | null = null;
  private earlier: Promise<void> | undefined;
  private readonly outbox: Outbox | undefined;
  private readonly pageSize: number;

  constructor(
    client: ColloquyClient,
    readonly sessionId: string,
    { outbox, pageSize = 50 }: ConversationOptions = {},
  ) {
    super(client, LOADING);
    this.outbox = outbox;
    this.pageSize = pageSize;
  }

  /** Sends a message by the outbox; returns its key. */
  send(message: string | Omit<MessageInput, "key">): string {
    if (!this.outbox) throw new Error("This store was made without an outbox.");
    return this.outbox.send(this.sessionId, message);
  }

  /** Loads the page before the first message; calls during the load share it. */
  loadEarlier(): Promise<void> {
    this.earlier ??= this.readEarlier().finally(() => (this.earlier = undefined));
    return this.earlier;
  }

  /** Marks everything that is loaded as read. */
  async markRead(): Promise<void> {
    const sequence = this.conversation?.messages.at(-1)?.sequence ?? 0;
    const { session } = this.getSnapshot();
    if (session && sequence > session.lastReadSequence) await this.client.markSessionRead(this.sessionId, sequence);
  }

  protected async read(signal: AbortSignal): Promise<string | null> {
    const loaded = Math.max(this.pageSize, this.conversation?.messages.length ?? 0);
    const read = await this.client.conversation(this.sessionId, Math.min(loaded, MAX_PAGE), { signal });
    if (signal.aborted) return null;
    if (!read) {
      this.close();
      return null;
    }
    this.conversation = opened(read);
    this.show();
    return read.eventCursor;
  }

  protected apply(event: SessionEvent): void {
    if (event.__typename === "SessionRemoved") return this.close();
    this.change((now) => after(now, event));
  }

  protected follow(after: string, handlers: Handlers<SessionEvent>): () => void {
    return follow(this.client.following, SessionEvents, { sessionId: this.sessionId, after }, handlers);
  }

  protected override start(): () => void {
    const stop = super.start();
    const unsubscribe = this.outbox?.subscribe(() => this.show());
    const unlisten = this.outbox?.onSent((sessionId, message) => {
      if (sessionId === this.sessionId) this.change((now) => withMessage(now, message));
    });
    this.show();
    return () => {
      stop();
      unsubscribe?.();
      unlisten?.();
    };
  }

  protected override fail(error: unknown, signal: AbortSignal): void {
    if ((error as ColloquyError).code === "NOT_FOUND") this.close();
    else super.fail(error, signal);
  }

  private async readEarlier(): Promise<void> {
    const before = this.conversation?.before;
    if (!before) return;
    const page = await this.client.messages(this.sessionId, { last: this.pageSize, before });
    this.change((now) => (now.before === before ? withEarlier(now, page) : now));
  }

  private change(next: (now: Conversation) => Conversation): void {
    const changed = this.conversation && next(this.conversation);
    if (!changed || changed === this.conversation) return;
    this.conversation = changed;
    this.show();
  }

  private close(): void {
    this.conversation = null;
    this.value.set({ ...LOADING, status: "absent" });
  }

  /** Makes the snapshot of the conversation and the outbox. */
  private show(): void {
    const { conversation } = this;
    this.value.update((now) => {
      const outgoing = this.outgoing();
      if (!conversation) return now.status === "loading" && outgoing.length ? { ...now, outgoing } : now;
      const { session, messages, approvals, before } = conversation;
      return { ...now, status: "ready", session, messages, approvals, outgoing, hasEarlier: before !== null };
    });
  }

  private outgoing(): readonly Outgoing[] {
    const all = this.outbox?.getSnapshot().filter(({ sessionId }) => sessionId === this.sessionId) ?? [];
    if (!all.length) return LOADING.outgoing;
    const stored = new Set(this.conversation?.messages.map(({ key }) => key));
    return all.filter(({ key }) => !stored.has(key));
  }
}
