import { Chat } from "@ai-sdk/react";
import { type ColloquyClient, ColloquyError, type LiveFactory } from "@colloquy/client";
import type { UIMessage } from "ai";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Proxy, proxyOf } from "../../tests/proxy.ts";
import { clientOf, newUser, sockets, tokenOf } from "../../tests/users.ts";
import { type Chunk, messageOf } from "../src/chunk.ts";
import { type AnswerRequest, ColloquyChatTransport, loadUIMessages } from "../src/index.ts";
import { json, question, textOf } from "./chats.ts";
import { collect, read, recordedBy } from "./recorded.ts";

let proxy: Proxy;
beforeAll(async () => {
  proxy = await proxyOf(inject("url"));
});
afterAll(() => proxy.close());

const STREAMS = recordedBy(7).map(({ parts }, index) => ({ index, parts }));

async function chatOf(client: ColloquyClient): Promise<string> {
  return (await client.createSession()).id;
}

function send(client: ColloquyClient, chatId: string, messages: UIMessage[], more: object = {}, api?: (request: AnswerRequest) => unknown) {
  const transport = new ColloquyChatTransport({ client, ...(api && { api }) });
  return transport.sendMessages({ chatId, messages, trigger: "submit-message", messageId: undefined, abortSignal: undefined, ...more });
}

/** A producer that stores each chunk by itself, and pauses after it. */
async function produce(client: ColloquyClient, sessionId: string, parts: unknown[], after: (stored: number) => Promise<void>): Promise<void> {
  const { message, fence } = await client.startMessage({ sessionId, key: "answer", stream: "PARTS", partsFormat: "AI_SDK" });
  for (const [offset, part] of parts.entries()) {
    await client.extendMessage({ id: message.id, fence, offset, parts: [part] });
    await after(offset + 1);
  }
  await client.finishMessage({ id: message.id, fence, raw: JSON.stringify(await messageOf(parts as never[], "answer")) });
}

describe.each(STREAMS)("the recorded stream $index", ({ parts }) => {
  test("is read whole by a window that joins at any chunk, and by one that is cut at every chunk", async () => {
    const ann = clientOf(newUser());
    const id = await chatOf(ann);
    const user = question("q", "How warm is it?");
    const stream = await send(ann, id, [user]);
    const joined: Promise<UIMessage | undefined>[] = [];
    await produce(ann, id, parts, async () => {
      const other = await new ColloquyChatTransport({ client: ann }).reconnectToStream({ chatId: id });
      joined.push(read(other!));
    });
    const whole = await messageOf(parts, "answer");
    expect(await read(stream)).toEqual(whole);
    expect(joined.length).toBe(parts.length);
    for (const message of await Promise.all(joined)) expect(message).toEqual(whole);
    expect(await loadUIMessages(ann, id)).toEqual([user, whole]);
  });

  test("is read whole although the connection is cut at every chunk", async () => {
    const user = newUser();
    const [producer, reader] = [clientOf(user), clientOf(user, { url: proxy.url })];
    const id = await chatOf(producer);
    const stream = await send(reader, id, [question("q", "How warm is it?")]);
    const before = proxy.connections;
    await produce(producer, id, parts, async () => proxy.cut());
    const whole = await messageOf(parts, "answer");
    expect(await read(stream)).toEqual(whole);
    expect(proxy.connections).toBeGreaterThan(before);
  });
});

