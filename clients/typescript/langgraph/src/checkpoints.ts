// Checkpoints and writes of LangGraph as records, under the names that the Python client gives them:
// - A checkpoint is the record `checkpoint id` in the namespace `langgraph, checkpoints, thread, checkpoint namespace`.
// - A write is the record `task:index` in `langgraph, writes, thread, checkpoint namespace, checkpoint id`.
// `bytes` holds what the saver's serializer returned, and `metadata` what is filtered by.

import type { NewRecord, StoredRecord } from "@colloquy/client/records";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  type ChannelVersions,
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  type PendingWrite,
  type SerializerProtocol,
  WRITES_IDX_MAP,
  compareWritesSortKeys,
  getCheckpointId,
  writesSortKey,
} from "@langchain/langgraph-checkpoint";
import { labelOf } from "./labels.ts";

export const CHECKPOINTS = ["langgraph", "checkpoints"];
export const WRITES = ["langgraph", "writes"];
const MAX_BATCH = 100;
const MAX_BATCH_BYTES = 2 ** 22; // of one put, as base64: the server takes requests of 8 MiB

/** A checkpoint's thread, checkpoint namespace and id; an empty id stands for the newest checkpoint. */
export interface CheckpointKey {
  thread: string;
  ns: string;
  id: string;
}

interface CheckpointNames {
  type: string;
  thread: string;
  ns: string;
  id: string;
  parent: string;
}

interface WriteNames {
  type: string;
  task: string;
  channel: string;
  path: string;
  index: number;
}

/** The key that a config names. Throws without a `thread_id`. */
export function keyOf(config: RunnableConfig): CheckpointKey {
  const { thread_id: thread, checkpoint_ns: ns } = config.configurable ?? {};
  if (thread === undefined || thread === null) throw new Error("The config has no `configurable.thread_id`.");
  return { thread: String(thread), ns: String(ns ?? ""), id: getCheckpointId(config) };
}

/** The config that names a checkpoint. */
export function configOf({ thread, ns, id }: CheckpointKey): RunnableConfig {
  return { configurable: { thread_id: thread, checkpoint_ns: ns, checkpoint_id: id } };
}

/** The namespace of the checkpoints beside this one. */
export async function checkpointsOf({ thread, ns }: CheckpointKey): Promise<string[]> {
  return [...CHECKPOINTS, await labelOf(thread), await labelOf(ns)];
}

/** The namespace of the writes at a checkpoint. */
export async function writesOf({ thread, ns, id }: CheckpointKey): Promise<string[]> {
  return [...WRITES, await labelOf(thread), await labelOf(ns), await labelOf(id)];
}

/** The record of a new checkpoint under its key; `parent` is the id of the one before it, or empty. */
export async function checkpointRecord(
  serde: SerializerProtocol,
  target: CheckpointKey,
  parent: string,
  checkpoint: Checkpoint,
  metadata: CheckpointMetadata,
): Promise<NewRecord> {
  const [type, bytes] = await serde.dumpsTyped({ checkpoint, metadata });
  const names: CheckpointNames = { type, ...target, parent };
  const stored = { ...names, metadata: filterable(metadata) };
  return { namespace: await checkpointsOf(target), key: await labelOf(target.id), bytes, metadata: stored };
}

/**
 * The checkpoint to store. `changed` names the channels with a new value. The others have the values that the parent
 * has; without a parent they have none.
 */
export function withStoredValues(checkpoint: Checkpoint, parent: string, changed: ChannelVersions): Checkpoint {
  if (parent) return checkpoint;
  const values = Object.entries(checkpoint.channel_values).filter(([channel]) => Object.hasOwn(changed, channel));
  return { ...checkpoint, channel_values: Object.fromEntries(values) };
}

/** The records of a task's writes. Those to special channels replace older ones; the others are written once. */
export async function writeRecords(
  serde: SerializerProtocol,
  target: CheckpointKey,
  writes: readonly PendingWrite[],
  task: string,
  path: string,
): Promise<NewRecord[]> {
  const namespace = await writesOf(target);
  return Promise.all(
    writes.map(async ([channel, value], position) => {
      const index = WRITES_IDX_MAP[channel] ?? position;
      const [type, bytes] = await serde.dumpsTyped(value);
      const metadata: WriteNames = { type, task, channel, path, index };
      const once = index >= 0 ? { expectedRevision: 0 } : {};
      return { namespace, key: await labelOf(`${task}:${index}`), bytes, metadata, ...once };
    }),
  );
}

/** The key of the checkpoint in a record. */
export function checkpointKey({ metadata }: StoredRecord): CheckpointKey {
  const { thread, ns, id } = metadata as CheckpointNames;
  return { thread, ns, id };
}

/** The id of the parent of the checkpoint in a record; empty if it has none. */
export function parentOf({ metadata }: StoredRecord): string {
  return (metadata as CheckpointNames).parent;
}

/** The checkpoint in a record, with the writes in their records. */
export async function checkpointTuple(
  serde: SerializerProtocol,
  record: StoredRecord,
  writes: readonly StoredRecord[],
): Promise<CheckpointTuple> {
  const { checkpoint, metadata } = (await content(serde, record)) as {
    checkpoint: Checkpoint;
    metadata: CheckpointMetadata;
  };
  const key = checkpointKey(record);
  const parent = parentOf(record);
  return {
    config: configOf(key),
    checkpoint,
    metadata,
    pendingWrites: await pendingWrites(serde, writes),
    ...(parent && { parentConfig: configOf({ ...key, id: parent }) }),
  };
}

/** The writes in their records, in the order of their tasks' paths, tasks and positions. */
export function pendingWrites(
  serde: SerializerProtocol,
  records: readonly StoredRecord[],
): Promise<CheckpointPendingWrite[]> {
  const named = records.map((record) => {
    const names = record.metadata as WriteNames;
    return { record, names, key: writesSortKey(names.path, names.task, names.index) };
  });
  named.sort((one, other) => compareWritesSortKeys(one.key, other.key));
  return Promise.all(
    named.map(async ({ record, names }): Promise<CheckpointPendingWrite> => {
      return [names.task, names.channel, await content(serde, record)];
    }),
  );
}

/** The same record with a session; the put is refused if the record has changed. */
export function storedAgain({ namespace, key, bytes, metadata, revision }: StoredRecord, sessionId: string): NewRecord {
  return { namespace, key, bytes: bytes ?? new Uint8Array(), metadata, sessionId, expectedRevision: revision };
}

/** The records in groups that one put takes. */
export function* batches(records: Iterable<NewRecord>): Generator<NewRecord[]> {
  let batch: NewRecord[] = [];
  let size = 0;
  for (const record of records) {
    const length = ((record.bytes?.length ?? 0) * 4) / 3;
    if (batch.length && (batch.length === MAX_BATCH || size + length > MAX_BATCH_BYTES)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(record);
    size += length;
  }
  if (batch.length) yield batch;
}

async function content(serde: SerializerProtocol, { metadata, bytes }: StoredRecord): Promise<unknown> {
  return serde.loadsTyped((metadata as { type: string }).type, bytes ?? new Uint8Array());
}

/** The fields that JSON can represent. */
function filterable(metadata: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => isJSON(value)));
}

function isJSON(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false; // a BigInt, or a circle
  }
}
