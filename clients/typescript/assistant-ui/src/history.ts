// The history of a thread: each message of assistant-ui is a message of the session, with its record as document.

import {
  type ChatModelRunResult,
  ExportedMessageRepository,
  type GenericThreadHistoryAdapter,
  type MessageFormatAdapter,
  type MessageFormatItem,
  type ThreadHistoryAdapter,
  type ThreadMessage,
  type ThreadMessageLike,
} from "@assistant-ui/react";
import { type ColloquyClient, ColloquyError, type MessageRole } from "@colloquy/client";
import { answer } from "./answer.ts";
import { aiSdkContent } from "./ai-sdk.ts";
import { idOf, shown } from "./messages.ts";
import { type StoredMessage, type StoredRecord, readThread, recordOf } from "./stored.ts";

/** The format of records that hold a ThreadMessage. */
const FORMAT = "aui/thread-message";

/** The thread of a history, as `useAui().threadListItem` has it. */
export interface Thread {
  getState(): { remoteId?: string | undefined };
  initialize(): Promise<{ remoteId: string }>;
}

/** The history of one thread. `thread` is called at each use, so it may return another object. */
export function historyAdapter(client: ColloquyClient, { thread }: { thread(): Thread }): ThreadHistoryAdapter {
  const store = new RecordStore(client, thread);
  return {
    async load() {
      const { messages, approvals } = await store.read();
      const complete = messages.filter(({ status }) => status !== "STREAMING");
      const likes = new Map(shown(complete, approvals).map((like) => [like.metadata!.custom!.colloquyId, like]));
      const items = withParents(complete, (stored) => threadMessageOf(stored, likes.get(stored.id)), ({ id }) => id);
      const streaming = messages.at(-1)?.status === "STREAMING";
      return { messages: items, headId: items.at(-1)?.message.id ?? null, unstable_resume: streaming };
    },

    async *resume({ abortSignal }): AsyncGenerator<ChatModelRunResult, void, void> {
      const { remoteId } = await thread().initialize();
      yield* answer(client, remoteId, abortSignal);
    },

    async append({ message, parentId }) {
      const stored = message.metadata.custom.colloquyId;
      if (typeof stored === "string") store.learn(message.id, stored);
      else await store.put(message.role, threadRecord(message, parentId));
    },

    async update({ message, parentId }) {
      await store.put(message.role, threadRecord(message, parentId));
    },

    async delete(items) {
      await store.delete(items.map(({ message }) => message.id));
    },

    withFormat: <TMessage, TContent extends Record<string, unknown>>(format: MessageFormatAdapter<TMessage, TContent>) =>
      formatted(store, format),
  };
}

/** The same history in another storage format, such as that of AI SDK. */
function formatted<TMessage, TContent extends Record<string, unknown>>(
  store: RecordStore,
  adapter: MessageFormatAdapter<TMessage, TContent>,
): GenericThreadHistoryAdapter<TMessage> {
  const { format } = adapter;
  const getId = (message: TMessage) => adapter.getId(message);
  const record = (item: MessageFormatItem<TMessage>): StoredRecord => ({
    id: getId(item.message),
    parent_id: item.parentId,
    format,
    content: adapter.encode(item),
  });
  const put = async (item: MessageFormatItem<TMessage>) => {
    const { role } = item.message as { role?: unknown };
    await store.put(typeof role === "string" ? role : "assistant", record(item));
  };
  const message = (stored: StoredMessage): TMessage | null => {
    const found = recordOf(stored);
    const content = found?.format === format ? found.content : aiSdkContent(stored, format);
    const id = found?.id ?? idOf(stored);
    return content && adapter.decode({ id, parent_id: found?.parent_id ?? null, format, content: content as TContent }).message;
  };
  return {
    async load() {
      const { messages } = await store.read();
      const items = withParents(messages.filter(({ status }) => status !== "STREAMING"), message, getId);
      return { messages: items, headId: items.length ? getId(items.at(-1)!.message) : null };
    },
    append: put,
    update: put,
    async delete(items) {
      await store.delete(items.map((item) => getId(item.message)));
    },
  };
}

/** The records of a session, by the ids that assistant-ui gave them. */
class RecordStore {
  private readonly ids = new Map<string, string>();

  constructor(
    private readonly client: ColloquyClient,
    private readonly thread: () => Thread,
  ) {}

  async read() {
    const { remoteId } = this.thread().getState();
    if (remoteId === undefined) return { messages: [], approvals: [] };
    const read = await readThread(this.client, remoteId);
    for (const stored of read.messages) this.learn(recordOf(stored)?.id ?? idOf(stored), stored.id);
    return read;
  }

  /** A message of assistant-ui is stored as this message. */
  learn(id: string, storedId: string): void {
    this.ids.set(id, storedId);
  }

  /** Stores a record, or replaces the one with its id. */
  async put(role: string, record: StoredRecord): Promise<void> {
    const { remoteId } = await this.thread().initialize();
    const raw = JSON.stringify(record);
    const stored = this.ids.get(record.id);
    if (stored !== undefined) {
      await this.client.updateMessage(stored, { raw });
      return;
    }
    try {
      const message = { key: record.id, role: role.toUpperCase() as MessageRole, raw };
      this.learn(record.id, (await this.client.appendMessage(remoteId, message)).id);
    } catch (error) {
      if (!(error instanceof ColloquyError) || error.code !== "CONFLICT") throw error;
      await this.read(); // another window has stored this id
      const other = this.ids.get(record.id);
      if (other === undefined) throw error;
      await this.client.updateMessage(other, { raw });
    }
  }

  async delete(ids: readonly string[]): Promise<void> {
    if (ids.some((id) => !this.ids.has(id))) await this.read();
    for (const stored of ids.flatMap((id) => this.ids.get(id) ?? [])) await this.client.deleteMessage(stored).catch(isAbsent);
  }
}

/** Deleting twice is no failure. */
function isAbsent(error: unknown): void {
  if (!(error instanceof ColloquyError) || error.code !== "NOT_FOUND") throw error;
}

/** Each message with its parent: that of its record if it is loaded, else the message before it. */
function withParents<T>(
  messages: readonly StoredMessage[],
  make: (stored: StoredMessage) => T | null,
  id: (message: T) => string,
): { message: T; parentId: string | null }[] {
  const items: { message: T; parentId: string | null }[] = [];
  const known = new Set<string>();
  for (const stored of messages) {
    const message = make(stored);
    if (message === null) continue;
    const before = items.at(-1);
    const parent = recordOf(stored)?.parent_id;
    const isFirst = parent === null && recordOf(stored) !== null;
    const parentId = parent && known.has(parent) ? parent : isFirst || !before ? null : id(before.message);
    items.push({ message, parentId });
    known.add(id(message));
  }
  return items;
}

function threadRecord(message: ThreadMessage, parentId: string | null): StoredRecord {
  const attachments = message.attachments?.map(({ file: _, ...attachment }) => attachment); // a File has no JSON
  return { id: message.id, parent_id: parentId, format: FORMAT, content: { ...message, ...(attachments && { attachments }) } };
}

/** A message of this format as it was, any other as `like`; null if it is not shown. */
function threadMessageOf(stored: StoredMessage, like: ThreadMessageLike | undefined): ThreadMessage | null {
  const record = recordOf(stored);
  if (record?.format === FORMAT) {
    const message = record.content as unknown as ThreadMessage;
    return { ...message, createdAt: new Date(message.createdAt) };
  }
  return like ? ExportedMessageRepository.fromArray([like]).messages[0]!.message : null;
}
