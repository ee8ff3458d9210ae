import {
  type ConversationSnapshot,
  ConversationStore,
  Outbox,
  type Readable,
  SessionListStore,
} from "@colloquy/client";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { type Proxy, proxyOf } from "../../tests/proxy.ts";
import { STREAMS } from "../../tests/streams.ts";
import { clientOf, newUser } from "../../tests/users.ts";

let proxy: Proxy;
const cleanups: (() => void)[] = [];
beforeEach(async () => void (proxy = await proxyOf(inject("url"))));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  await proxy.close();
});

/** Subscribes for the rest of the test; returns every snapshot that a page would have shown. */
function watch<T>(store: Readable<T>): T[] {
  const seen: T[] = [];
  cleanups.push(store.subscribe(() => seen.push(store.getSnapshot())));
  return seen;
}

const texts = ({ messages }: ConversationSnapshot) => messages.map(({ text }) => text);
const shown = (snapshot: ConversationSnapshot) => [
  ...texts(snapshot),
  ...snapshot.outgoing.map(({ message }) => message.text),
];

describe("a conversation", () => {
  test("is read and kept current; a stranger's is absent", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const { id } = await writer.createSession({ title: "Lisbon" });
    const first = await writer.appendMessage(id, { role: "USER", text: "one" });
    const store = new ConversationStore(clientOf(user), id);
    watch(store);
    await expect.poll(() => texts(store.getSnapshot())).toEqual(["one"]);
    await writer.appendMessage(id, { role: "ASSISTANT", text: "two" });
    await writer.updateMessage(first.id, { text: "one, changed" });
    await writer.updateSession(id, { title: "Porto" });
    await expect.poll(() => store.getSnapshot().session?.title).toBe("Porto");
    expect(texts(store.getSnapshot())).toEqual(["one, changed", "two"]);
    await store.markRead();
    await expect.poll(() => store.getSnapshot().session?.unreadCount).toBe(0);

    const theirs = new ConversationStore(clientOf(newUser("stranger")), id);
    watch(theirs);
    await expect.poll(() => theirs.getSnapshot().status).toBe("absent");
    expect(theirs.getSnapshot().messages).toEqual([]);

    await writer.deleteSession(id, "HARD");
    await expect.poll(() => store.getSnapshot()).toMatchObject({ status: "absent", messages: [] });
  });

  test("shows what is sent at once and never twice, whether its event or its response comes first", async () => {
    const user = newUser();
    const client = clientOf(user, { url: proxy.url });
    const { id } = await clientOf(user).createSession();
    const outbox = new Outbox(client);
    cleanups.push(() => outbox.close());
    const store = new ConversationStore(client, id, { outbox });
    const seen = watch(store);
    await expect.poll(() => store.getSnapshot().status).toBe("ready");
    const sent = Array.from({ length: 12 }, (_, n) => `message ${n}`);
    for (const [n, text] of sent.entries()) {
      store.send(text);
      expect(shown(store.getSnapshot()).at(-1)).toBe(text);
      if (n % 4 === 1) proxy.cut();
      if (n % 3 === 2) await outbox.flush();
    }
    await outbox.flush();
    await expect.poll(() => store.getSnapshot().outgoing).toEqual([]);
    expect(texts(store.getSnapshot())).toEqual(sent);
    let count = 0;
    for (const snapshot of seen) {
      const now = shown(snapshot);
      expect(now).toEqual(sent.slice(0, now.length)); // in order, nothing twice
      expect(now.length).toBeGreaterThanOrEqual(count); // nothing vanishes
      count = now.length;
    }
  });

  test("shows a growing answer whose text never shrinks, through cut connections", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const { id } = await writer.createSession();
    const store = new ConversationStore(clientOf(user, { url: proxy.url }), id);
    const seen = watch(store);
    const answer = await writer.answer(id, { pause: 0 });
    for (let n = 0; n < 30; n++) {
      answer.write(`word-${n} 🚂 `);
      if (n % 7 === 3) proxy.cut();
      if (n === 15) store.reload();
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (n % 5 === 4) await expect.poll(() => store.getSnapshot().messages[0]?.text).toContain(`word-${n} `);
    }
    const { text } = await answer.finish();
    await expect.poll(() => store.getSnapshot().messages[0]).toMatchObject({ text, status: "COMPLETE" });
    let length = 0;
    for (const now of seen.flatMap(({ messages }) => messages)) {
      expect(text.startsWith(now.text)).toBe(true);
      expect(now.text.length).toBeGreaterThanOrEqual(length);
      length = now.text.length;
    }
    expect(seen.length).toBeGreaterThan(5);
  });

  test("has all parts of an answer that is being written, joined in the middle and through cut connections", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const { id } = await writer.createSession();
    const [store, late] = [proxy.url, inject("url")].map((url) => new ConversationStore(clientOf(user, { url }), id));
    const seen = watch(store!);
    for (const [turn, [partsFormat, parts]] of STREAMS.entries()) {
      const last = (from = store!) => from.getSnapshot().messages[turn];
      const answer = await writer.answer(id, { partsFormat, pause: 0 });
      for (const [n, part] of parts.entries()) {
        answer.writeParts(part);
        if (n % 7 === 3) proxy.cut();
        if (n === 5) store!.reload();
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (n === 4 && turn === 0) watch(late!);
        if (n % 5 !== 4) continue;
        const written = parts.slice(0, n + 1);
        for (const each of [store!, late!]) await expect.poll(() => last(each)?.parts).toEqual(written);
        expect(last()?.text).toBe((await writer.messages(id)).nodes[turn]?.text);
      }
      const { text, content } = await answer.finish();
      for (const each of [store!, late!]) {
        await expect.poll(() => last(each)).toMatchObject({ status: "COMPLETE", text, content, parts: null });
      }
      let length = 0;
      for (const { messages } of seen.splice(0)) {
        const now = messages[turn]?.parts;
        if (!now) continue;
        expect(now).toEqual(parts.slice(0, now.length)); // in order, nothing twice
        expect(now.length).toBeGreaterThanOrEqual(length); // nothing vanishes
        length = now.length;
      }
      expect(length).toBeGreaterThan(0);
    }
  });

  test("loads earlier pages without gaps or doubles while messages arrive", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const { id } = await writer.createSession();
    const all = Array.from({ length: 23 }, (_, n) => `message ${n}`);
    await writer.appendMessages(id, all.map((text) => ({ role: "USER", text })));
    const store = new ConversationStore(clientOf(user), id, { pageSize: 5 });
    watch(store);
    await expect.poll(() => texts(store.getSnapshot())).toEqual(all.slice(-5));
    while (store.getSnapshot().hasEarlier) {
      all.push(`message ${all.length}`);
      await Promise.all([
        writer.appendMessage(id, { role: "USER", text: all.at(-1)! }),
        store.loadEarlier(),
        store.loadEarlier(), // shares the load
      ]);
    }
    await expect.poll(() => texts(store.getSnapshot())).toEqual(all);
  });

  test("goes on from its last event when it is opened again, and keeps what it had", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const { id } = await writer.createSession();
    await writer.appendMessage(id, { role: "USER", text: "one" });
    const store = new ConversationStore(clientOf(user), id);
    const close = store.subscribe(() => {});
    await expect.poll(() => texts(store.getSnapshot())).toEqual(["one"]);
    close();
    await writer.appendMessage(id, { role: "USER", text: "two" });
    const seen = watch(store);
    expect(texts(store.getSnapshot())).toEqual(["one"]);
    await expect.poll(() => texts(store.getSnapshot())).toEqual(["one", "two"]);
    expect(seen.every(({ status }) => status === "ready")).toBe(true);
  });

  test("is read as soon as the server is reachable", async () => {
    const user = newUser();
    const { id } = await clientOf(user).createSession({ title: "Lisbon" });
    proxy.down = true;
    const store = new ConversationStore(clientOf(user, { url: proxy.url }), id);
    watch(store);
    await expect.poll(() => store.getSnapshot().error?.code).toBe("UNREACHABLE");
    proxy.down = false;
    await expect.poll(() => store.getSnapshot()).toMatchObject({ status: "ready", error: null });
  });
});

