// What the peer's tests leave out: strangers, names, conflicts, races, requests, errors.

import { ColloquyError } from "@colloquy/client";
import { readRecord } from "@colloquy/client/records";
import { ColloquySaver } from "@colloquy/langgraph";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointTuple,
  ERROR,
  emptyCheckpoint,
  uuid6,
} from "@langchain/langgraph-checkpoint";
import { expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";

const METADATA: CheckpointMetadata = { source: "loop", step: 0, parents: {} };

const saverOf = (user = newUser("langgraph")) => new ColloquySaver(clientOf(user));

const config = (thread = "t", ns = "", more = {}): RunnableConfig => {
  return { configurable: { thread_id: thread, checkpoint_ns: ns, ...more } };
};

let clock = 0;
const checkpointOf = (values: Record<string, unknown>): Checkpoint => ({
  ...emptyCheckpoint(),
  id: uuid6(clock++),
  channel_values: values,
  channel_versions: versionsOf(values),
});

const versionsOf = (values: object) => Object.fromEntries(Object.keys(values).map((name) => [name, 1]));

/** Stores a new checkpoint after the one that the config names, and returns its config. */
function put(saver: ColloquySaver, values: Record<string, unknown> = {}, parent = config()): Promise<RunnableConfig> {
  return saver.put(parent, checkpointOf(values), METADATA, versionsOf(values));
}

async function all(tuples: AsyncGenerator<CheckpointTuple>): Promise<CheckpointTuple[]> {
  const found: CheckpointTuple[] = [];
  for await (const tuple of tuples) found.push(tuple);
  return found;
}

const values = async (tuples: AsyncGenerator<CheckpointTuple>) => {
  return (await all(tuples)).map(({ checkpoint }) => checkpoint.channel_values["n"]);
};

test("a stranger reads and deletes nothing", async () => {
  const [saver, stranger] = [saverOf(), saverOf(newUser("stranger"))];
  const stored = await put(saver, { colour: "red" });
  await saver.putWrites(stored, [["colour", "blue"]], "task");
  expect(await stranger.getTuple(stored)).toBeUndefined();
  expect(await all(stranger.list({}))).toEqual([]);
  await stranger.putWrites(stored, [["colour", "green"]], "task");
  await stranger.deleteThread("t");
  const found = await saver.getTuple(stored);
  expect(found?.checkpoint.channel_values).toEqual({ colour: "red" });
  expect(found?.pendingWrites).toEqual([["task", "colour", "blue"]]);
});

const NAMES = ["thread", "a|b:c", "100%", "%00", "\x1f\x1e\n\0", "ü".repeat(255), `node:${"x".repeat(400)}`, " ", "𝄞".repeat(70)];

test.each(NAMES)("every thread and namespace has a position of its own: %j", async (name) => {
  const saver = saverOf();
  const stored = await put(saver, { n: 1 }, config(name, name));
  await put(saver, { n: 2 }, config(`${name}-`, `${name}-`));
  expect((await saver.getTuple(stored))?.checkpoint.channel_values).toEqual({ n: 1 });
  expect((await all(saver.list(config(name, name)))).map((tuple) => tuple.config)).toEqual([stored]);
  await saver.deleteThread(name);
  expect(await saver.getTuple(stored)).toBeUndefined();
  expect(await values(saver.list({}))).toEqual([2]);
});

test("names of records are those of the Python client", async () => {
  const saver = saverOf();
  const long = "ü".repeat(200);
  const stored = await put(saver, {}, config(long, ""));
  const digest = "cb26b0de5a63c843909f2a32874407b349954efb4416f246d56a772ac291eb19";
  const namespace = ["langgraph", "checkpoints", `${"ü".repeat(75)}%${digest}`, "%"];
  const found = await readRecord(saver.client, namespace, stored.configurable!["checkpoint_id"]);
  expect(found?.metadata).toMatchObject({ type: "json", thread: long, ns: "", parent: "", metadata: METADATA });
});

test("values come back as they went in, bytes too", async () => {
  const saver = saverOf();
  const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 7) % 256);
  const sent = { bytes, nested: { text: "\0 ü 𝄞 \u2028", numbers: [0.1, -1, 1e300], none: null, set: new Set([1]) } };
  const stored = await put(saver, sent);
  await saver.putWrites(stored, [["bytes", bytes], ["none", undefined]], "task");
  const found = await saver.getTuple(stored);
  expect(found?.checkpoint.channel_values).toEqual(sent);
  expect(found?.pendingWrites).toEqual([["task", "bytes", bytes], ["task", "none", undefined]]);
});

