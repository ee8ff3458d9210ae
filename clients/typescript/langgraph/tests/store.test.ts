// The long-term memory, compared with InMemoryStore of the framework: one story, two stores.

import { ColloquyStore } from "@colloquy/langgraph";
import { type BaseStore, InMemoryStore, InvalidNamespaceError, type Item } from "@langchain/langgraph-checkpoint";
import { expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";

const CATS = ["animals", "cats"];
const storeOf = (user = newUser("langgraph")) => new ColloquyStore(clientOf(user));
const keys = (found: Item[]) => found.map(({ key }) => key).sort();

test("an item is stored for its owner", async () => {
  const [store, stranger] = [storeOf(), storeOf(newUser("stranger"))];
  await store.put(CATS, "tom", { age: 3, likes: ["fish"] });
  const first = (await store.get(CATS, "tom"))!;
  expect(first).toMatchObject({ namespace: CATS, key: "tom", value: { age: 3, likes: ["fish"] } });
  await store.put(CATS, "tom", { age: 4 });
  const second = (await store.get(CATS, "tom"))!;
  expect(second).toMatchObject({ value: { age: 4 }, createdAt: first.createdAt });
  expect(second.updatedAt.getTime()).toBeGreaterThanOrEqual(first.updatedAt.getTime());

  expect(await stranger.get(CATS, "tom")).toBeNull();
  expect(await stranger.search(CATS)).toEqual([]);
  expect(await stranger.listNamespaces()).toEqual([]);
  await stranger.delete(CATS, "tom");
  expect(await store.get(CATS, "tom")).toEqual(second);
  await store.delete(CATS, "tom");
  expect(await store.get(CATS, "tom")).toBeNull();
});

const FILTERS: Record<string, unknown>[] = [
  { age: 3 },
  { age: { $gt: 1 } },
  { age: { $gte: 3, $lt: 9 } },
  { age: { $lte: 3 } },
  { age: { $ne: 3 } },
  { age: { $eq: 9 } },
  { age: { $in: [1, 9] } },
  { age: { $nin: [1, 9] } },
  { colour: "red" },
  { colour: "red", age: 9 },
  { colour: "r".repeat(300) },
];

test.each(FILTERS)("a filter compares values as the framework's store: %j", async (filter) => {
  const values = { a: { age: 1, colour: "red" }, b: { age: 3, colour: "blue" }, c: { age: 9, colour: "red" }, d: { tags: ["x"] } };
  const found = await Promise.all(
    [storeOf(), new InMemoryStore()].map(async (store: BaseStore) => {
      for (const [key, value] of Object.entries(values)) await store.put(CATS, key, value);
      return keys(await store.search(["animals"], { filter }));
    }),
  );
  expect(found[0]).toEqual(found[1]);
});

test("a filter compares lists and objects by their values", async () => {
  const store = storeOf();
  await store.put(CATS, "tom", { tags: ["x", "y"], home: { city: "Ulm" } });
  expect(keys(await store.search(CATS, { filter: { tags: ["x", "y"] } }))).toEqual(["tom"]);
  expect(keys(await store.search(CATS, { filter: { home: { city: "Ulm" } } }))).toEqual(["tom"]);
  expect(await store.search(CATS, { filter: { tags: ["x"] } })).toEqual([]);
  await expect(store.search(CATS, { filter: { age: { $near: 3 } } })).rejects.toThrow("Unsupported operator: $near");
});

const LISTS = [
  {},
  { prefix: ["a"] },
  { suffix: ["v1"] },
  { prefix: ["a"], suffix: ["v2"] },
  { prefix: ["*", "docs"] },
  { prefix: ["a", "*", "v1"] },
  { maxDepth: 1 },
  { maxDepth: 2, prefix: ["a"] },
  { limit: 2, offset: 1 },
];

test.each(LISTS)("namespaces are listed as by the framework's store: %j", async (options) => {
  const paths = [["a", "docs", "v1"], ["a", "docs", "v2"], ["a", "notes", "v1"], ["b", "docs"], ["c"]];
  const found = await Promise.all(
    [storeOf(), new InMemoryStore()].map(async (store: BaseStore) => {
      for (const path of paths) await store.put(path, "k", { n: 1 });
      return store.listNamespaces(options);
    }),
  );
  expect(found[0]).toEqual(found[1]);
});

test("a query finds a text of the value", async () => {
  const store = storeOf();
  await store.put(CATS, "tom", { note: "Likes fresh FISH", n: 1 });
  await store.put(CATS, "kit", { note: "likes milk" });
  expect(keys(await store.search(CATS, { query: "fish" }))).toEqual(["tom"]);
  expect(keys(await store.search(["animals"], { query: "likes" }))).toEqual(["kit", "tom"]);
  expect(keys(await store.search([], { query: "likes", filter: { n: 1 } }))).toEqual(["tom"]);
});

test("windows reach beyond one page; a batch reads before it writes", async () => {
  const store = storeOf();
  const puts = Array.from({ length: 250 }, (_, at) => {
    return { namespace: CATS, key: String(at).padStart(3, "0"), value: { even: at % 2 === 0 } };
  });
  const [before] = await store.batch([{ namespace: CATS, key: "000" }, ...puts]);
  expect(before).toBeNull();
  expect(keys(await store.search(CATS, { offset: 240, limit: 100 }))).toEqual(puts.slice(240).map(({ key }) => key));
  const even = await store.search(CATS, { filter: { even: true }, offset: 120 });
  expect(keys(even)).toEqual(["240", "242", "244", "246", "248"]);
  const twice = [1, 2].map((n) => ({ namespace: CATS, key: "000", value: { n } }));
  await store.batch([...twice, ...puts.slice(1).map((put) => ({ ...put, value: null }))]);
  expect((await store.search(CATS)).map(({ key, value }) => [key, value])).toEqual([["000", { n: 2 }]]);
});

test.each(["", "a/b", "100%", "\0\n\x1f", "%00", " "])("every key has a position of its own: %j", async (key) => {
  const store = storeOf();
  await store.put([...CATS, "a%\n"], key, { n: 1 });
  await store.put([...CATS, "a%\n"], `${key}-`, { n: 2 });
  expect(await store.get([...CATS, "a%\n"], key)).toMatchObject({ key, namespace: [...CATS, "a%\n"], value: { n: 1 } });
  expect(await store.listNamespaces()).toEqual([[...CATS, "a%\n"]]);
});

test("a namespace that no record can have is the framework's error", async () => {
  await expect(storeOf().put(["x".repeat(300)], "k", { n: 1 })).rejects.toBeInstanceOf(InvalidNamespaceError);
});
