import { type AGUIEvent, EventType } from "@ag-ui/core";
import { follow, replay } from "@colloquy/ag-ui";
import type { ColloquyClient } from "@colloquy/client";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { type Proxy, proxyOf } from "../../tests/proxy.ts";
import { clientOf, newUser } from "../../tests/users.ts";
import { applied, collect, expectValid, typesOf } from "./checks.ts";

let proxy: Proxy;
beforeEach(async () => void (proxy = await proxyOf(inject("url"))));
afterEach(() => proxy.close());

const ANSWER: AGUIEvent[] = [
  { type: EventType.STEP_STARTED, stepName: "plan" },
  { type: EventType.REASONING_START, messageId: "r1" },
  { type: EventType.REASONING_MESSAGE_START, messageId: "r1", role: "reasoning" },
  { type: EventType.REASONING_MESSAGE_CONTENT, messageId: "r1", delta: "The fore" },
  { type: EventType.REASONING_MESSAGE_CONTENT, messageId: "r1", delta: "cast decides 🚂." },
  { type: EventType.REASONING_MESSAGE_END, messageId: "r1" },
  { type: EventType.REASONING_END, messageId: "r1" },
  { type: EventType.STEP_FINISHED, stepName: "plan" },
  { type: EventType.TEXT_MESSAGE_START, messageId: "a1", role: "assistant" },
  { type: EventType.TEXT_MESSAGE_CONTENT, messageId: "a1", delta: "One " },
  { type: EventType.TEXT_MESSAGE_CONTENT, messageId: "a1", delta: "moment." },
  { type: EventType.TEXT_MESSAGE_END, messageId: "a1" },
  { type: EventType.TOOL_CALL_START, toolCallId: "c1", toolCallName: "weather", parentMessageId: "a1" },
  { type: EventType.TOOL_CALL_ARGS, toolCallId: "c1", delta: '{"city":' },
  { type: EventType.TOOL_CALL_ARGS, toolCallId: "c1", delta: '"Oslo"}' },
  { type: EventType.TOOL_CALL_END, toolCallId: "c1" },
  { type: EventType.TOOL_CALL_RESULT, messageId: "t1", toolCallId: "c1", content: "21", role: "tool" },
  { type: EventType.STATE_SNAPSHOT, snapshot: { city: "Oslo" } },
  { type: EventType.TEXT_MESSAGE_START, messageId: "a2", role: "assistant" },
  { type: EventType.TEXT_MESSAGE_CONTENT, messageId: "a2", delta: "It is 21 degrees." },
  { type: EventType.TEXT_MESSAGE_END, messageId: "a2" },
];

/** A producer of parts; `step` is awaited after each event. */
async function produce(client: ColloquyClient, sessionId: string, step: () => Promise<void>, events = ANSWER) {
  const { message, fence } = await client.startMessage({ sessionId, stream: "PARTS", partsFormat: "AG_UI", key: "answer" });
  const run = [{ type: EventType.RUN_STARTED, threadId: "t", runId: "r" }, ...events];
  for (const [offset, event] of run.entries()) {
    await client.extendMessage({ id: message.id, fence, offset, parts: [event] });
    await step();
  }
  return { id: message.id, fence };
}

const content = (events: readonly AGUIEvent[]) => events.filter(({ type }) => !type.startsWith("RUN_"));

