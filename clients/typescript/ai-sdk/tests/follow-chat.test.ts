import { describe, expect, test } from "vitest";
import { clientOf, newUser, tokenOf } from "../../tests/users.ts";
import { type LiveChat, followChat, loadUIMessages } from "../src/index.ts";
import { expectEqual, question, textOf, windowOn } from "./chats.ts";
import { answering, modelOf } from "./models.ts";

const LONG = Array.from({ length: 120 }, (_, index) => `word${index} `);

describe("two windows", () => {
  test("show the same answer while it is written; one is reloaded in the middle of every kind of part", async () => {
    const user = newUser();
    const [laptop, phone, server] = [clientOf(user), clientOf(user), clientOf(user)];
    const { id } = await laptop.createSession();
    const api = answering(server, modelOf({ words: LONG, delay: 15 }));
    const first = windowOn(laptop, id, api);
    let second = windowOn(phone, id);
    const sending = first.chat.sendMessage({ text: "When?" });
    for (const type of ["reasoning", "text", "text", "text"]) {
      await expect.poll(() => second.chat.lastMessage?.parts.at(-1)?.type, { interval: 2 }).toBe(type);
      second.close(); // a window that is gone reads no further
      second = windowOn(phone, id, undefined, await loadUIMessages(phone, id));
    }
    await sending;
    const stored = await expectEqual(phone, id, first, second);
    expect(stored.map(textOf)).toEqual(["When?", LONG.join("")]);
    first.close();
    second.close();
  });

  test("stop the answer of each other", async () => {
    const user = newUser();
    const [laptop, phone, server] = [clientOf(user), clientOf(user), clientOf(user)];
    const { id } = await laptop.createSession();
    const model = modelOf({ words: Array<string>(1000).fill("word "), delay: 10 });
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

  test("are equal after tokens have expired in the middle of an answer", async () => {
    const user = newUser();
    let calls = 0;
    const laptop = clientOf(user, { token: () => tokenOf(user, ++calls < 3 ? 2 : 3600) });
    const server = clientOf(user, { token: () => tokenOf(user, 2) });
    const { id } = await laptop.createSession();
    const first = windowOn(laptop, id, answering(server, modelOf({ words: LONG, delay: 40 })));
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
