import {
  type Approval,
  type ColloquyError,
  type ConnectionState,
  type ConversationSnapshot,
  ConversationStore,
  type Decision,
  type Message,
  type Readable,
  type SearchHit,
  type SessionListOptions,
  type SessionListSnapshot,
  SessionListStore,
} from "@colloquy/client";
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useClient, useColloquy } from "./provider.ts";

const SEARCH_PAUSE_MS = 200;

/** The snapshot of a store. A server renders what the store has before it is read: `loading`. */
function useStore<T>(store: Readable<T>): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
}

/** Whether events arrive. */
export function useConnection(): ConnectionState {
  return useStore(useClient().connection);
}

export interface Sessions extends SessionListSnapshot {
  loadMore(): Promise<void>;
}

/** The viewer's sessions, current while the component is mounted. */
export function useSessions({ filter = {}, pageSize = 30 }: SessionListOptions = {}): Sessions {
  const client = useClient();
  const { archived = false, agentType = null } = filter;
  const store = useMemo(
    () => new SessionListStore(client, { filter: { archived, agentType }, pageSize }),
    [client, archived, agentType, pageSize],
  );
  const snapshot = useStore(store);
  return useMemo(() => ({ ...snapshot, loadMore: () => store.loadMore() }), [snapshot, store]);
}

/** How many sessions of the viewer have unread messages. */
export function useUnread(): number {
  const client = useClient();
  const store = useMemo(() => new SessionListStore(client, { pageSize: 1 }), [client]);
  return useStore(store).unreadSessionCount;
}

export interface Conversation extends ConversationSnapshot {
  /** Sends a message by the provider's outbox; returns its key. */
  send: ConversationStore["send"];
  loadEarlier(): Promise<void>;
  markRead(): Promise<void>;
  /** Decides the approval of a tool call. */
  decide(approvalId: string, decision: Decision, notes?: string): Promise<Approval>;
  /** Sends a refused message again. */
  retry(key: string): void;
  /** Removes a message from the outbox. */
  discard(key: string): void;
}

/** One conversation, current while the component is mounted. */
export function useConversation(sessionId: string, pageSize = 50): Conversation {
  const { client, outbox } = useColloquy();
  const store = useMemo(
    () => new ConversationStore(client, sessionId, { outbox, pageSize }),
    [client, outbox, sessionId, pageSize],
  );
  const snapshot = useStore(store);
  const actions = useMemo(
    () => ({
      send: store.send.bind(store),
      loadEarlier: () => store.loadEarlier(),
      markRead: () => store.markRead(),
      decide: (id: string, decision: Decision, notes?: string) => client.decideApproval(id, decision, notes),
      retry: (key: string) => outbox.retry(key),
      discard: (key: string) => outbox.remove(key),
    }),
    [client, outbox, store],
  );
  return useMemo(() => ({ ...snapshot, ...actions }), [snapshot, actions]);
}

export interface CurrentAnswer {
  /** The newest message that is being written; null when there is none. */
  message: Message | null;
  /** Stops it, on whatever device it is written; its text stays. */
  stop(): Promise<void>;
}

/** The answer that is being written in a conversation of `useConversation`. */
export function useAnswer({ messages }: Pick<ConversationSnapshot, "messages">): CurrentAnswer {
  const client = useClient();
  const message = messages.findLast(({ status }) => status === "STREAMING") ?? null;
  const id = message?.id;
  const stop = useCallback(async () => {
    if (id !== undefined) await client.cancelMessage(id);
  }, [client, id]);
  return useMemo(() => ({ message, stop }), [message, stop]);
}

export interface Search {
  hits: readonly SearchHit[];
  /** The words changed, and their hits have not come yet; `hits` are those of the words before. */
  searching: boolean;
  error: ColloquyError | null;
}

const NOTHING: Search & { words: string } = { words: "", hits: [], searching: false, error: null };

/** Messages that contain the words, once typing pauses. */
export function useSearch(query: string): Search {
  const client = useClient();
  const words = query.trim();
  const [found, setFound] = useState(NOTHING);
  useEffect(() => {
    if (!words) return setFound(NOTHING);
    const abort = new AbortController();
    const { signal } = abort;
    const show = (next: Partial<Search>) => signal.aborted || setFound({ ...NOTHING, words, ...next });
    const timer = setTimeout(() => {
      client.search(words, {}, { signal }).then(
        ({ hits }) => show({ hits }),
        (error: unknown) => show({ error: error as ColloquyError }),
      );
    }, SEARCH_PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [client, words]);
  const { hits, error } = words ? found : NOTHING;
  const searching = words !== found.words;
  return useMemo(() => ({ hits, error, searching }), [hits, error, searching]);
}
