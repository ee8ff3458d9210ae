// Items of LangGraph's store as records, under the names that the Python client gives them: an item is the record of its
// key in the namespace `langgraph, store, *labels`. The record's metadata repeat the short values of the item, for filters
// that the server compares.

import { type ColloquyClient, ColloquyError } from "@colloquy/client";
import {
  type NewRecord,
  type StoredRecord,
  deleteRecords,
  everyPage,
  putRecords,
  readRecord,
  readRecordNamespaces,
  readRecords,
} from "@colloquy/client/records";
import {
  type GetOperation,
  InvalidNamespaceError,
  type Item,
  type ListNamespacesOperation,
  type PutOperation,
  type SearchItem,
  type SearchOperation,
} from "@langchain/langgraph-checkpoint";
import { matches, matchesNamespace } from "./filters.ts";
import { decoded, encoded } from "./labels.ts";

const ROOT = ["langgraph", "store"];
const PAGE_SIZE = 100;
const MAX_BATCH = 100;
const MAX_FILTERED_LENGTH = 200; // of a string that metadata repeat

export async function get(client: ColloquyClient, { namespace, key }: GetOperation): Promise<Item | null> {
  const found = await readRecord(client, pathOf(namespace), encoded(key));
  return found && itemOf(found);
}

/** The items that match, in the order of their names. */
export async function search(client: ColloquyClient, operation: SearchOperation): Promise<SearchItem[]> {
  const { namespacePrefix, filter = {}, query, limit = 10, offset = 0 } = operation;
  const filtered = Object.keys(filter).length > 0;
  const contained = short(filter);
  const metadataContains = Object.keys(contained).length ? { value: contained } : null;
  const end = offset + limit;
  const found: StoredRecord[] = [];
  let after: string | null = null;
  while (found.length < end) {
    const { nodes, pageInfo } = await readRecords(client, {
      namespacePrefix: pathOf(namespacePrefix),
      filter: { text: query || null, metadataContains },
      first: filtered ? PAGE_SIZE : Math.min(PAGE_SIZE, end - found.length),
      after,
    });
    found.push(...nodes.filter(({ value }) => matches(value as Record<string, unknown>, filter)));
    if (!pageInfo.hasNextPage) break;
    after = pageInfo.endCursor;
  }
  return found.slice(offset, end).map(itemOf);
}

/** The namespaces that match, shortened to the depth, in their order. */
export async function namespaces(client: ColloquyClient, operation: ListNamespacesOperation): Promise<string[][]> {
  const { matchConditions: conditions = [], maxDepth, limit, offset } = operation;
  const path = conditions.find(({ matchType }) => matchType === "prefix")?.path ?? [];
  const fixed = path.includes("*") ? path.slice(0, path.indexOf("*")) : path;
  const page = { prefix: pathOf(fixed), first: PAGE_SIZE };
  const stored = await everyPage((after) => readRecordNamespaces(client, { ...page, after }));
  const found = new Map<string, string[]>();
  for (const namespace of stored.map((labels) => labels.slice(ROOT.length).map(decoded))) {
    const shortened = namespace.slice(0, maxDepth);
    if (conditions.every((each) => matchesNamespace(each, namespace))) found.set(shortened.join("\0"), shortened);
  }
  return [...found.values()].slice(offset, offset + limit);
}

/** Stores items, and deletes those without a value. */
export async function write(client: ColloquyClient, operations: PutOperation[]): Promise<void> {
  const puts = operations.filter(({ value }) => value !== null);
  const deletes = operations.filter(({ value }) => value === null);
  for (let start = 0; start < puts.length; start += MAX_BATCH) {
    await putRecords(client, puts.slice(start, start + MAX_BATCH).map(recordOf)).catch(throwInvalidNamespace);
  }
  for (let start = 0; start < deletes.length; start += MAX_BATCH) {
    const keys = deletes.slice(start, start + MAX_BATCH);
    await deleteRecords(client, {
      keys: keys.map(({ namespace, key }) => ({ namespace: pathOf(namespace), key: encoded(key) })),
    });
  }
}

function pathOf(namespace: readonly string[]): string[] {
  return [...ROOT, ...namespace.map(encoded)];
}

function recordOf({ namespace, key, value }: PutOperation): NewRecord {
  const metadata = { value: short(value ?? {}), ttl: null }; // no lifetime, as the Python client marks it
  return { namespace: pathOf(namespace), key: encoded(key), value, metadata };
}

function itemOf({ namespace, key, value, createdAt, updatedAt }: StoredRecord): Item {
  return {
    namespace: namespace.slice(ROOT.length).map(decoded),
    key: decoded(key),
    value: value as Item["value"],
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
  };
}

/** The fields that a filter may compare with `metadataContains`. */
function short(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => isShort(each)));
}

function isShort(value: unknown): boolean {
  if (typeof value === "string") return value.length <= MAX_FILTERED_LENGTH;
  return typeof value === "boolean" || typeof value === "number";
}

/** Turns the server's refusal of a namespace into the framework's error. */
function throwInvalidNamespace(error: unknown): never {
  const refused = error instanceof ColloquyError && error.code === "VALIDATION" && error.field.includes("namespace");
  throw refused ? new InvalidNamespaceError(error.message) : error;
}