describe("an answer in events of AG-UI", () => {
  test("arrives as its producer sends it, cut after every event, without a hole or a repetition", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const reader = clientOf(user, { url: proxy.url });
    const { id } = await writer.createSession();
    await writer.appendMessage(id, { key: "u1", role: "USER", text: "Is it warm in Oslo?" });
    let seen = 0;
    let written = 0;
    const events: AGUIEvent[] = [];
    let reading: Promise<void> | undefined;
    const { id: message, fence } = await produce(writer, id, async () => {
      written++;
      reading ??= (async () => {
        for await (const event of follow(reader, { id })) {
          events.push(event);
          seen = content(events).length;
        }
      })();
      await expect.poll(() => seen).toBe(written - 1); // the producer's own RUN_STARTED is left out
      proxy.cut();
    });
    await writer.finishMessage({ id: message, fence });
    await reading;
    await expectValid(events);
    expect(content(events)).toEqual(ANSWER);
    expect(proxy.connections).toBeGreaterThan(ANSWER.length);
    const messages = await applied(events);
    expect(await applied(await collect(replay(writer, { id })))).toEqual(messages);
  });

  test.each([
    ["all events", 0, 12, false],
    ["the rest of a text", 10, 12, false],
    ["the end of a text", 11, 12, false],
    ["a call", 12, 16, true],
    ["the rest of reasoning", 4, 8, false],
    ["the rest of arguments", 14, 16, false],
  ])("is whole if %s and its end come while the connection is lost", async (_, seen, count, isSnapshot) => {
    const user = newUser();
    const [writer, reader] = [clientOf(user), clientOf(user, { url: proxy.url })];
    const { id } = await writer.createSession();
    await writer.appendMessage(id, { key: "u1", role: "USER", text: "Is it warm in Oslo?" });
    const { id: message, fence } = await produce(writer, id, async () => {}, ANSWER.slice(0, seen));
    const events: AGUIEvent[] = [];
    const reading = (async () => {
      for await (const event of follow(reader, { id })) events.push(event);
    })();
    await expect.poll(() => content(events).length).toBe(seen);
    await expect.poll(() => proxy.connections).toBeGreaterThan(1); // the stored messages are read, events are awaited
    proxy.down = true;
    proxy.cut();
    await writer.extendMessage({ id: message, fence, offset: seen + 1, parts: ANSWER.slice(seen, count) });
    await writer.finishMessage({ id: message, fence });
    proxy.down = false;
    await reading;
    await expectValid(events);
    const messages = await applied(await collect(replay(writer, { id })));
    expect(await applied(events)).toEqual(messages);
    if (count >= 12) expect(messages[2]).toMatchObject({ id: "a1", content: "One moment." });
    expect(typesOf(events).includes(EventType.MESSAGES_SNAPSHOT)).toBe(isSnapshot);
  });

  test("is valid and ends what was unfinished when it is stopped from another device", async () => {
    const user = newUser();
    const [writer, other, stranger] = [clientOf(user), clientOf(user), clientOf(newUser("stranger"))];
    const { id } = await writer.createSession();
    const { id: message } = await produce(writer, id, async () => {}, ANSWER.slice(0, 10));
    const events: AGUIEvent[] = [];
    for await (const event of follow(other, { id })) {
      events.push(event);
      if (event.type !== EventType.TEXT_MESSAGE_CONTENT) continue;
      await expect(stranger.cancelMessage(message)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await other.cancelMessage(message);
    }
    await expectValid(events);
    expect(typesOf(events).slice(-3)).toEqual([
      EventType.TEXT_MESSAGE_CONTENT,
      EventType.TEXT_MESSAGE_END,
      EventType.RUN_FINISHED,
    ]);
    expect(events.at(-1)).toMatchObject({ outcome: { type: "cancelled" } });
  });
});

describe("an answer in text", () => {
  test("grows, and the document that replaces it continues it or takes its place", async () => {
    const user = newUser();
    const client = clientOf(user);
    for (const text of ["At nine 🚂.", "Never."]) {
      const { id } = await client.createSession();
      await client.appendMessage(id, { role: "USER", text: "When?" });
      const answer = await client.answer(id, { pause: 0 });
      answer.write("At nine");
      const events: AGUIEvent[] = [];
      for await (const event of follow(clientOf(user), { id })) {
        events.push(event);
        if (event.type !== EventType.TEXT_MESSAGE_CONTENT || answer.message.status !== "STREAMING") continue;
        const blocks = [{ type: "text", text }, { type: "tool_use", id: "c1", name: "look", input: { at: 9 } }];
        await answer.finish({ raw: JSON.stringify({ role: "assistant", content: blocks }) });
      }
      await expectValid(events);
      const shown = (await applied(events)).map((message) => ({ ...message, id: "" }));
      const stored = (await applied(await collect(replay(client, { id })))).map((message) => ({ ...message, id: "" }));
      expect(shown).toEqual(stored);
    }
  });

  test("stays with a reader that stays: each question and each answer is a run", async () => {
    const user = newUser();
    const client = clientOf(user);
    const { id } = await client.createSession();
    const stop = new AbortController();
    const events: AGUIEvent[] = [];
    const reading = (async () => {
      for await (const event of follow(clientOf(user), { id }, { stay: true, signal: stop.signal })) events.push(event);
    })();
    for (const turn of ["first", "second"]) {
      await client.appendMessage(id, { role: "USER", text: `the ${turn} question` });
      await (await client.answer(id)).pipe([`the ${turn} `, "answer"]);
    }
    const ended = () => events.filter(({ type }) => type === EventType.TEXT_MESSAGE_END).length;
    await expect.poll(ended).toBe(2);
    stop.abort();
    await reading;
    await expectValid(events);
    expect((await applied(events)).map(({ content }) => content)).toEqual([
      "the first question",
      "the first answer",
      "the second question",
      "the second answer",
    ]);
  });

  test("is not followed by a stranger", async () => {
    const { id } = await clientOf(newUser()).createSession();
    await expect(collect(follow(clientOf(newUser("stranger")), { id }))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
