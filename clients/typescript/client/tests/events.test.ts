import { type ColloquyClient, ColloquyError, type LiveFactory, type Message, type Network, type SessionEvent } from "@colloquy/client";
import { eventStreams } from "@colloquy/client/sse";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { type Proxy, proxyOf } from "../../tests/proxy.ts";
import { STREAMS } from "../../tests/streams.ts";
import { clientOf, newUser, sockets, tokenOf } from "../../tests/users.ts";

const LIVE = [
  ["WebSocket", sockets],
  ["event streams", () => eventStreams()],
] as const;

let proxy: Proxy;
beforeEach(async () => void (proxy = await proxyOf(inject("url"))));
afterEach(() => proxy.close());

/** Writes messages, answers in pieces, changes and deletions; `seen` waits until the reader has the change before. */
async function longConversation(client: ColloquyClient, id: string, seen: () => Promise<void>): Promise<void> {
  for (let turn = 0; turn < 6; turn++) {
    const question = await client.appendMessage(id, { role: "USER", text: `question ${turn} 👋` });
    await seen();
    const answer = await client.answer(id, { pause: 0 });
    for (const piece of ["At ", "nine ", "🚂", " or ", "ten."]) {
      answer.write(piece);
      await seen();
    }
    await answer.finish();
    await seen();
    if (turn % 2) await client.updateMessage(question.id, { text: `question ${turn}, changed` });
    if (turn === 2) await client.deleteMessage(question.id);
  }
  await client.updateSession(id, { title: "the end" });
}

const LONG_STREAMS = STREAMS.filter(([, parts]) => parts.length > 20);

/** Answers in parts: recorded streams of two protocols. */
async function conversationInParts(client: ColloquyClient, id: string, seen: () => Promise<void>): Promise<void> {
  for (const [partsFormat, parts] of LONG_STREAMS) {
    const answer = await client.answer(id, { partsFormat, pause: 0 });
    await seen();
    for (const part of parts) {
      answer.writeParts(part);
      await seen();
    }
    await answer.finish();
    await seen();
  }
  await client.updateSession(id, { title: "the end" });
}

/** What a reader shows who applies the events one by one, without any check for doubles. */
class Reader {
  readonly messages = new Map<string, { text: string; sequence: number }>();
  /** The parts of messages that are, or were, written with parts. */
  readonly parts = new Map<string, unknown[]>();
  readonly added: string[] = [];
  deltas = 0;
  title = "";

  apply(event: SessionEvent): void {
    if (event.__typename === "MessageAdded") this.added.push(event.message.id);
    if (event.__typename === "MessageAdded" || event.__typename === "MessageChanged") {
      const { id, text, sequence } = event.message;
      this.messages.set(id, { text, sequence });
      if (event.message.parts) this.parts.set(id, [...event.message.parts]);
    }
    if (event.__typename === "MessageDelta") {
      this.deltas++;
      const message = this.messages.get(event.messageId)!;
      const points = [...message.text];
      expect(points.length).toBe(event.offset); // neither a hole nor a repetition
      message.text += event.text;
    }
    if (event.__typename === "MessagePartsDelta") {
      this.deltas++;
      const parts = this.parts.get(event.messageId)!;
      expect(parts.length).toBe(event.offset);
      parts.push(...event.parts);
    }
    if (event.__typename === "MessageRemoved") this.messages.delete(event.messageId);
    if (event.__typename === "SessionChanged") this.title = event.session.title;
  }

  texts(): string[] {
    return [...this.messages.values()].sort((a, b) => a.sequence - b.sequence).map(({ text }) => text);
  }
}

/**
 * Cuts the connection after every change: what else has arrived on it is lost. CaughtUp is no change, and a message that
 * is being written comes again, unchanged, after each resume.
 */
function cutAfterEvery(live: LiveFactory, cut: () => void): LiveFactory {
  const seen = new Set<string>();
  return (context) => {
    const inner = live(context);
    const subscribe: typeof inner.subscribe = (query, variables, sink) => {
      let over = false;
      const next: typeof sink.next = (data) => {
        if (over) return;
        sink.next(data);
        const [event] = Object.values(data as Record<string, SessionEvent>);
        const change = JSON.stringify(event);
        over = event!.__typename !== "CaughtUp" && !seen.has(change);
        seen.add(change);
        if (over) cut();
      };
      return inner.subscribe(query, variables, { ...sink, next });
    };
    return { ...inner, subscribe };
  };
}

