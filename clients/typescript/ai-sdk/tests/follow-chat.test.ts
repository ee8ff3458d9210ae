import type { UIMessage } from "ai";
import { describe, expect, test, vi } from "vitest";
import { clientOf, newUser, tokenOf } from "../../tests/users.ts";
import { type LiveChat, followChat, loadUIMessages } from "../src/index.ts";
import { type Window, expectEqual, question, textOf, windowOn } from "./chats.ts";
import { answering, modelOf } from "./models.ts";

const LONG = Array.from({ length: 120 }, (_, index) => `word${index} `);

/** What the last part of a message shows. */
function contentOf(message?: UIMessage): string {
  const { text, input } = (message?.parts.at(-1) ?? {}) as { text?: string; input?: unknown };
  return text ?? JSON.stringify(input);
}

/** Parts of every kind that grows. */
const GROWING = [
  {
    beginning: [{ type: "reasoning-start", id: "r" }, { type: "reasoning-delta", id: "r", delta: "Let me " }],
    half: "Let me ",
    rest: [{ type: "reasoning-delta", id: "r", delta: "see." }, { type: "reasoning-end", id: "r" }],
    whole: "Let me see.",
  },
  {
    beginning: [
      { type: "tool-input-start", toolCallId: "c", toolName: "weather" },
      { type: "tool-input-delta", toolCallId: "c", inputTextDelta: '{"city": "Os' },
    ],
    half: '{"city":"Os"}',
    rest: [
      { type: "tool-input-delta", toolCallId: "c", inputTextDelta: 'lo"}' },
      { type: "tool-input-available", toolCallId: "c", toolName: "weather", input: { city: "Oslo" } },
    ],
    whole: '{"city":"Oslo"}',
  },
  {
    beginning: [{ type: "text-start", id: "t" }, { type: "text-delta", id: "t", delta: "It is 2" }],
    half: "It is 2",
    rest: [{ type: "text-delta", id: "t", delta: "1 degrees." }, { type: "text-end", id: "t" }],
    whole: "It is 21 degrees.",
  },
];

