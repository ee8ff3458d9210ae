import type { MessageFormatAdapter } from "@assistant-ui/react";
import { historyAdapter } from "@colloquy/assistant-ui";
import type { ColloquyClient } from "@colloquy/client";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { type Proxy, proxyOf } from "../../tests/proxy.ts";
import { clientOf, newUser } from "../../tests/users.ts";
import { assistantMessage, threadOf, userMessage } from "./threads.ts";

const historyOf = (client: ColloquyClient, remoteId?: string) => {
  const thread = threadOf(client, remoteId);
  return { thread, history: historyAdapter(client, { thread: () => thread }) };
};
const idOf = async (thread: { initialize(): Promise<{ remoteId: string }> }) => (await thread.initialize()).remoteId;

const PICTURE = {
  ...userMessage("m1", "Is it warm enough in Oslo for a swim?"),
  attachments: [
    {
      id: "a1",
      type: "image" as const,
      name: "oslo.png",
      contentType: "image/png",
      status: { type: "complete" as const },
      content: [{ type: "image" as const, image: "data:image/png;base64,iVBORw0KGgo=" }],
    },
  ],
};
const CALL = {
  type: "tool-call" as const,
  toolCallId: "call_1",
  toolName: "weather",
  args: { city: "Oslo" },
  argsText: '{"city":"Oslo"}',
};
const ANSWER = assistantMessage("m2", [
  { type: "reasoning", text: "The forecast decides." },
  { ...CALL, result: { celsius: 21 } },
  { type: "text", text: "Bring a towel." },
]);

describe("a history", () => {
  test("brings back the messages as they were, and gives the session title, preview and search", async () => {
    const user = newUser();
    const client = clientOf(user);
    const { history, thread } = historyOf(client);
    expect(await history.load()).toEqual({ messages: [], headId: null, unstable_resume: false });
    const picture = { ...PICTURE, attachments: [{ ...PICTURE.attachments[0]!, file: new File(["x"], "oslo.png") }] };
    await history.append({ parentId: null, message: picture });
    await history.append({ parentId: "m1", message: ANSWER });
    await history.append({ parentId: "m1", message: ANSWER }); // repeated, as after a lost response
    const remoteId = await idOf(thread);
    const again = historyOf(clientOf(user), remoteId).history;
    expect(await again.load()).toEqual({
      messages: [
        { parentId: null, message: PICTURE },
        { parentId: "m1", message: ANSWER },
      ],
      headId: "m2",
      unstable_resume: false,
    });
    const session = await client.session({ id: remoteId });
    expect(session).toMatchObject({ title: "Is it warm enough in Oslo for a swim?", messageCount: 2 });
    expect(session!.lastMessage!.text).toBe("Bring a towel.");
    const [answer] = (await client.search("towel")).hits;
    expect(answer?.node.session.id).toBe(remoteId);
    const kinds = (await client.messages(remoteId)).nodes.map(({ content }) => content.map((block) => block.__typename));
    expect(kinds).toEqual([
      ["TextBlock", "MediaBlock"],
      ["ReasoningBlock", "ToolUseBlock", "ToolResultBlock", "TextBlock"],
    ]);
    const stranger = clientOf(newUser("stranger"));
    const strangers = historyOf(stranger, remoteId).history;
    await expect(strangers.load()).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(strangers.append({ parentId: null, message: PICTURE })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await stranger.search("towel")).hits).toEqual([]);
  });

  test("keeps branches, rewrites what was appended, here or in another window, and deletes", async () => {
    const user = newUser();
    const client = clientOf(user);
    const { history, thread } = historyOf(client);
    await history.append({ parentId: null, message: userMessage("q", "When?") });
    const asking = assistantMessage("a", [{ ...CALL, approval: { id: "p" } }]);
    await history.append({ parentId: "q", message: asking });
    const remoteId = await idOf(thread);
    const decided = assistantMessage("a", [{ ...CALL, approval: { id: "p", approved: true }, result: 21 }]);
    const other = historyOf(clientOf(user), remoteId).history; // has loaded nothing
    await other.update!({ parentId: "q", message: decided });
    const edited = userMessage("q2", "When, exactly?");
    await other.append({ parentId: null, message: edited });
    await history.update!({ parentId: "q2", message: assistantMessage("b", [{ type: "text", text: "At nine." }]) });
    const loaded = await history.load();
    expect(loaded.messages.map(({ parentId, message }) => [parentId, message.id])).toEqual([
      [null, "q"],
      ["q", "a"],
      [null, "q2"],
      ["q2", "b"],
    ]);
    expect(loaded.headId).toBe("b");
    expect(loaded.messages[1]!.message).toEqual(decided);
    const gone = loaded.messages.slice(2, 3);
    await other.delete!(gone);
    await history.delete!(gone); // once more is no failure
    expect((await history.load()).messages.map(({ parentId, message }) => [parentId, message.id])).toEqual([
      [null, "q"],
      ["q", "a"],
      ["a", "b"],
    ]);
  });

  test("shows what other programs wrote: calls with their results, and approvals that wait", async () => {
    const client = clientOf(newUser());
    const { id } = await client.createSession();
    await client.appendMessage(id, { role: "USER", key: "typed", text: "Book two seats." });
    const calls = [
      { type: "text", text: "May I?" },
      { type: "tool_use", id: "t1", name: "search", input: { seats: 2 } },
      { type: "tool_use", id: "t2", name: "book", input: { seats: 2 } },
    ];
    const raw = JSON.stringify({ role: "assistant", content: calls });
    const asked = await client.appendMessage(id, { role: "ASSISTANT", raw });
    const result = [{ type: "tool_result", tool_use_id: "t1", content: "12A, 12B" }];
    await client.appendMessage(id, { role: "TOOL", raw: JSON.stringify({ role: "user", content: result }) });
    const approval = await client.requestApproval({ messageId: asked.id, toolUseId: "t2", notes: "40 EUR" });
    const { messages } = await historyOf(client, id).history.load();
    expect(messages).toMatchObject([
      { parentId: null, message: { id: "typed", role: "user", content: [{ type: "text", text: "Book two seats." }] } },
      {
        parentId: "typed",
        message: {
          id: asked.id,
          status: { type: "requires-action", reason: "tool-calls" },
          content: [
            { type: "text", text: "May I?" },
            { type: "tool-call", toolCallId: "t1", args: { seats: 2 }, result: "12A, 12B" },
            { type: "tool-call", toolCallId: "t2", approval: { id: approval.id, prompt: "40 EUR" } },
          ],
        },
      },
    ]);
    await client.decideApproval(approval.id, "REJECT", "Too dear");
    const [, decided] = (await historyOf(client, id).history.load()).messages;
    expect(decided!.message.content.at(-1)).toMatchObject({ approval: { approved: false, reason: "Too dear" } });
  });
});