describe("the list", () => {
  test("follows new, renamed, archived and erased sessions in the order of their activity", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const first = await writer.createSession({ title: "first" });
    const list = new SessionListStore(clientOf(user, { url: proxy.url }));
    const archive = new SessionListStore(clientOf(user), { filter: { archived: true } });
    const theirs = new SessionListStore(clientOf(newUser("stranger")));
    const seen = [list, archive, theirs].map(watch)[0]!;
    const titles = (store: SessionListStore) => store.getSnapshot().sessions.map(({ title }) => title);
    await expect.poll(() => titles(list)).toEqual(["first"]);

    const second = await writer.createSession({ title: "second" });
    proxy.cut();
    await expect.poll(() => titles(list)).toEqual(["second", "first"]);
    await writer.appendMessage(first.id, { role: "ASSISTANT", text: "Hello" });
    await expect.poll(() => titles(list)).toEqual(["first", "second"]);
    await expect.poll(() => list.getSnapshot().unreadSessionCount).toBe(1);
    await writer.markSessionRead(first.id, 1);
    await expect.poll(() => list.getSnapshot().unreadSessionCount).toBe(0);
    await writer.updateSession(first.id, { title: "renamed" });
    await expect.poll(() => titles(list)).toEqual(["renamed", "second"]);
    await writer.archiveSession(first.id);
    await expect.poll(() => [titles(list), titles(archive)]).toEqual([["second"], ["renamed"]]);
    await writer.deleteSession(second.id, "HARD");
    await expect.poll(() => titles(list)).toEqual([]);
    for (const { sessions } of seen) expect(new Set(sessions.map(({ id }) => id)).size).toBe(sessions.length);
    expect(theirs.getSnapshot()).toMatchObject({ status: "ready", sessions: [], unreadSessionCount: 0 });
  });

  test("loads page by page", async () => {
    const user = newUser();
    const writer = clientOf(user);
    for (let n = 0; n < 5; n++) await writer.createSession({ title: `session ${n}` });
    const list = new SessionListStore(clientOf(user), { pageSize: 2 });
    watch(list);
    await expect.poll(() => list.getSnapshot().status).toBe("ready");
    while (list.getSnapshot().hasMore) await list.loadMore();
    const titles = list.getSnapshot().sessions.map(({ title }) => title);
    expect(titles).toEqual([4, 3, 2, 1, 0].map((n) => `session ${n}`));
  });
});