describe("a user's message", () => {
  test("is stored once, however often it is sent, and nobody else reads it", async () => {
    const [ann, bob] = [clientOf(newUser()), clientOf(newUser("stranger"))];
    const id = await chatOf(ann);
    const message = question("q1", "Once?");
    const requests: AnswerRequest[] = [];
    for (let times = 0; times < 2; times++) await send(ann, id, [message], { body: { model: "m" } }, (request) => requests.push(request));
    expect((await ann.messages(id)).nodes).toMatchObject([{ role: "USER", text: "Once?", key: "q1" }]);
    expect(requests[0]).toMatchObject({ id, messageId: "q1", trigger: "submit-message", body: { model: "m" } });
    await expect(send(bob, id, [message])).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(loadUIMessages(bob, id)).rejects.toThrow(ColloquyError);
    await expect(new ColloquyChatTransport({ client: bob }).reconnectToStream({ chatId: id })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("is posted to the address of the app; its refusal ends the stream", async () => {
    const ann = clientOf(newUser());
    const id = await chatOf(ann);
    const posted: unknown[] = [];
    const fetch = (async (url: string, init: RequestInit) => {
      posted.push([url, JSON.parse(init.body as string), new Headers(init.headers).get("x-app")]);
      return new Response("No credit.", { status: 402 });
    }) as typeof globalThis.fetch;
    const transport = new ColloquyChatTransport({ client: ann, api: "/api/chat", fetch });
    const options = { chatId: id, messages: [question("q", "Hello")], trigger: "submit-message" as const, messageId: undefined } satisfies object;
    const stream = await transport.sendMessages({ ...options, abortSignal: undefined, headers: { "x-app": "a" }, body: { b: 1 } });
    await expect(collect(stream)).rejects.toThrow("No credit.");
    expect(posted).toEqual([["/api/chat", { b: 1, id, trigger: "submit-message", messageId: "q" }, "a"]]);
  });

  test("is edited, and an answer is written again: what came after it is deleted", async () => {
    const ann = clientOf(newUser());
    const id = await chatOf(ann);
    const first = question("q", "How warm?");
    const answer = async (text: string) => void (await ann.appendMessage(id, { role: "ASSISTANT", text }));
    await collect(await send(ann, id, [first], {}, () => answer("21 degrees.")));
    await collect(await send(ann, id, [first], { trigger: "regenerate-message" }, () => answer("70 degrees.")));
    const texts = async () => (await loadUIMessages(ann, id)).map(textOf);
    expect(await texts()).toEqual(["How warm?", "70 degrees."]);
    const edited = question("q", "How cold?");
    await collect(await send(ann, id, [edited], { messageId: "q" }, () => answer("Not at all.")));
    expect(await texts()).toEqual(["How cold?", "Not at all."]);
  });
});

describe("an answer", () => {
  test("of another producer is read as a message: text that grows, and a document of another package", async () => {
    const ann = clientOf(newUser());
    const id = await chatOf(ann);
    const stream = await send(ann, id, [question("q", "When?")], {}, async () => {
      const answer = await ann.answer(id, { key: "plain", pause: 0 });
      for (const text of ["At 👋 ", "nine", "."]) {
        answer.write(text);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await answer.finish();
    });
    const chunks = await collect(stream);
    expect(chunks.map(({ type }) => type).filter((type) => type !== "text-delta")).toEqual(["start", "text-start", "text-end", "finish"]);
    const anthropic = {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "The forecast." },
        { type: "tool_use", id: "t1", name: "weather", input: { city: "Oslo" } },
      ],
    };
    const second = await send(ann, id, [question("q2", "How warm?")], {}, async () => {
      await ann.appendMessage(id, { role: "ASSISTANT", key: "tool", raw: JSON.stringify(anthropic) });
    });
    const message = await read(second);
    const result = { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "21" }] };
    expect(message?.parts.map(({ type }) => type)).toEqual(["reasoning", "dynamic-tool"]);
    await ann.appendMessage(id, { role: "TOOL", raw: JSON.stringify(result) });
    const stored = await loadUIMessages(ann, id);
    expect(textOf(stored[1])).toBe("At 👋 nine.");
    expect(stored[3]!.parts[1]).toMatchObject({ toolName: "weather", state: "output-available", input: { city: "Oslo" } });
    expect(stored.length).toBe(4);
  });

  test("is stopped by the signal, also before it starts; reading it once more stops nothing", async () => {
    const user = newUser();
    const [ann, other] = [clientOf(user), clientOf(user)];
    const id = await chatOf(ann);
    const early = new AbortController();
    await send(ann, id, [question("q", "Now?")], { abortSignal: early.signal });
    early.abort();
    const late = await other.answer(id, { pause: 0 });
    await expect.poll(() => late.write("x")).toBe(false);
    expect(late.stopped).toBe(true);

    const answer = await other.answer(id, { partsFormat: "AI_SDK", pause: 0 });
    answer.writeParts({ type: "start" }, { type: "text-start", id: "1" });
    const transport = new ColloquyChatTransport({ client: ann });
    const controllers = [new AbortController(), new AbortController()];
    await transport.reconnectToStream({ chatId: id, abortSignal: controllers[0]!.signal });
    controllers[0]!.abort(); // as a second `resumeStream` does
    const stream = await transport.reconnectToStream({ chatId: id, abortSignal: controllers[1]!.signal });
    answer.writeParts({ type: "text-delta", id: "1", delta: "Still here" });
    const reader = stream!.getReader();
    const types: string[] = [];
    while (types.at(-1) !== "text-delta") types.push((await reader.read()).value!.type);
    expect(answer.stopped).toBe(false);
    controllers[1]!.abort();
    await expect.poll(() => answer.writeParts({ type: "text-delta", id: "1", delta: "." })).toBe(false);
    expect(answer.stopped).toBe(true);
    expect(await transport.reconnectToStream({ chatId: id })).toBeNull();
  });

  test("is stopped by a chat before it starts", async () => {
    const user = newUser();
    const [ann, other] = [clientOf(user), clientOf(user)];
    const id = await chatOf(ann);
    let called = 0;
    const chat = new Chat<UIMessage>({ id, transport: new ColloquyChatTransport({ client: ann, api: () => void called++ }) });
    const sending = chat.sendMessage({ text: "Now?" });
    await expect.poll(() => called).toBe(1);
    await chat.stop(); // AI SDK 7 cancels the stream in the event of the abort
    await sending;
    const late = await other.answer(id, { pause: 0 });
    await expect.poll(() => late.write("x")).toBe(false);
    expect(late.stopped).toBe(true);
  });

  test("of the next question goes on, although the one before was stopped before its answer", async () => {
    const user = newUser();
    const [ann, other] = [clientOf(user), clientOf(user)];
    const answerAfter = async (chatId: string, stopped: Promise<unknown[]>) => {
      const api = async () => {
        const answer = await other.answer(chatId, { pause: 0 });
        answer.write("At nine.");
        await stopped; // a reader that takes this answer for its own ends with it
        await answer.finish();
      };
      await collect(await send(ann, chatId, [question("q2", "When?")], {}, api));
      expect(await stopped).toEqual([]);
      const { nodes } = await other.messages(chatId);
      expect(nodes.map(({ status }) => status)).toEqual(["COMPLETE", "COMPLETE", "COMPLETE"]);
    };

    // The abort comes before the app is called: nobody is called.
    const first = await chatOf(ann);
    let called = 0;
    const options = { abortSignal: AbortSignal.abort() };
    const uncalled = collect(await send(ann, first, [question("q1", "Now?")], options, () => called++));
    expect(await uncalled).toEqual([]);
    await answerAfter(first, uncalled);
    expect(called).toBe(0);

    // The abort comes after it, and the app does not answer.
    const second = await chatOf(ann);
    const controller = new AbortController();
    const unanswered = collect(await send(ann, second, [question("q1", "Now?")], { abortSignal: controller.signal }, () => {}));
    controller.abort();
    await answerAfter(second, unanswered);
  });

  test("that does not continue the last message is read from its beginning", async () => {
    const user = newUser();
    const [ann, other] = [clientOf(user), clientOf(user)];
    const id = await chatOf(ann);
    const part = { type: "tool-weather", toolCallId: "c", state: "output-available", input: { city: "Oslo" }, output: 21 };
    const called = { id: "called", role: "assistant", parts: [{ type: "step-start" }, part] } as unknown as UIMessage;
    const { parts } = STREAMS[0]!;
    const stream = await send(ann, id, [question("q", "How warm?"), called], {}, () => produce(other, id, parts, async () => {}));
    expect(await read(stream)).toEqual(await messageOf(parts, "answer"));
  });

  test("that another device cancels ends the stream; so do a failed one and a deleted one", async () => {
    const user = newUser();
    const [ann, other] = [clientOf(user), clientOf(user)];
    const id = await chatOf(ann);
    const ends: string[] = [];
    for (const end of ["cancel", "fail", "delete"] as const) {
      const chunks: Chunk[] = [];
      const stream = await send(ann, id, [question(end, "Tell me.")], {}, async () => {
        const answer = await other.answer(id, { partsFormat: "AI_SDK", pause: 0 });
        answer.writeParts({ type: "start" }, { type: "text-start", id: "1" }, { type: "text-delta", id: "1", delta: "So f" });
        await expect.poll(() => chunks.at(-1)?.type).toBe("text-delta");
        if (end === "fail") await answer.fail();
        else await other.cancelMessage(answer.message.id);
        if (end === "delete") await other.deleteMessage(answer.message.id);
      });
      ends.push((await collect(stream, chunks)).at(-1)!.type);
    }
    expect(ends.slice(0, 2)).toEqual(["abort", "error"]);
    expect(["abort", "text-delta"]).toContain(ends[2]);
    const texts = async () => (await loadUIMessages(ann, id)).map(textOf);
    await expect.poll(texts).toEqual(["Tell me.", "So f", "Tell me.", "So f", "Tell me."]);
  });

  test("cannot start in a deleted session, so the stream ends", async () => {
    const ann = clientOf(newUser());
    const id = await chatOf(ann);
    const stream = await send(ann, id, [question("q", "When?")]);
    await ann.deleteSession(id); // SOFT
    expect(await collect(stream)).toEqual([]);
  });

  test("that is deleted while its events have a gap ends the stream", async () => {
    const user = newUser();
    const other = clientOf(user);
    const id = await chatOf(other);
    let [isLost, reset] = [false, () => {}];
    const live: LiveFactory = (context) => {
      const inner = sockets()(context);
      const subscribe: typeof inner.subscribe = (query, variables, sink) => {
        reset = () => sink.next({ sessionEvents: { __typename: "StreamReset", cursor: "" } }); // as after a long time offline
        return inner.subscribe(query, variables, { ...sink, next: (data) => void (isLost || sink.next(data)) });
      };
      return { ...inner, subscribe };
    };
    const answer = await other.answer(id, { key: "answer", pause: 0 });
    const stream = await new ColloquyChatTransport({ client: clientOf(user, { live }) }).reconnectToStream({ chatId: id });
    answer.write("So f");
    const reader = stream!.getReader();
    while ((await reader.read()).value!.type !== "text-delta");
    isLost = true;
    await other.deleteMessage(answer.message.id);
    reset();
    expect((await reader.read()).done).toBe(true);
    await answer.cancel().catch(() => {});
  });

  test("goes on when the token expires in the middle", async () => {
    const user = newUser();
    let calls = 0;
    const ann = clientOf(user, { token: () => tokenOf(user, ++calls < 3 ? 4 : 3600) });
    const id = await chatOf(ann);
    const { parts } = STREAMS[0]!;
    const stream = await send(ann, id, [question("q", "How warm?")]);
    const pauses = new Map([[5, 4500], [9, 4500]]);
    await produce(ann, id, parts, async (stored) => new Promise((resolve) => setTimeout(resolve, pauses.get(stored) ?? 0)));
    expect(json(await read(stream))).toEqual(await messageOf(parts, "answer"));
    expect(calls).toBeGreaterThan(2);
  });
});