/** As `aiSDKV6FormatAdapter` of @assistant-ui/react-ai-sdk stores a UIMessage: the id is beside the content. */
interface UIMessage {
  id: string;
  role: string;
  parts: { type: string; [name: string]: unknown }[];
}
const AI_SDK: MessageFormatAdapter<UIMessage, Omit<UIMessage, "id">> = {
  format: "ai-sdk/v6",
  encode: ({ message: { id: _, ...content } }) => content,
  decode: ({ id, parent_id, content }) => ({ parentId: parent_id, message: { id, ...content } }),
  getId: ({ id }) => id,
};

test("a history in the format of AI SDK keeps its messages, and reads those of other programs", async () => {
  const client = clientOf(newUser());
  const { history, thread } = historyOf(client);
  const records = history.withFormat!(AI_SDK);
  const question = { id: "u1", role: "user", parts: [{ type: "text", text: "Is it warm in Oslo?" }] };
  const tool = { type: "tool-weather", toolCallId: "c1", state: "output-available", input: { city: "Oslo" }, output: 21 };
  const answer = { id: "a1", role: "assistant", parts: [tool, { type: "text", text: "21 degrees.", state: "done" }] };
  await records.append({ parentId: null, message: question });
  await records.append({ parentId: "u1", message: { ...answer, parts: [tool] } });
  await records.update!({ parentId: "u1", message: answer }, "a1");
  const remoteId = await idOf(thread);
  const written = { id: "other", role: "assistant", parts: [{ type: "text", text: "From a server." }] };
  const { id: stored } = await client.appendMessage(remoteId, { role: "ASSISTANT", raw: JSON.stringify(written) });
  const { id: plain } = await client.appendMessage(remoteId, { role: "ASSISTANT", text: "In text." });
  const { messages, headId } = await historyOf(client, remoteId).history.withFormat!(AI_SDK).load();
  expect(messages).toEqual([
    { parentId: null, message: question },
    { parentId: "u1", message: answer },
    { parentId: "a1", message: { ...written, id: stored } },
    { parentId: stored, message: { id: plain, role: "assistant", parts: [{ type: "text", text: "In text." }] } },
  ]);
  expect(headId).toBe(plain);
  const session = await client.session({ id: remoteId });
  expect(session).toMatchObject({ title: "Is it warm in Oslo?", messageCount: 4 });
  expect((await client.search("degrees")).hits).toHaveLength(1);
  await records.delete!(messages.slice(1, 2));
  expect((await records.load()).messages.map(({ message }) => message.id)).toEqual(["u1", stored, plain]);
});

function matches(part: object, expected: object): boolean {
  const members = Object.keys(expected).map((name) => [name, (part as Record<string, unknown>)[name]]);
  return JSON.stringify(Object.fromEntries(members)) === JSON.stringify(expected);
}

