import type { ColloquyClient } from "@colloquy/client";
import {
  type RecordPageArguments,
  type StoredRecord,
  deleteRecords,
  everyPage,
  readRecord,
  readRecords,
} from "@colloquy/client/records";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  type PendingWrite,
  type SerializerProtocol,
  TASKS,
  getCheckpointId,
  maxChannelVersion,
} from "@langchain/langgraph-checkpoint";
import {
  CHECKPOINTS,
  type CheckpointKey,
  WRITES,
  checkpointKey,
  checkpointRecord,
  checkpointTuple,
  checkpointsOf,
  configOf,
  keyOf,
  parentOf,
  pendingWrites,
  withStoredValues,
  writeRecords,
  writesOf,
} from "./checkpoints.ts";
import { ifNot } from "./errors.ts";
import { labelOf } from "./labels.ts";
import { Mirror } from "./mirror.ts";

const PAGE_SIZE = 20; // a checkpoint may be large
const WITH_OWN_SENDS = 4; // the first version of checkpoints that hold their pending sends themselves

export interface SaverOptions {
  /**
   * The channel whose messages are mirrored into a session with the thread's id as its key, from the first message on:
   * `messages` by default. Null mirrors nothing.
   */
  messages?: string | null;
  /** LangGraph's serializer. */
  serde?: SerializerProtocol;
}

/**
 * A checkpointer that stores the checkpoints of one owner, the subject of the client's token, in Colloquy. Every failure
 * is a ColloquyError. A request whose response was lost is sent again, and nothing is stored twice.
 */
export class ColloquySaver extends BaseCheckpointSaver {
  private readonly mirror: Mirror;

  constructor(
    readonly client: ColloquyClient,
    { messages = "messages", serde }: SaverOptions = {},
  ) {
    super(serde);
    this.mirror = new Mirror(client, messages);
  }

  /** The checkpoint that the config names, or the newest one without a `checkpoint_id`; undefined if there is none. */
  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    if (config.configurable?.["thread_id"] === undefined) return undefined;
    const target = keyOf(config);
    const namespace = await checkpointsOf(target);
    const found = target.id
      ? await readRecord(this.client, namespace, await labelOf(target.id))
      : (await readRecords(this.client, { namespacePrefix: namespace, last: 1 })).nodes[0];
    if (!found) return undefined;
    this.mirror.remember(target.thread, found);
    return this.tupleOf(found);
  }

  /**
   * Checkpoints, the newest first; a page is requested when the iteration reaches it. `filter` is compared as
   * PostgresSaver does: the metadata contains it. Without a `checkpoint_ns` in the config the checkpoints of all
   * namespaces are in the order in which they were stored.
   */
  async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { page, except } = await listing(config, options);
    let left = options.limit ?? Infinity;
    let after: string | null = null;
    while (left > 0) {
      const first = Math.min(PAGE_SIZE, left + 1); // one may be `before` itself
      const { nodes, pageInfo } = await readRecords(this.client, { ...page, first, after });
      const found = nodes.filter(({ key }) => key !== except).slice(0, left);
      yield* await Promise.all(found.map((record) => this.tupleOf(record)));
      left -= found.length;
      if (!pageInfo.hasNextPage) return;
      after = pageInfo.endCursor;
    }
  }

  /** Stores a checkpoint, and then its new messages; returns the config that names it. */
  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { id: parent, ...place } = keyOf(config);
    const target: CheckpointKey = { ...place, id: checkpoint.id };
    const stored = withStoredValues(checkpoint, parent, newVersions);
    await this.mirror.put(target.thread, [await checkpointRecord(this.serde, target, parent, stored, metadata)]);
    await this.mirror.append(target, stored);
    return configOf(target);
  }

  /** Stores the writes of a task at a checkpoint, all or none; a write that is stored already stays, except an error's. */
  async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string, taskPath = ""): Promise<void> {
    const target = keyOf(config);
    if (!target.id) throw new Error("The config has no `configurable.checkpoint_id`.");
    let records = await writeRecords(this.serde, target, writes, taskId, taskPath);
    while (records.length) {
      try {
        return await this.mirror.put(target.thread, records);
      } catch (error) {
        ifNot("CONFLICT", error);
        const stored = new Set((await this.writesAt(target)).map(({ key }) => key));
        records = records.filter(({ key, expectedRevision }) => expectedRevision !== 0 || !stored.has(key));
      }
    }
  }

  /** Deletes the checkpoints and the writes of a thread, and erases the session that it is mirrored in. */
  async deleteThread(threadId: string): Promise<void> {
    const label = await labelOf(String(threadId));
    for (const kind of [CHECKPOINTS, WRITES]) await deleteRecords(this.client, { namespacePrefix: [...kind, label] });
    await this.mirror.delete(String(threadId));
  }

  private async tupleOf(record: StoredRecord): Promise<CheckpointTuple> {
    const tuple = await checkpointTuple(this.serde, record, await this.writesAt(checkpointKey(record)));
    const parent = parentOf(record);
    if (tuple.checkpoint.v < WITH_OWN_SENDS && parent) await this.addSends(tuple.checkpoint, checkpointKey(record), parent);
    return tuple;
  }

  /** Gives an old checkpoint the sends that its parent's writes hold. */
  private async addSends(checkpoint: Checkpoint, key: CheckpointKey, parent: string): Promise<void> {
    const writes = await pendingWrites(this.serde, await this.writesAt({ ...key, id: parent }));
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = writes.filter(([, channel]) => channel === TASKS).map(([, , value]) => value);
    checkpoint.channel_versions[TASKS] = versions.length
      ? maxChannelVersion(...versions)
      : this.getNextVersion(undefined);
  }

  private async writesAt(target: CheckpointKey): Promise<StoredRecord[]> {
    const page = { namespacePrefix: await writesOf(target), first: 100 };
    return everyPage((after) => readRecords(this.client, { ...page, after }));
  }
}

/** The pages of a list, and the key of the checkpoint that is not listed. */
async function listing(
  { configurable = {} }: RunnableConfig,
  { before, filter }: CheckpointListOptions,
): Promise<{ page: RecordPageArguments; except: string | undefined }> {
  const { thread_id: thread, checkpoint_ns: ns, checkpoint_id: id } = configurable;
  const label = id ? await labelOf(id) : undefined;
  const newer = before && getCheckpointId(before);
  const except = newer ? await labelOf(newer) : undefined;
  const keyTo = [label, except].filter((key) => key !== undefined).sort()[0];
  const namespacePrefix = [...CHECKPOINTS];
  if (thread !== undefined) namespacePrefix.push(await labelOf(String(thread)));
  const oneNamespace = thread !== undefined && ns !== undefined; // the ids of another namespace have another order
  if (oneNamespace) namespacePrefix.push(await labelOf(ns));
  const contained = {
    ...(ns !== undefined && !oneNamespace && { ns }),
    ...(filter && Object.keys(filter).length > 0 && { metadata: filter }),
  };
  return {
    page: {
      namespacePrefix,
      filter: {
        keyFrom: label ?? null,
        keyTo: keyTo ?? null,
        metadataContains: Object.keys(contained).length ? contained : null,
      },
      orderBy: { field: oneNamespace ? "KEY" : "UPDATED_AT", direction: "DESC" },
    },
    except,
  };
}
