import { type ColloquyClient, Outbox, type OutboxStorage } from "@colloquy/client";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { type Proxy, proxyOf } from "../../tests/proxy.ts";
import { clientOf, newUser } from "../../tests/users.ts";

let proxy: Proxy;
let online: ColloquyClient;
let user: string;
let sessionId: string;
const open: Outbox[] = [];
beforeEach(async () => {
  proxy = await proxyOf(inject("url"));
  user = newUser();
  online = clientOf(user);
  sessionId = (await online.createSession()).id;
});
afterEach(async () => {
  for (const outbox of open.splice(0)) outbox.close();
  await proxy.close();
});

/** An outbox of a page whose network is the proxy. */
function outboxOf(storage?: OutboxStorage): Outbox {
  const outbox = new Outbox(clientOf(user, { url: proxy.url }), storage && { storage, name: user });
  open.push(outbox);
  return outbox;
}

class Storage implements OutboxStorage {
  readonly items = new Map<string, string>();
  full = false;

  async getItem(name: string): Promise<string | null> {
    return this.items.get(name) ?? null;
  }

  async setItem(name: string, value: string): Promise<void> {
    if (this.full) throw new Error("The storage is full.");
    this.items.set(name, value);
  }
}

const stored = async () => (await online.messages(sessionId)).nodes.map(({ text }) => text);
const TEXTS = ["one", "two", "three"];

describe("the outbox", () => {
  test("sends once and in order what was written without a network", async () => {
    const outbox = outboxOf();
    proxy.down = true;
    for (const text of TEXTS) outbox.send(sessionId, text);
    expect(outbox.getSnapshot().map(({ message }) => message.text)).toEqual(TEXTS);
    await expect.poll(() => proxy.connections).toBeGreaterThan(1);
    expect(await stored()).toEqual([]);
    proxy.down = false;
    await outbox.flush();
    expect(await stored()).toEqual(TEXTS);
    expect(outbox.getSnapshot()).toEqual([]);
  });

  test("survives a reload, also one between the server's write and its response", async () => {
    const storage = new Storage();
    const [outbox] = [outboxOf(storage)];
    proxy.down = true;
    for (const text of TEXTS) outbox.send(sessionId, text);
    await expect.poll(() => [...storage.items.values()].join().match(/"key"/g)?.length).toBe(6);
    outbox.close(); // the page is gone
    const [first] = outbox.getSnapshot();
    await online.appendMessage(sessionId, first!.message); // the server had got it, but the page did not learn so
    proxy.down = false;
    const reloaded = outboxOf(storage);
    await reloaded.flush();
    expect(await stored()).toEqual(TEXTS);
    expect([...storage.items.values()]).toEqual(["[]"]);
  });

  test("sends once when every response is lost", async () => {
    let calls = 0;
    const lossy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (calls++ % 2 === 0) throw new TypeError("The response is lost.");
      return response;
    };
    const outbox = new Outbox(clientOf(user, { fetch: lossy }));
    for (const text of TEXTS) outbox.send(sessionId, text);
    await outbox.flush();
    expect(await stored()).toEqual(TEXTS);
  });

  test("keeps what the server refuses, and goes on with the rest", async () => {
    const outbox = outboxOf();
    const theirs = await clientOf(newUser("stranger")).createSession();
    const refused = outbox.send(theirs.id, "for another's session");
    outbox.send(sessionId, { role: "USER", text: "mine", metadata: { from: "outbox" } });
    await outbox.flush();
    expect(await stored()).toEqual(["mine"]);
    expect(outbox.getSnapshot()).toMatchObject([{ key: refused, state: "refused", error: { code: "NOT_FOUND" } }]);
    outbox.retry(refused);
    await outbox.flush();
    expect(outbox.getSnapshot()).toMatchObject([{ key: refused, state: "refused" }]);
    outbox.remove(refused);
    await outbox.flush();
    expect(outbox.getSnapshot()).toEqual([]);
  });

  test("sends all the same when the storage is full", async () => {
    const storage = new Storage();
    storage.full = true;
    const outbox = outboxOf(storage);
    for (const text of TEXTS) outbox.send(sessionId, text);
    await outbox.flush();
    expect(await stored()).toEqual(TEXTS);
  });

  test("never hides a message between writing and sending", async () => {
    const outbox = outboxOf(new Storage());
    proxy.down = true;
    const lengths: number[] = [];
    outbox.subscribe(() => lengths.push(outbox.getSnapshot().length));
    for (const text of TEXTS) outbox.send(sessionId, text);
    await expect.poll(() => proxy.connections).toBeGreaterThan(0);
    expect(lengths).toEqual(lengths.toSorted());
    expect(outbox.getSnapshot().map(({ message }) => message.text)).toEqual(TEXTS);
  });
});