describe("an answer that is being written", () => {
  let proxy: Proxy;
  beforeEach(async () => void (proxy = await proxyOf(inject("url"))));
  afterEach(() => proxy.close());

  const resuming = (client: ColloquyClient, id: string, signal: AbortSignal) =>
    historyOf(client, id).history.resume!({ abortSignal: signal } as never);

  test("goes on after a reload and across lost connections, and is stored once", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const { id } = await writer.createSession();
    await writer.appendMessage(id, { role: "USER", key: "q", text: "When?" });
    const answering = await writer.answer(id, { pause: 0 });
    answering.write("At ");
    const reader = clientOf(user, { url: proxy.url });
    const { history } = historyOf(reader, id);
    expect(await history.load()).toMatchObject({ unstable_resume: true, headId: "q", messages: [{ message: { id: "q" } }] });
    const seen: string[] = [];
    let written = "At ";
    const pieces = ["nine ", "🚂."];
    let last: Awaited<ReturnType<ReturnType<typeof resuming>["next"]>>["value"];
    for await (const result of resuming(reader, id, new AbortController().signal)) {
      const [part] = result.content ?? [];
      const text = part?.type === "text" ? part.text : "";
      seen.push(text);
      last = result;
      proxy.cut();
      if (text !== written) continue; // a text comes once more after a cut
      const next = pieces.shift();
      if (next === undefined) await answering.finish();
      else answering.write(next);
      written += next ?? "";
    }
    expect(seen.at(-1)).toBe("At nine 🚂.");
    expect(seen.every((text, at) => at === 0 || text.startsWith(seen[at - 1]!))).toBe(true);
    const { content, metadata } = last!;
    const shown = assistantMessage("local", content as never);
    await history.append({ parentId: "q", message: { ...shown, metadata: { ...shown.metadata, ...metadata } as never } });
    expect((await writer.messages(id)).nodes).toHaveLength(2);
    expect((await history.load()).messages).toHaveLength(2);
  });

  test("shows its thoughts and the call that it waits for while they come, if it is written in parts", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const { id } = await writer.createSession();
    const answering = await writer.answer(id, { partsFormat: "AI_SDK", pause: 0 });
    const call = { toolCallId: "c1", toolName: "weather" };
    const input = '{"city":"Os';
    const steps: [written: object[], shown: object][] = [
      [
        [{ type: "reasoning-start", id: "r" }, { type: "reasoning-delta", id: "r", delta: "The forecast" }],
        { type: "reasoning", text: "The forecast" },
      ],
      [
        [{ type: "tool-input-start", ...call }, { type: "tool-input-delta", toolCallId: "c1", inputTextDelta: input }],
        { type: "tool-call", toolName: "weather", argsText: input },
      ],
      [[{ type: "tool-input-available", ...call, input: { city: "Oslo" } }], { args: { city: "Oslo" } }],
      [[{ type: "tool-output-available", toolCallId: "c1", output: 21 }], { result: 21 }],
      [
        [{ type: "text-start", id: "t" }, { type: "text-delta", id: "t", delta: "21." }, { type: "text-end", id: "t" }],
        { type: "text", text: "21." },
      ],
    ];
    answering.writeParts(...steps[0]![0]);
    const reader = clientOf(user, { url: proxy.url });
    let step = 0;
    for await (const { content } of resuming(reader, id, new AbortController().signal)) {
      if (step === steps.length || !content?.length) continue;
      const [, expected] = steps[step]!;
      if (!matches(content.at(-1)!, expected)) continue; // parts may come one by one
      proxy.cut();
      step++;
      if (step < steps.length) answering.writeParts(...steps[step]![0]);
      else await answering.finish();
    }
    expect(step).toBe(steps.length);
    const [stored] = (await historyOf(writer, id).history.load()).messages;
    expect(stored!.message.content.map(({ type }) => type)).toEqual(["reasoning", "tool-call", "text"]);
  });

  test("is stopped by its reader, not by one who only leaves, and never by a stranger", async () => {
    const user = newUser();
    const writer = clientOf(user);
    const { id } = await writer.createSession();
    const answering = await writer.answer(id, { pause: 0 });
    answering.write("word");
    const strangers = resuming(clientOf(newUser("stranger")), id, new AbortController().signal);
    expect(await strangers.next()).toEqual({ done: true, value: undefined });
    for (const [reason, status] of [[{ detach: true }, "STREAMING"], [undefined, "CANCELLED"]] as const) {
      const stop = new AbortController();
      for await (const _ of resuming(clientOf(user), id, stop.signal)) stop.abort(reason);
      expect((await writer.messages(id)).nodes[0]!.status).toBe(status);
    }
    await answering.cancel();
  });
});