describe("two windows", () => {
  test("show the same answer while it is written; one is reloaded in the middle of every kind of part", async () => {
    const user = newUser();
    const [laptop, phone, server] = [clientOf(user), clientOf(user), clientOf(user)];
    const { id } = await laptop.createSession();
    const first = windowOn(laptop, id, async () => {});
    let second = windowOn(phone, id);
    const both = (last: string) => expect.poll(() => [first, second].map(({ chat }) => contentOf(chat.lastMessage))).toEqual([last, last]);
    const sending = first.chat.sendMessage({ text: "When?" });
    await both("When?");
    const answer = await server.answer(id, { partsFormat: "AI_SDK", pause: 0, key: "answer" });
    answer.writeParts({ type: "start" }, { type: "start-step" });
    for (const { beginning, half, rest, whole } of GROWING) {
      answer.writeParts(...beginning);
      await both(half);
      second.close(); // a window that is gone reads no further
      second = windowOn(phone, id, undefined, await loadUIMessages(phone, id));
      await both(half);
      answer.writeParts(...rest);
      await both(whole);
    }
    await answer.finish();
    await sending;
    const stored = await expectEqual(phone, id, first, second);
    expect(stored.map(textOf)).toEqual(["When?", GROWING.at(-1)!.whole]);
    first.close();
    second.close();
  });

  test("stop the answer of each other", async () => {
    const user = newUser();
    const [laptop, phone, server] = [clientOf(user), clientOf(user), clientOf(user)];
    const { id } = await laptop.createSession();
    const model = modelOf({ words: Array<string>(5000).fill("word "), delay: 10 });
    const first = windowOn(laptop, id, answering(server, model));
    const second = windowOn(phone, id);
    const sending = first.chat.sendMessage({ text: "When?" });
    await expect.poll(() => textOf(second.chat.lastMessage)).toContain("word word word");
    await second.chat.stop();
    await sending;
    await expect.poll(() => model.doStreamCalls[0]!.abortSignal!.aborted).toBe(true);
    const stored = await expectEqual(phone, id, first, second);
    expect(stored.length).toBe(2);
    expect((await phone.messages(id)).nodes.map(({ status }) => status)).toEqual(["COMPLETE", "CANCELLED"]);
    first.close();
    second.close();
  });

  test("are equal after a stop in the middle of any kind of part", async () => {
    const user = newUser();
    const [laptop, phone, server] = [clientOf(user), clientOf(user), clientOf(user)];
    const { id } = await laptop.createSession();
    const first = windowOn(laptop, id, async () => {});
    const second = windowOn(phone, id);
    const kinds = {
      nothing: [],
      reasoning: [{ type: "reasoning-start", id: "1" }, { type: "reasoning-delta", id: "1", delta: "Let me s" }],
      input: [
        { type: "tool-input-start", toolCallId: "c", toolName: "weather" },
        { type: "tool-input-delta", toolCallId: "c", inputTextDelta: '{"city": "Os' },
      ],
      text: [{ type: "text-start", id: "1" }, { type: "text-delta", id: "1", delta: "It is 2" }],
    };
    for (const [kind, chunks] of Object.entries(kinds)) {
      const sending = first.chat.sendMessage({ text: kind });
      await expect.poll(() => textOf(second.chat.messages.findLast(({ role }) => role === "user"))).toBe(kind);
      const answer = await server.answer(id, { partsFormat: "AI_SDK", pause: 0, keepAlive: 50, key: `answer-${kind}` });
      answer.writeParts({ type: "start" }, { type: "start-step" }, ...chunks);
      if (chunks.length) await expect.poll(() => second.chat.lastMessage?.parts.length).toBe(2);
      else await expect.poll(() => second.chat.status).not.toBe("ready");
      await second.chat.stop();
      await expect.poll(() => answer.stopped).toBe(true);
      await sending;
      await expectEqual(phone, id, first, second);
    }
    first.close();
    second.close();
  });

  test("show messages of other programs, changes and deletions, and nothing of a stranger", async () => {
    const user = newUser();
    const [laptop, agent, stranger] = [clientOf(user), clientOf(user), clientOf(newUser("stranger"))];
    const { id } = await laptop.createSession();
    const errors: unknown[] = [];
    const mine = windowOn(laptop, id);
    const theirs = windowOn(stranger, id);
    followChat(theirs.chat, { client: stranger, sessionId: id, onError: (error) => errors.push(error) });
    const greeting = await agent.appendMessage(id, { role: "ASSISTANT", text: "Hello." });
    await agent.appendMessage(id, { role: "USER", raw: JSON.stringify(question("q", "Hi")), key: "q" });
    await expect.poll(() => mine.chat.messages.map(textOf)).toEqual(["Hello.", "Hi"]);
    await agent.updateMessage(greeting.id, { text: "Good evening." });
    await expect.poll(() => mine.chat.messages.map(textOf)).toEqual(["Good evening.", "Hi"]);
    await agent.deleteMessage(greeting.id);
    await expect.poll(() => mine.chat.messages.map(textOf)).toEqual(["Hi"]);
    expect(theirs.chat.messages).toEqual([]);
    expect(errors).toMatchObject([{ code: "NOT_FOUND" }]);
    mine.close();
  });

  test.each(["message", "session"])("show what is stored when the %s is deleted while an answer is written", async (deleted) => {
    const user = newUser();
    const [laptop, phone, server] = [clientOf(user), clientOf(user), clientOf(user)];
    const { id } = await laptop.createSession();
    const windows = [windowOn(laptop, id, async () => {}), windowOn(phone, id)];
    const [first, second] = windows as [Window, Window];
    const resumed = windows.map(({ chat }) => vi.spyOn(chat, "resumeStream"));
    const show = (...texts: string[]) => expect.poll(() => windows.map(({ chat }) => chat.messages.map(textOf))).toEqual([texts, texts]);
    const sending = first.chat.sendMessage({ text: "When?" });
    await show("When?");
    const answer = await server.answer(id, { partsFormat: "AI_SDK", pause: 0, key: "answer" });
    answer.writeParts({ type: "start", messageId: "named" }, { type: "text-start", id: "1" }, { type: "text-delta", id: "1", delta: "At n" });
    await show("When?", "At n");
    if (deleted === "message") await server.deleteMessage(answer.message.id);
    else await server.deleteSession(id); // SOFT: its answers are cancelled
    await sending;
    const stored = await expectEqual(phone, id, first, second);
    expect(stored.map(textOf)).toEqual(deleted === "message" ? ["When?"] : ["When?", "At n"]);

    // Following goes on, and nothing is resumed again.
    if (deleted === "session") await server.restoreSession(id);
    await server.appendMessage(id, { role: "USER", text: "And?" });
    await show(...stored.map(textOf), "And?");
    const before = resumed.map(({ mock }) => mock.calls.length);
    await server.appendMessage(id, { role: "USER", text: "Hello?" });
    await show(...stored.map(textOf), "And?", "Hello?");
    expect(resumed.map(({ mock }) => mock.calls.length)).toEqual(before);
    for (const { close } of windows) close();
    await answer.cancel().catch(() => {}); // the producer of a deleted message gets NOT_FOUND
  });

  test("are equal after tokens have expired in the middle of an answer", async () => {
    const user = newUser();
    let calls = 0;
    const laptop = clientOf(user, { token: () => tokenOf(user, ++calls < 3 ? 4 : 3600) });
    const server = clientOf(user, { token: () => tokenOf(user, 4) });
    const { id } = await laptop.createSession();
    const first = windowOn(laptop, id, answering(server, modelOf({ words: LONG, delay: 80 })));
    const second = windowOn(clientOf(user), id);
    await first.chat.sendMessage({ text: "When?" });
    const stored = await expectEqual(clientOf(user), id, first, second);
    expect(stored.map(textOf)).toEqual(["When?", LONG.join("")]);
    expect(calls).toBeGreaterThan(2);
    first.close();
    second.close();
  });
});