test("a write stays as it was stored first, and an error is replaced", async () => {
  const saver = saverOf();
  const stored = await put(saver);
  await saver.putWrites(stored, [["a", 1], [ERROR, "first"]], "task");
  await saver.putWrites(stored, [["a", 2], ["b", 3], [ERROR, "second"]], "task");
  expect((await saver.getTuple(stored))?.pendingWrites).toEqual([
    ["task", ERROR, "second"],
    ["task", "a", 1],
    ["task", "b", 3],
  ]);
});

test("writes of two writers at the same time are all stored, those of one task once", async () => {
  const user = newUser();
  const savers = [saverOf(user), saverOf(user)] as const;
  const stored = await put(savers[0]);
  const writes = [0, 1, 2].map((number): [string, unknown] => [`c${number}`, number]);
  await Promise.all(Array.from({ length: 12 }, (_, at) => savers[at % 2]!.putWrites(stored, writes, `task-${at % 4}`)));
  const found = (await savers[1].getTuple(stored))!.pendingWrites!;
  const expected = [0, 1, 2, 3].flatMap((task) => writes.map(([channel, value]) => [`task-${task}`, channel, value]));
  expect(found).toEqual(expected);
});

test("checkpoints of two writers of one thread are all stored", async () => {
  const user = newUser();
  const savers = [saverOf(user), saverOf(user)] as const;
  const stored = await Promise.all(Array.from({ length: 20 }, (_, n) => put(savers[n % 2]!, { n })));
  const ids = stored.map(({ configurable }) => configurable!["checkpoint_id"]).sort().reverse();
  expect((await all(savers[0].list(config()))).map(({ checkpoint }) => checkpoint.id)).toEqual(ids);
});

test("more writes than one request takes are stored", async () => {
  const saver = saverOf();
  const stored = await put(saver);
  await saver.putWrites(stored, Array.from({ length: 230 }, (_, number) => ["c", number]), "task");
  const numbers = (await saver.getTuple(stored))!.pendingWrites!.map(([, , value]) => value);
  expect(numbers).toEqual(Array.from({ length: 230 }, (_, number) => number));
});

test("a list requests its pages when the iteration reaches them", async () => {
  let requests = 0;
  const counted: typeof fetch = (input, init) => (requests++, fetch(input, init));
  const saver = new ColloquySaver(clientOf(newUser(), { fetch: counted }));
  const stored: RunnableConfig[] = [];
  for (let n = 0; n < 45; n++) stored.push(await put(saver, { n }, stored.at(-1)));
  expect(requests).toBe(45);
  for await (const { checkpoint } of saver.list(config(), { limit: 1 })) expect(checkpoint.channel_values).toEqual({ n: 44 });
  expect(requests).toBe(47);
  expect(await values(saver.list(config()))).toEqual(Array.from({ length: 45 }, (_, n) => 44 - n));
  const before = saver.list(config(), { before: stored.at(-1)!, limit: 20 });
  expect(await values(before)).toEqual(Array.from({ length: 20 }, (_, n) => 43 - n));
});

test("a lost response stores a checkpoint once", async () => {
  let calls = 0;
  const lossy: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (calls++ % 2 === 0) throw new TypeError("The response is lost.");
    return response;
  };
  const saver = new ColloquySaver(clientOf(newUser(), { fetch: lossy }));
  const stored = await put(saver, { n: 1 });
  await saver.putWrites(stored, [["a", 1]], "task");
  expect((await saver.getTuple(config()))?.pendingWrites).toEqual([["task", "a", 1]]);
  expect(await values(saver.list(config()))).toEqual([1]);
});

test("an error has the server's code and names the field", async () => {
  const saver = saverOf();
  const large = await put(saver, { text: "x".repeat(2 ** 20) }).catch((error: unknown) => error);
  expect(large).toBeInstanceOf(ColloquyError);
  expect(large).toMatchObject({ code: "VALIDATION", field: ["records", "0", "bytes"] });
  const refused = new ColloquySaver(clientOf(newUser(), { token: "no token" }));
  await expect(refused.getTuple(config())).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  await expect(saver.putWrites(config(), [["a", 1]], "task")).rejects.toThrow("checkpoint_id");
});
