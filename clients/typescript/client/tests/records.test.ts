import {
  type NewRecord,
  deleteRecords,
  everyPage,
  putRecords,
  readRecord,
  readRecordNamespaces,
  readRecords,
} from "@colloquy/client/records";
import { expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";

const NOTES = ["users", "ann", "notes"];

test("a record is stored for its owner and comes back as it went in", async () => {
  const [ann, stranger] = [clientOf(newUser()), clientOf(newUser("stranger"))];
  const value = { b: 1, a: ["\0 ü 𝄞", null, 0.1], deep: { empty: {} } };
  const bytes = Uint8Array.from({ length: 100_001 }, (_, at) => (at * 31) % 256);
  const session = await ann.createSession();
  const [first] = await putRecords(ann, [
    { namespace: NOTES, key: "value", value, metadata: { kind: "note" }, sessionId: session.id },
    { namespace: NOTES, key: "bytes", bytes },
    { namespace: NOTES, key: "empty", bytes: new Uint8Array() },
  ]);
  expect(first).toMatchObject({ namespace: NOTES, key: "value", revision: 1, session: { id: session.id } });
  const found = await readRecord(ann, NOTES, "value");
  expect(found).toMatchObject({ ...first, value, bytes: null, metadata: { kind: "note" } });
  expect(JSON.stringify(found!.value)).toBe(JSON.stringify(value));
  expect(await readRecord(ann, NOTES, "bytes")).toMatchObject({ bytes, value: null, metadata: {}, session: null });
  expect((await readRecord(ann, NOTES, "empty"))!.bytes).toEqual(new Uint8Array());

  expect(await readRecord(stranger, NOTES, "value")).toBeNull();
  expect((await readRecords(stranger)).nodes).toEqual([]);
  expect((await readRecordNamespaces(stranger)).nodes).toEqual([]);
  expect(await deleteRecords(stranger, { namespacePrefix: [] })).toBe(0);
  const foreign = putRecords(stranger, [{ namespace: NOTES, key: "value", value, sessionId: session.id }]);
  await expect(foreign).rejects.toMatchObject({ code: "NOT_FOUND" });
  await ann.deleteSession(session.id, "HARD");
  expect(await readRecord(ann, NOTES, "value")).toBeNull();
});

test("records are read page by page, filtered and deleted", async () => {
  const ann = clientOf(newUser());
  const records = Array.from({ length: 7 }, (_, at): NewRecord => {
    return { namespace: [...NOTES, String(at % 2)], key: String(at), value: { text: `note ${at}` }, metadata: { at } };
  });
  await putRecords(ann, records);
  const all = await everyPage((after) => readRecords(ann, { namespacePrefix: NOTES, first: 2, after }));
  expect(all.map(({ key }) => key)).toEqual(["0", "2", "4", "6", "1", "3", "5"]);
  const chosen = await readRecords(ann, { filter: { metadataContains: { at: 3 }, text: "NOTE" } });
  expect(chosen.nodes.map(({ key }) => key)).toEqual(["3"]);
  const newest = await readRecords(ann, { orderBy: { field: "UPDATED_AT", direction: "DESC" }, first: 100 });
  expect(newest.nodes.length).toBe(7);
  expect((await readRecordNamespaces(ann)).nodes).toEqual([[...NOTES, "0"], [...NOTES, "1"]]);
  expect((await readRecordNamespaces(ann, { maxDepth: 2 })).nodes).toEqual([["users", "ann"]]);
  expect(await deleteRecords(ann, { keys: [{ namespace: [...NOTES, "0"], key: "0" }] })).toBe(1);
  expect(await deleteRecords(ann, { namespacePrefix: NOTES })).toBe(6);
});

test("of two writers at one revision one succeeds", async () => {
  const user = newUser();
  const put = (n: number) => putRecords(clientOf(user), [{ namespace: NOTES, key: "k", value: n, expectedRevision: 0 }]);
  const results = await Promise.allSettled([put(1), put(2)]);
  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const { reason } = results.find((each) => each.status === "rejected")!;
  expect(reason).toMatchObject({ code: "CONFLICT", details: { currentRevision: 1 } });
});

test("an error names the field", async () => {
  const refused = putRecords(clientOf(newUser()), [{ namespace: NOTES, key: "", value: 1 }]);
  await expect(refused).rejects.toMatchObject({ code: "VALIDATION", field: ["records", "0", "key"] });
});
