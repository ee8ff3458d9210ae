// The messages of a thread as a session, so that the thread has a title, is listed and is searched.
//
// The key of the session is the thread id, and the key of a message is its id in LangGraph. Each message is appended
// once: later changes and removals in the state are not mirrored. The records of the thread are erased with the session.

import type { ColloquyClient, MessageInput, MessageRole } from "@colloquy/client";
import { type NewRecord, type StoredRecord, everyPage, putRecords, readRecords } from "@colloquy/client/records";
import { type BaseMessage, isBaseMessage } from "@langchain/core/messages";
import type { Checkpoint } from "@langchain/langgraph-checkpoint";
import { CHECKPOINTS, type CheckpointKey, WRITES, batches, storedAgain } from "./checkpoints.ts";
import { ifNot } from "./errors.ts";
import { labelOf } from "./labels.ts";

const MAX_THREADS = 1_000; // in the caches
const MAX_BATCH = 100;
const ROLES: Partial<Record<string, MessageRole>> = {
  human: "USER",
  ai: "ASSISTANT",
  system: "SYSTEM",
  tool: "TOOL",
  function: "TOOL",
};
const CREATED_BY = "langgraph";

/** The sessions of threads, and which of their messages are stored. Without a `channel` no thread has a session. */
export class Mirror {
  private readonly sessions = new Map<string, string>();
  private readonly stored = new Map<string, Set<string>>();

  constructor(
    private readonly client: ColloquyClient,
    private readonly channel: string | null,
  ) {}

  /** Takes the session of a thread from one of its records. */
  remember(thread: string, { session }: StoredRecord): void {
    if (session) this.cache(thread, session.id);
  }

  /** Stores records of a thread, with its session. */
  async put(thread: string, records: Iterable<NewRecord>): Promise<void> {
    for (const batch of batches(records)) {
      const sessionId = this.sessions.get(thread) ?? null;
      try {
        await putRecords(this.client, batch.map((record) => ({ ...record, sessionId })));
      } catch (error) {
        if (sessionId === null) throw error;
        ifNot("NOT_FOUND", error);
        this.forget(thread); // the session was deleted
        await putRecords(this.client, batch);
      }
    }
  }

  /** Appends the messages of a checkpoint that its session lacks; those of subgraphs are not appended. */
  async append(target: CheckpointKey, checkpoint: Checkpoint): Promise<void> {
    if (target.ns || this.channel === null) return;
    const known = this.stored.get(target.thread);
    const drafts = draftsOf(checkpoint.channel_values[this.channel]).filter(({ key }) => !known?.has(key));
    if (!drafts.length) return;
    const sessionId = this.sessions.get(target.thread) ?? (await this.open(target.thread));
    for (let start = 0; start < drafts.length; start += MAX_BATCH) {
      await this.appendBatch(sessionId, drafts.slice(start, start + MAX_BATCH));
    }
    const stored = this.stored.get(target.thread) ?? new Set();
    for (const { key } of drafts) stored.add(key);
    this.stored.set(target.thread, stored);
  }

  /** Erases the session of a thread, if a mirror has created it. */
  async delete(thread: string): Promise<void> {
    this.forget(thread);
    if (this.channel === null) return;
    const session = await this.client.session({ key: await labelOf(thread) });
    const metadata = session?.metadata;
    if (session && typeof metadata === "object" && metadata && CREATED_BY in metadata) {
      await this.client.deleteSession(session.id, "HARD").catch((error) => ifNot("NOT_FOUND", error));
    }
  }

  /** The id of the thread's session, which is created if there is none; the thread's records get it too. */
  private async open(thread: string): Promise<string> {
    const label = await labelOf(thread);
    const { id } = (await this.client.session({ key: label })) ?? (await this.create(thread, label));
    this.cache(thread, id);
    for (const kind of [CHECKPOINTS, WRITES]) {
      const namespacePrefix = [...kind, label];
      const page = { namespacePrefix, first: MAX_BATCH / 5 };
      for (const record of await everyPage((after) => readRecords(this.client, { ...page, after }))) {
        if (!record.session) await this.link(record, id);
      }
    }
    return id;
  }

  private async create(thread: string, key: string): Promise<{ id: string }> {
    try {
      return await this.client.createSession({ key, status: "ACTIVE", metadata: { [CREATED_BY]: { thread } } });
    } catch (error) {
      ifNot("CONFLICT", error);
      const found = await this.client.session({ key }); // of another process
      if (!found) throw error;
      return found;
    }
  }

  private async link(record: StoredRecord, sessionId: string): Promise<void> {
    // After a conflict a newer put has the session.
    await putRecords(this.client, [storedAgain(record, sessionId)]).catch((error) => ifNot("CONFLICT", error));
  }

  /** Appends messages; one whose key is stored with another content stays as it is. */
  private async appendBatch(sessionId: string, drafts: readonly Draft[]): Promise<void> {
    try {
      await this.client.appendMessages(sessionId, [...drafts]);
    } catch (error) {
      ifNot("CONFLICT", error);
      for (const draft of drafts) {
        await this.client.appendMessage(sessionId, draft).catch((again) => ifNot("CONFLICT", again));
      }
    }
  }

  private cache(thread: string, sessionId: string): void {
    if (this.sessions.size >= MAX_THREADS) {
      this.sessions.clear();
      this.stored.clear();
    }
    this.sessions.set(thread, sessionId);
  }

  private forget(thread: string): void {
    this.sessions.delete(thread);
    this.stored.delete(thread);
  }
}

type Draft = MessageInput & { key: string };

/** The messages with an id as they are appended. */
function draftsOf(value: unknown): Draft[] {
  if (!Array.isArray(value)) return [];
  return value.filter((each): each is BaseMessage => isBaseMessage(each)).flatMap((message) => draftOf(message) ?? []);
}

function draftOf(message: BaseMessage): Draft | undefined {
  const role = ROLES[message.getType()];
  return role && message.id ? { role, raw: JSON.stringify(message.toDict()), key: message.id } : undefined;
}
