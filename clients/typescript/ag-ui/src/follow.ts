// A session as a stream of AG-UI events: what is stored, and what is being written.

import type { AGUIEvent } from "@ag-ui/core";
import type { ColloquyClient, Message, SessionEvent } from "@colloquy/client";
import { LiveMessage } from "./live-message.ts";
import { Runs } from "./runs.ts";
import { type SessionName, type StoredMessage, type StoredSession, allMessages, readMessage, readSession } from "./stored.ts";

export interface FollowOptions {
  signal?: AbortSignal;
  /** True: the events go on after the last answer has ended, until `signal` aborts. */
  stay?: boolean;
}

type Events = AsyncGenerator<AGUIEvent, void, void>;

/** The events of all stored messages, without those that are being written. Throws NOT_FOUND. */
export async function* replay(client: ColloquyClient, name: SessionName, { signal }: FollowOptions = {}): Events {
  const session = await readSession(client, name, signal);
  const runs = runsOf(session);
  for await (const stored of allMessages(client, session, signal)) {
    if (stored.status !== "STREAMING") yield* runs.add(stored);
  }
  yield* runs.end();
}

/**
 * The events of all stored messages, then those of the messages that are being written while they grow. Across lost
 * connections none is missed, and none comes twice. Throws NOT_FOUND.
 */
export async function* follow(client: ColloquyClient, name: SessionName, { signal, stay = false }: FollowOptions = {}): Events {
  const session = await readSession(client, name, signal);
  const follower = new Follower(client, runsOf(session), stay);
  for await (const stored of allMessages(client, session, signal)) yield* follower.add(stored);
  const after = session.eventCursor;
  if (follower.waits) {
    for await (const event of client.sessionEvents(session.id, { after, ...(signal && { signal }) })) {
      yield* follower.apply(event);
      if (!follower.waits) break;
    }
  }
  yield* follower.runs.end();
}

function runsOf({ id, key, approvals }: StoredSession): Runs {
  return new Runs(key ?? id, approvals.nodes);
}

/** Messages become events in the order of their sequence: one that is being written delays those after it. */
class Follower {
  private waiting: StoredMessage[] = [];
  private live: LiveMessage | null = null;
  private newest = 0;
  private removed = false;

  constructor(
    private readonly client: ColloquyClient,
    readonly runs: Runs,
    private readonly stay: boolean,
  ) {}

  get waits(): boolean {
    return !this.removed && (this.stay || this.waiting.length > 0);
  }

  async *add(stored: StoredMessage): Events {
    if (stored.sequence <= this.newest) return;
    this.newest = stored.sequence;
    this.waiting.push(stored);
    yield* this.advance();
  }

  async *apply(event: SessionEvent): Events {
    switch (event.__typename) {
      case "MessageAdded":
      case "MessageChanged":
        yield* this.change(event.message);
        break;
      case "MessageDelta":
        if (this.isLive(event.messageId)) yield* this.live!.addText(event.offset, event.text);
        break;
      case "MessagePartsDelta":
        if (this.isLive(event.messageId)) yield* this.live!.addParts(event.offset, event.parts);
        break;
      case "MessageRemoved":
        yield* this.replace(event.messageId, null);
        break;
      case "ApprovalChanged":
        this.runs.decide(event.approval);
        break;
      case "SessionRemoved":
        this.removed = true;
        break;
    }
    if (this.stay && !this.waiting.length) yield* this.runs.finish();
  }

  private async *change({ id, sequence, status, text, parts }: Message): Events {
    if (sequence > this.newest) {
      const stored = await readMessage(this.client, id);
      if (stored) yield* this.add(stored);
    } else if (status !== "STREAMING") {
      yield* this.replace(id, await readMessage(this.client, id));
    } else if (this.isLive(id)) {
      // The first event of a connection: what has been written in the meantime is in the message, not in a delta.
      yield* parts ? this.live!.addParts(0, parts) : this.live!.addText(0, text);
    }
  }

  /** A message that waits has changed, or is deleted. */
  private async *replace(id: string, stored: StoredMessage | null): Events {
    const at = this.waiting.findIndex((message) => message.id === id);
    const before = this.waiting[at];
    if (!before) return;
    // What was streamed of a deleted message stays with its reader, and ends here.
    this.waiting[at] = stored ?? { ...before, status: "CANCELLED", redactedAt: before.createdAt };
    yield* this.advance();
  }

  private async *advance(): Events {
    for (let first = this.waiting[0]; first; first = this.waiting[0]) {
      if (first.status === "STREAMING") {
        if (this.live) return;
        yield* this.start(first);
      } else {
        this.waiting.shift();
        yield* this.live ? this.live.end(first) : this.runs.add(first);
        this.live = null;
      }
    }
  }

  private async *start({ id }: StoredMessage): Events {
    const now = await readMessage(this.client, id);
    if (now?.status !== "STREAMING") {
      if (now) this.waiting[0] = now;
      else this.waiting.shift();
      return;
    }
    this.live = new LiveMessage(now, this.runs);
    yield* now.parts ? this.live.addParts(0, now.parts) : this.live.addText(0, now.text);
  }

  private isLive(id: string): boolean {
    return this.live !== null && this.waiting[0]?.id === id;
  }
}
