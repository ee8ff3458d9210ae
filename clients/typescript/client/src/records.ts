// Records: documents under keys, in namespaces. In a module of its own, so that pages that need none do not load it.

import type { ColloquyClient } from "./client.ts";
import * as documents from "./generated.ts";
import type {
  DeleteRecordsInput,
  PutRecordInput,
  RecordFilter,
  RecordNameFragment,
  RecordOrder,
  WholeRecordFragment,
} from "./generated.ts";
import type { RequestOptions } from "./requests.ts";
import type { Page, PageArguments } from "./types.ts";

export type { DeleteRecordsInput, RecordFilter, RecordOrder };

/** A record without its content. */
export type RecordName = RecordNameFragment;

/** A record: `value` is null if it holds bytes, `bytes` is null if it holds a value. */
export type StoredRecord = Omit<WholeRecordFragment, "bytes"> & { bytes: Uint8Array | null };

/** A record to store, with exactly one of `value` and `bytes`. */
export type NewRecord = Omit<PutRecordInput, "bytes"> & { bytes?: Uint8Array };

export interface RecordPageArguments extends PageArguments {
  /** The namespace whose records are read, with those below it; without it all. */
  namespacePrefix?: string[];
  filter?: RecordFilter;
  /** By namespace and key, ascending, if omitted. */
  orderBy?: RecordOrder;
}

export interface RecordNamespacePageArguments extends PageArguments {
  prefix?: string[];
  suffix?: string[];
  /** The number of labels to which namespaces are shortened; equal ones are returned once. */
  maxDepth?: number;
}

/** The record of this name; null if the owner of the token has none. */
export async function readRecord(
  client: ColloquyClient,
  namespace: string[],
  key: string,
  options?: RequestOptions,
): Promise<StoredRecord | null> {
  const { record } = await client.execute(documents.RecordByName, { namespace, key }, { ...options, repeatable: true });
  return record && stored(record);
}

/** A page of the records in a namespace and in those below it; without arguments the first 50 of all. */
export async function readRecords(
  client: ColloquyClient,
  page: RecordPageArguments = {},
  options?: RequestOptions,
): Promise<Page<StoredRecord>> {
  const { records } = await client.execute(documents.Records, page, { ...options, repeatable: true });
  return { ...records, nodes: records.nodes.map(stored) };
}

/** A page of the namespaces that have records, in their order. */
export async function readRecordNamespaces(
  client: ColloquyClient,
  page: RecordNamespacePageArguments = {},
  options?: RequestOptions,
): Promise<Page<string[]>> {
  const { recordNamespaces } = await client.execute(documents.RecordNamespaces, page, { ...options, repeatable: true });
  return { ...recordNamespaces, nodes: recordNamespaces.nodes.map(({ namespace }) => namespace) };
}

/** Stores 1 to 100 records, all or none. Throws CONFLICT if one is not at its `expectedRevision`; 0 stands for no record. */
export async function putRecords(
  client: ColloquyClient,
  records: readonly NewRecord[],
  options?: RequestOptions,
): Promise<RecordName[]> {
  const input = { records: records.map(({ bytes, ...rest }) => (bytes ? { ...rest, bytes: toBase64(bytes) } : rest)) };
  return (await client.mutate(documents.PutRecords, input, options)).records;
}

/** Deletes 1 to 100 records by their names, or all below a namespace; returns how many there were. */
export async function deleteRecords(
  client: ColloquyClient,
  input: DeleteRecordsInput,
  options?: RequestOptions,
): Promise<number> {
  return (await client.mutate(documents.DeleteRecords, input, options)).deletedCount;
}

/** All nodes of all pages that `read` returns. */
export async function everyPage<Node>(read: (after: string | null) => Promise<Page<Node>>): Promise<Node[]> {
  const nodes: Node[] = [];
  let after: string | null = null;
  do {
    const { nodes: more, pageInfo }: Page<Node> = await read(after);
    nodes.push(...more);
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null);
  return nodes;
}

function stored({ bytes, ...rest }: WholeRecordFragment): StoredRecord {
  return { ...rest, bytes: bytes === null ? null : fromBase64(bytes) };
}

const CHUNK = 0x8000; // bytes that are passed as arguments of one call

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  }
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
