import { ColloquyError, ConversationStore, webSocket } from "@colloquy/client";
import { afterEach, describe, expect, inject, test, vi } from "vitest";
import { clientOf, newUser, tokenOf } from "../../tests/users.ts";

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error as ColloquyError).code,
  );

describe("a session and its messages", () => {
  test("are stored for their owner; a stranger sees nothing", async () => {
    const [ann, stranger] = [clientOf(newUser()), clientOf(newUser("stranger"))];
    const session = await ann.createSession({ key: "trip", title: "Lisbon" });
    const message = await ann.appendMessage(session.id, { role: "USER", text: "When does the train leave?" });

    expect((await ann.session({ key: "trip" }))?.messageCount).toBe(1);
    expect((await ann.messages(session.id)).nodes).toEqual([message]);
    expect((await ann.search("train")).hits.map(({ node }) => node.id)).toEqual([message.id]);

    expect(await stranger.session({ id: session.id })).toBeNull();
    expect((await stranger.sessions()).nodes).toEqual([]);
    expect(await stranger.conversation(session.id)).toBeNull();
    expect((await stranger.search("train")).hits).toEqual([]);
    expect(await code(stranger.messages(session.id))).toBe("NOT_FOUND");
    expect(await code(stranger.appendMessage(session.id, { role: "USER", text: "mine" }))).toBe("NOT_FOUND");
    expect(await code(stranger.archiveSession(session.id))).toBe("NOT_FOUND");
    expect(await code(stranger.cancelMessage(message.id))).toBe("NOT_FOUND");
    for await (const _ of stranger.viewerEvents({ follow: false })) expect(_.__typename).toBe("CaughtUp");
  });

  test("are read page by page", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    await ann.appendMessages(id, Array.from({ length: 7 }, (_, n) => ({ role: "USER", text: `message ${n + 1}` })));
    const texts: string[][] = [];
    let before: string | null = null;
    do {
      const page = await ann.messages(id, { last: 3, before });
      texts.push(page.nodes.map(({ text }) => text));
      before = page.pageInfo.hasPreviousPage ? page.pageInfo.startCursor : null;
    } while (before);
    expect(texts.map((page) => page.length)).toEqual([3, 3, 1]);
    expect(texts.reverse().flat()).toEqual(Array.from({ length: 7 }, (_, n) => `message ${n + 1}`));
  });

  test("are changed, archived and deleted", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession({ title: "Lisbon" });
    const message = await ann.appendMessage(id, { role: "ASSISTANT", text: "At nine." });
    expect((await ann.updateSession(id, { title: "Porto" })).title).toBe("Porto");
    expect((await ann.updateMessage(message.id, { text: "At ten." })).text).toBe("At ten.");
    expect((await ann.session({ id }))?.unreadCount).toBe(1);
    expect((await ann.markSessionRead(id, 1)).unreadCount).toBe(0);
    expect((await ann.archiveSession(id)).archivedAt).not.toBeNull();
    expect((await ann.restoreSession(id)).archivedAt).toBeNull();
    await ann.deleteMessage(message.id);
    expect((await ann.messages(id)).nodes).toEqual([]);
    await ann.deleteSession(id, "HARD");
    expect(await ann.session({ id })).toBeNull();
  });

  test("a tool call waits for one decision", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    const toolUse = { type: "tool_use", id: "call-1", name: "reserve", input: {} };
    const message = await ann.appendMessage(id, { role: "ASSISTANT", raw: JSON.stringify({ role: "assistant", content: [toolUse] }) });
    const approval = await ann.requestApproval({ messageId: message.id, toolUseId: "call-1", notes: "Reserve?" });
    expect((await ann.decideApproval(approval.id, "APPROVE")).status).toBe("APPROVED");
    expect(await code(ann.decideApproval(approval.id, "REJECT"))).toBe("CONFLICT");
  });
});

