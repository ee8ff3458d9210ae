// The messages of a thread are a session, as with the Python client: titled, listed, searched, and erased with the
// thread's records. tests/langgraph/isolated/test_langgraph_mirror.py of the Python client has the same expectations.

import { ColloquySaver } from "@colloquy/langgraph";
import { readRecords } from "@colloquy/client/records";
import { AIMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";

const CONFIG = { configurable: { thread_id: "holiday" } };
const CALL = { name: "weather", args: { city: "Ulm" }, id: "call-1", type: "tool_call" as const };
const USAGE = { input_tokens: 3, output_tokens: 4, total_tokens: 7 };

function answer({ messages }: typeof MessagesAnnotation.State) {
  return {
    messages: [
      new AIMessage({ content: "Let me see.", tool_calls: [CALL], usage_metadata: USAGE as never }),
      new ToolMessage({ content: "sunny", tool_call_id: "call-1" }),
      new AIMessage(`Answer ${messages.length}`),
    ],
  };
}

const graph = (checkpointer: ColloquySaver) => {
  return new StateGraph(MessagesAnnotation).addNode("answer", answer).addEdge(START, "answer").compile({ checkpointer });
};

const ask = (text: string, id?: string) => ({ messages: [new HumanMessage({ content: text, ...(id && { id }) })] });

const saverOf = (user: string) => new ColloquySaver(clientOf(user));

async function sessionOf(saver: ColloquySaver) {
  return (await saver.client.session({ key: "holiday" }))!;
}

async function messagesOf(saver: ColloquySaver) {
  return (await saver.client.messages((await sessionOf(saver)).id)).nodes;
}

const questions = async (saver: ColloquySaver) => {
  return (await messagesOf(saver)).filter(({ role }) => role === "USER").map(({ text }) => text);
};

test("a thread is a session with a title and its messages; a stranger sees nothing", async () => {
  const user = newUser();
  const saver = saverOf(user);
  await graph(saver).invoke(ask("Where is it warm in May?"), CONFIG);
  expect(await sessionOf(saver)).toMatchObject({ title: "Where is it warm in May?", status: "ACTIVE", messageCount: 4 });
  const messages = await messagesOf(saver);
  expect(messages.map(({ role }) => role)).toEqual(["USER", "ASSISTANT", "TOOL", "ASSISTANT"]);
  const texts = messages.filter(({ role }) => role !== "TOOL").map(({ text }) => text);
  expect(texts).toEqual(["Where is it warm in May?", "Let me see.", "Answer 1"]);
  expect(messages[1]!.usage).toMatchObject({ inputTokens: 3, outputTokens: 4 });
  expect(messages[1]!.content).toContainEqual(
    expect.objectContaining({ __typename: "ToolUseBlock", toolUseId: "call-1", name: "weather", input: { city: "Ulm" } }),
  );
  expect(messages[2]!.content).toContainEqual(
    expect.objectContaining({ __typename: "ToolResultBlock", toolUseId: "call-1" }),
  );
  expect((await saver.client.search("warm")).hits.map(({ node }) => node.id)).toEqual([messages[0]!.id]);
  const stranger = clientOf(newUser("stranger"));
  expect(await stranger.session({ key: "holiday" })).toBeNull();
  expect((await stranger.search("warm")).hits).toEqual([]);
});

test("a message is appended once, also by another process", async () => {
  const user = newUser();
  const saver = saverOf(user);
  await graph(saver).invoke(ask("one"), CONFIG);
  await graph(saver).invoke(ask("two"), CONFIG);
  const other = saverOf(user);
  await graph(other).invoke(ask("three"), CONFIG);
  expect(await questions(other)).toEqual(["one", "two", "three"]);
  expect((await messagesOf(other)).length).toBe(12);
});

test("two writers of one new thread share its session, and every message is there once", async () => {
  const user = newUser();
  const savers = [saverOf(user), saverOf(user)] as const;
  await Promise.all(savers.map((saver, at) => graph(saver).invoke(ask(`question ${at}`), CONFIG)));
  expect((await savers[0].client.sessions()).nodes.length).toBe(1);
  const messages = await messagesOf(savers[0]);
  expect((await questions(savers[0])).sort()).toEqual(["question 0", "question 1"]);
  expect(new Set(messages.map(({ key }) => key)).size).toBe(messages.length);
  expect(await savers[1].getTuple(CONFIG)).toBeDefined();
});

test("a changed message stays in the session as it was", async () => {
  const user = newUser();
  await graph(saverOf(user)).invoke(ask("first", "m"), CONFIG);
  const other = saverOf(user);
  const changed = [new HumanMessage({ content: "changed", id: "m" }), new HumanMessage({ content: "new", id: "n" })];
  await graph(other).updateState(CONFIG, { messages: changed });
  expect(await questions(other)).toEqual(["first", "new"]);
});

test("an erased session takes the checkpoints with it", async () => {
  const saver = saverOf(newUser());
  await graph(saver).invoke(ask("one"), CONFIG);
  await saver.client.deleteSession((await sessionOf(saver)).id, "HARD");
  expect((await readRecords(saver.client, { namespacePrefix: ["langgraph"] })).nodes).toEqual([]);
  await graph(saver).invoke(ask("again"), CONFIG);
  expect(await questions(saver)).toEqual(["again"]);
});

test("a deleted thread takes its session with it", async () => {
  const saver = saverOf(newUser());
  await graph(saver).invoke(ask("one"), CONFIG);
  await saver.deleteThread("holiday");
  expect(await saver.client.session({ key: "holiday" })).toBeNull();
  expect(await saver.getTuple(CONFIG)).toBeUndefined();
});

test("a session of another program is continued and stays", async () => {
  const saver = saverOf(newUser());
  await saver.client.createSession({ key: "holiday", title: "Mine" });
  await graph(saver).invoke(ask("one"), CONFIG);
  await saver.deleteThread("holiday");
  expect(await sessionOf(saver)).toMatchObject({ title: "Mine", messageCount: 4 });
  await saver.client.deleteSession((await sessionOf(saver)).id); // SOFT: the owner has hidden it
  await expect(graph(saver).invoke(ask("two"), CONFIG)).rejects.toMatchObject({ name: "ColloquyError" });
});

test("nothing is mirrored without a channel", async () => {
  const saver = new ColloquySaver(clientOf(newUser()), { messages: null });
  await graph(saver).invoke(ask("one"), CONFIG);
  expect(await saver.client.session({ key: "holiday" })).toBeNull();
  expect(await saver.getTuple(CONFIG)).toBeDefined();
});

test.each(["async", "sync", "exit"] as const)("a graph continues where it was: durability %s", async (durability) => {
  const user = newUser();
  await graph(saverOf(user)).invoke(ask("one"), { ...CONFIG, durability });
  const other = graph(saverOf(user));
  await other.invoke(ask("two"), { ...CONFIG, durability });
  const state = await other.getState(CONFIG);
  const texts = state.values.messages.map(({ content }: { content: unknown }) => content);
  expect(texts).toEqual(["one", "Let me see.", "sunny", "Answer 1", "two", "Let me see.", "sunny", "Answer 5"]);
  expect(state.next).toEqual([]);
});