describe.each(LIVE)("session events over %s", (_, live) => {
  /** Reads what `write` writes through a connection that is cut at every event. */
  async function readWithCuts(write: typeof longConversation): Promise<{ reader: Reader; stored: Message[] }> {
    const user = newUser();
    const writer = clientOf(user);
    const session = await writer.createSession();
    const reader = new Reader();
    const cut = () => {
      cuts++;
      proxy.cut();
    };
    const follower = clientOf(user, { url: proxy.url, live: cutAfterEvery(live(), cut) });
    let [cuts, current, awaited] = [0, false, 0];
    const seen = async () => {
      await expect.poll(() => cuts > awaited && current).toBe(true);
      awaited = cuts;
    };
    const writing = write(writer, session.id, seen);
    for await (const event of follower.sessionEvents(session.id, { after: session.eventCursor })) {
      reader.apply(event);
      current = event.__typename === "CaughtUp";
      if (reader.title === "the end" && current) break;
    }
    await writing;
    const { nodes: stored } = await writer.messages(session.id);
    expect(reader.texts()).toEqual(stored.map(({ text }) => text));
    expect(new Set(reader.added).size).toBe(reader.added.length);
    expect(cuts).toBeGreaterThan(30);
    expect(proxy.connections).toBeGreaterThan(cuts);
    return { reader, stored };
  }

  test("are complete and come once although the connection is cut at every event", async () => {
    const { reader } = await readWithCuts(longConversation);
    expect(reader.deltas).toBeGreaterThan(5);
  });

  test("rebuild exactly the parts that were sent although the connection is cut at every event", async () => {
    const { reader, stored } = await readWithCuts(conversationInParts);
    expect(stored.map(({ id }) => reader.parts.get(id))).toEqual(LONG_STREAMS.map(([, parts]) => parts));
    expect(stored.map(({ status, parts }) => [status, parts])).toEqual(LONG_STREAMS.map(() => ["COMPLETE", null]));
  });

  test("go on with a new token after the old one has expired", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const session = await writer.createSession();
    let calls = 0;
    const token = () => tokenOf(user, ++calls === 1 ? 2 : 3600);
    const follower = clientOf(user, { token, live: live() });
    const texts: string[] = [];
    const following = (async () => {
      for await (const event of follower.sessionEvents(session.id, { after: session.eventCursor })) {
        if (event.__typename === "MessageAdded") texts.push(event.message.text);
        if (texts.length === 2) return;
      }
    })();
    await writer.appendMessage(session.id, { role: "USER", text: "before" });
    await expect.poll(() => calls).toBeGreaterThan(1);
    await writer.appendMessage(session.id, { role: "USER", text: "after" });
    await following;
    expect(texts).toEqual(["before", "after"]);
  });

  test("of another owner's session are refused", async () => {
    const { id } = await clientOf(newUser()).createSession();
    const stranger = clientOf(newUser("stranger"), { live: live() });
    const error = await stranger.sessionEvents(id).next().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ColloquyError);
    expect(error).toMatchObject({ code: "NOT_FOUND" });
  });

  test("end with an error when a fixed token is refused", async () => {
    const { id } = await clientOf(newUser()).createSession();
    const refused = clientOf(newUser(), { token: "not a token", live: live() });
    const error = await refused.sessionEvents(id).next().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("end when the reader stops, aborts, or wants no more than the past", async () => {
    const ann = clientOf(newUser(), { live: live() });
    const session = await ann.createSession();
    await ann.appendMessage(session.id, { role: "USER", text: "Hello" });
    const types: string[] = [];
    for await (const event of ann.sessionEvents(session.id, { after: session.eventCursor, follow: false })) {
      types.push(event.__typename);
    }
    expect(types.filter((type) => type !== "SessionChanged")).toEqual(["MessageAdded", "CaughtUp"]);
    const controller = new AbortController();
    for await (const _ of ann.sessionEvents(session.id, { signal: controller.signal })) controller.abort();
    await expect.poll(() => ann.connection.getSnapshot()).toBe("idle");
  });

  test("an unknown cursor is answered with StreamReset, and events go on", async () => {
    const ann = clientOf(newUser(), { live: live() });
    const { id } = await ann.createSession();
    const types: string[] = [];
    for await (const event of ann.sessionEvents(id, { after: "nonsense" })) {
      types.push(event.__typename);
      if (event.__typename === "CaughtUp") void ann.appendMessage(id, { role: "USER", text: "Hello" });
      if (event.__typename === "MessageAdded") break;
    }
    expect(types[0]).toBe("StreamReset");
  });
});

describe("viewer events", () => {
  test("name the owner's sessions; a stranger gets none of them", async () => {
    const user = newUser();
    const ann = clientOf(user);
    const [{ eventCursor }, stranger] = [await ann.viewer(), clientOf(newUser("stranger"))];
    const before = await stranger.viewer();
    const { id } = await ann.createSession({ title: "Lisbon" });
    const changed = [];
    for await (const event of ann.viewerEvents({ after: eventCursor, follow: false })) {
      if (event.__typename === "SessionChanged") changed.push(event.session.id);
    }
    expect(changed).toEqual([id]);
    for await (const event of stranger.viewerEvents({ after: before.eventCursor, follow: false })) {
      expect(event.__typename).toBe("CaughtUp");
    }
  });
});

/** A network that a test switches. */
class Switch implements Network {
  online = true;
  private readonly listeners = new Set<() => void>();

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  wake(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

describe("the network", () => {
  test("without it nothing is tried; when it is back the events go on", async () => {
    const user = newUser();
    const network = new Switch();
    const follower = clientOf(user, { url: proxy.url, network });
    const session = await clientOf(user).createSession();
    const texts: string[] = [];
    const following = (async () => {
      for await (const event of follower.sessionEvents(session.id, { after: session.eventCursor })) {
        if (event.__typename === "MessageAdded") texts.push(event.message.text);
        if (texts.length) return;
      }
    })();
    await expect.poll(() => follower.connection.getSnapshot()).toBe("connected");
    network.online = false;
    proxy.cut();
    await clientOf(user).appendMessage(session.id, { role: "USER", text: "meanwhile" });
    const connections = proxy.connections;
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // longer than the first waits
    expect([texts, proxy.connections]).toEqual([[], connections]);
    network.online = true;
    network.wake();
    await following;
    expect(texts).toEqual(["meanwhile"]);
  });

  test("a machine that wakes up replaces its socket", async () => {
    const user = newUser();
    const network = new Switch();
    const follower = clientOf(user, { url: proxy.url, network });
    const session = await clientOf(user).createSession();
    const iterator = follower.sessionEvents(session.id, { after: session.eventCursor });
    await iterator.next();
    expect(proxy.connections).toBe(1);
    network.wake();
    await expect.poll(() => proxy.connections).toBe(2);
    await iterator.return();
  });
});
