import { EventType } from "@ag-ui/core";
import { messagesOf, replay } from "@colloquy/ag-ui";
import { readFile, readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";
import { applied, collect, expectValid, typesOf } from "./checks.ts";

const SAMPLES = new URL("../../../../tests/documents/samples/", import.meta.url);
const FORMATS = (await readdir(SAMPLES)).filter((name) => name.endsWith(".json"));

interface Sample {
  messages: { role: "USER" | "ASSISTANT" | "TOOL"; document: unknown }[];
}

const CALL = { id: "call_1", type: "function" as const, function: { name: "weather", arguments: '{"city":"Oslo"}' } };
const TURNS = [
  { id: "u1", role: "user" as const, content: "Is it warm in Oslo?" },
  { id: "r1", role: "reasoning" as const, content: "The forecast decides." },
  { id: "a1", role: "assistant" as const, content: "One moment.", toolCalls: [CALL] },
  { id: "t1", role: "tool" as const, toolCallId: "call_1", content: "21" },
  { id: "v1", role: "activity" as const, activityType: "PLAN", content: { steps: ["ask", "answer"] } },
  { id: "a2", role: "assistant" as const, content: "It is 21 degrees." },
  { id: "u2", role: "user" as const, content: [{ type: "text" as const, text: "And in Rome?" }] },
  { id: "a3", role: "assistant" as const, content: "27." },
];
const ROLES = { user: "USER", tool: "TOOL", reasoning: "ASSISTANT", assistant: "ASSISTANT", activity: "ASSISTANT" } as const;

describe("a replay", () => {
  test("brings back the messages of AG-UI as they were, a run for each question", async () => {
    const client = clientOf(newUser());
    const { id } = await client.createSession();
    for (const message of TURNS) {
      await client.appendMessage(id, { key: message.id, role: ROLES[message.role], raw: JSON.stringify(message) });
    }
    const events = await collect(replay(client, { id }));
    await expectValid(events);
    expect(await applied(events)).toEqual(TURNS);
    expect(typesOf(events).filter((type) => type.startsWith("RUN"))).toEqual([
      EventType.RUN_STARTED,
      EventType.RUN_FINISHED,
      EventType.RUN_STARTED,
      EventType.RUN_FINISHED,
    ]);
    expect(await collect(replay(client, { id }))).toEqual(events);
  });

  test.each(FORMATS)("of messages in the format of %s is valid and has their texts", async (name) => {
    const client = clientOf(newUser());
    const { id } = await client.createSession();
    const { messages } = JSON.parse(await readFile(new URL(name, SAMPLES), "utf8")) as Sample;
    // Twice, because producers give calls of different answers the same id; messages of AG-UI have ids of their own.
    for (const { role, document } of name === "ag_ui.json" ? messages : [...messages, ...messages]) {
      const raw = typeof document === "string" ? document : JSON.stringify(document);
      await client.appendMessage(id, { role, raw });
    }
    const events = await collect(replay(client, { id }));
    await expectValid(events);
    const stored = (await client.messages(id)).nodes;
    const texts = stored.flatMap(({ role, content }) =>
      role === "ASSISTANT" ? content.flatMap((block) => (block.__typename === "TextBlock" ? [block.text] : [])) : [],
    );
    const shown = (await applied(events)).flatMap(({ role, content }) => (role === "assistant" ? (content ?? []) : []));
    expect(shown.join("\n")).toBe(texts.join("\n"));
  });

  test("has what was stopped, what waits for a decision, and the sum of the usage", async () => {
    const client = clientOf(newUser());
    const { id } = await client.createSession({ key: "journey" });
    await client.appendMessage(id, { role: "USER", text: "Tell me a story." });
    const stopped = await client.answer(id, { pause: 0 });
    stopped.write("Once upon");
    await stopped.cancel();
    await client.appendMessage(id, { role: "USER", text: "Book it." });
    const raw = JSON.stringify({ id: "a", role: "assistant", content: "May I?", toolCalls: [CALL] });
    const usage = { inputTokens: 3, outputTokens: 4 };
    const asked = await client.appendMessage(id, { role: "ASSISTANT", raw, usage });
    const approval = await client.requestApproval({ messageId: asked.id, toolUseId: "call_1", notes: "Two seats" });
    const events = await collect(replay(client, { key: "journey" }));
    await expectValid(events);
    const interrupt = { id: approval.id, reason: "approval", toolCallId: "call_1", message: "Two seats" };
    expect(events.filter(({ type }) => type === EventType.RUN_FINISHED)).toMatchObject([
      { threadId: "journey", outcome: { type: "cancelled" } },
      { outcome: { type: "interrupt", interrupts: [interrupt] }, usage: [{ inputTokens: 3, outputTokens: 4, totalTokens: 7 }] },
    ]);
  });

  test("ends with an error after an answer that failed, and has a question without answer", async () => {
    const client = clientOf(newUser());
    const { id } = await client.createSession();
    await client.appendMessage(id, { role: "USER", text: "Why?" });
    expect(typesOf(await collect(replay(client, { id })))).toEqual([EventType.RUN_STARTED, EventType.RUN_FINISHED]);
    const failing = await client.answer(id, { pause: 0 });
    failing.write("Because");
    await failing.fail();
    const events = await collect(replay(client, { id }));
    await expectValid(events);
    expect(events.at(-1)?.type).toBe(EventType.RUN_ERROR);
  });

  test("gives a stranger nothing", async () => {
    const client = clientOf(newUser());
    const { id } = await client.createSession({ key: "mine" });
    const stranger = clientOf(newUser("stranger"));
    await expect(collect(replay(stranger, { id }))).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(collect(replay(stranger, { key: "mine" }))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("the messages of a stored message", () => {
  const stored = {
    id: "msg",
    sequence: 1,
    role: "ASSISTANT" as const,
    status: "COMPLETE" as const,
    text: "",
    createdAt: "2026-01-01T00:00:00Z",
    redactedAt: null,
    usage: null,
    content: [],
  };

  test("are none of a redacted one, and those of its blocks for another format", () => {
    const document = { id: "a", role: "assistant", content: "Hello" };
    expect(messagesOf({ ...stored, raw: JSON.stringify(document) })).toEqual([document]);
    expect(messagesOf({ ...stored, raw: JSON.stringify(document), redactedAt: "2026-01-01T00:00:00Z" })).toEqual([]);
    const content = [{ __typename: "TextBlock" as const, position: 0, text: "Hi" }];
    const other = { id: "a", role: "assistant", parts: [{ type: "text", text: "Hi" }] };
    expect(messagesOf({ ...stored, content, raw: JSON.stringify(other) })).toEqual([
      { id: "msg", role: "assistant", content: "Hi" },
    ]);
  });
});