describe("a lost response", () => {
  /** A fetch that loses the response of every first attempt after the server has answered. */
  function lossy(): typeof fetch {
    let calls = 0;
    return async (input, init) => {
      const response = await fetch(input, init);
      if (calls++ % 2 === 0) throw new TypeError("The response is lost.");
      return response;
    };
  }

  test("repeats a write once, with and without a key", async () => {
    const user = newUser();
    const ann = clientOf(user, { fetch: lossy() });
    const { id } = await ann.createSession({ title: "Once" });
    await ann.appendMessage(id, { role: "USER", text: "with a key", key: "1" });
    await ann.appendMessage(id, { role: "USER", text: "without one" });
    const answer = await ann.answer(id);
    await answer.pipe(["At ", "nine", "."]);
    const reader = clientOf(user);
    expect((await reader.sessions()).nodes.length).toBe(1);
    expect((await reader.messages(id)).nodes.map(({ text }) => text)).toEqual(["with a key", "without one", "At nine."]);
  });

  test("of an own idempotency key: two calls are one write", async () => {
    const ann = clientOf(newUser());
    const [first, second] = await Promise.all(
      ["same", "same"].map((idempotencyKey) => ann.createSession({ title: "Once" }, { idempotencyKey })),
    );
    expect(first!.id).toBe(second!.id);
  });
});

describe("an error", () => {
  test("has the code, the field and the details of the server", async () => {
    const ann = clientOf(newUser());
    const session = await ann.createSession({ title: "Lisbon" });
    const long = await ann.updateSession(session.id, { title: "x".repeat(1000) }).catch((error: unknown) => error);
    expect(long).toMatchObject({ code: "VALIDATION", field: ["title"], transient: false });
    const stale = ann.updateSession(session.id, { title: "Porto", expectedRevision: session.revision - 1 });
    expect(await stale.catch((error: unknown) => error)).toMatchObject({
      code: "CONFLICT",
      details: { currentRevision: session.revision },
    });
  });

  test("comes at once for what no retry mends", async () => {
    expect(await code(clientOf(newUser(), { token: "no token" }).viewer())).toBe("UNAUTHENTICATED");
    expect(await code(clientOf(newUser(), { url: `${inject("url")}/nowhere` }).viewer())).toBe("BAD_USER_INPUT");
    expect(await code(clientOf(newUser()).execute("{ nonsense }", {}))).toBe("BAD_USER_INPUT");
  });

  test("of an abort is the reason of the signal", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(clientOf(newUser()).viewer({ signal })).rejects.toThrow("enough");
  });
});

describe("the token", () => {
  test("is asked for again after a refusal and before it expires", async () => {
    const user = newUser();
    const tokens = ["not a token", tokenOf(user, 5), tokenOf(user, 3600)];
    let calls = 0;
    const ann = clientOf(user, { token: async () => tokens[calls++]! });
    expect((await ann.viewer()).subject).toBe(user);
    expect(calls).toBe(2);
    await expect.poll(async () => ((await ann.viewer()).subject, calls)).toBe(3);
  });
});

describe("a platform without WebSockets", () => {
  afterEach(() => vi.unstubAllGlobals());

  test("has requests, and its subscriptions say at once what to pass", async () => {
    vi.stubGlobal("WebSocket", undefined); // as Node 20 is
    let calls = 0;
    const user = newUser();
    const ann = clientOf(user, { live: webSocket(), token: () => (calls++, tokenOf(user)) });
    const missing = { code: "BAD_USER_INPUT", transient: false, message: expect.stringContaining("webSocketImpl: WebSocket") as string };
    await expect(ann.viewerEvents().next()).rejects.toMatchObject(missing);
    expect([calls, ann.connection.getSnapshot()]).toEqual([0, "idle"]); // there was no attempt, and none is to come

    const { id } = await ann.createSession({ title: "Lisbon" });
    const store = new ConversationStore(ann, id);
    const close = store.subscribe(() => {});
    await expect.poll(() => store.getSnapshot().error).toMatchObject(missing);
    expect(store.getSnapshot()).toMatchObject({ status: "ready", session: { title: "Lisbon" } });
    close();
  });
});