describe("an answer whose stream ends before it", () => {
  /** A chat of an app, each of whose streams ends when the app wants. */
  const chatOf = (stream: () => Promise<void>): LiveChat => {
    const chat = {
      messages: [],
      status: "ready",
      async resumeStream() {
        chat.status = "streaming";
        await stream();
        chat.status = "ready";
      },
    };
    return chat;
  };
  const silence = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  test("is not resumed after following has ended", async () => {
    const user = newUser();
    const [ann, server] = [clientOf(user), clientOf(user)];
    const { id: sessionId } = await ann.createSession();
    await server.startMessage({ sessionId, key: "answer" });
    let resumed = 0;
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const errors: unknown[] = [];
    followChat(chatOf(() => (resumed++, ended)), { client: ann, sessionId, onError: (error) => errors.push(error) });
    await expect.poll(() => resumed).toBe(1);
    await server.deleteSession(sessionId, "HARD");
    await expect.poll(() => errors).toMatchObject([{ code: "NOT_FOUND" }]);
    end();
    await silence(500);
    expect(resumed).toBe(1);
  });

  test("is resumed again after longer and longer times, and at once when something changes", async () => {
    const user = newUser();
    const [ann, server] = [clientOf(user), clientOf(user)];
    const { id: sessionId } = await ann.createSession();
    await server.startMessage({ sessionId, key: "answer" });
    let resumed = 0;
    const stop = followChat(chatOf(async () => void resumed++), { client: ann, sessionId });
    await expect.poll(() => resumed).toBeGreaterThan(3);
    await silence(1500);
    expect(resumed).toBeLessThan(10); // 30 with a wait of 50 ms
    const before = resumed;
    await server.appendMessage(sessionId, { role: "USER", text: "And?" });
    await expect.poll(() => resumed).toBeGreaterThan(before + 2);
    stop();
  });
});
