// The runtime of an application: the list of threads, and the runtime of each thread.

import { type AssistantRuntime, useRemoteThreadListRuntime } from "@assistant-ui/react";
import { type ColloquyClient, type Outbox, SessionListStore } from "@colloquy/client";
import { useEffect, useMemo } from "react";
import { useConversationRuntime } from "./conversation-runtime.ts";
import { type ThreadListOptions, threadListAdapter } from "./thread-list.ts";

export interface ColloquyRuntimeOptions extends ThreadListOptions {
  client: ColloquyClient;
  /** Sends what the user writes, where answers come from the server. */
  outbox?: Outbox;
  /** The hook of the runtime of a thread, such as `() => useLocalRuntime(model)`: it gets the history of its thread. */
  useThreadRuntime?: () => AssistantRuntime;
  /** The thread that is shown, such as the one in the address of the page. */
  threadId?: string | undefined;
  onThreadIdChange?: (threadId: string | undefined) => void;
}

/**
 * The runtime for `AssistantRuntimeProvider`. Without `useThreadRuntime` the answers come from the server: any agent
 * that writes into the session answers, on all devices at once.
 */
export function useColloquyRuntime({ client, outbox, useThreadRuntime, ...options }: ColloquyRuntimeOptions): AssistantRuntime {
  const { agentType, pageSize, deleteMode, title, threadId, onThreadIdChange } = options;
  const adapter = useMemo(
    () => threadListAdapter(client, given({ agentType, pageSize, deleteMode, title })),
    [client, agentType, pageSize, deleteMode, title],
  );
  const runtime = useRemoteThreadListRuntime({
    adapter,
    threadId,
    onThreadIdChange,
    runtimeHook: function useThread() {
      return useThreadRuntime ? useThreadRuntime() : useConversationRuntime(client, given({ outbox }));
    },
  });
  useListChanges(client, runtime, agentType);
  return runtime;
}

const RELOAD_MS = 500; // after the last change: a new thread gets its title soon

/** Reads the list of threads again when another device has changed it. */
function useListChanges(client: ColloquyClient, runtime: AssistantRuntime, agentType: string | undefined): void {
  useEffect(() => {
    const store = new SessionListStore(client, { filter: given({ agentType }) });
    let known: string | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const close = store.subscribe(() => {
      const { status, sessions } = store.getSnapshot();
      if (status !== "ready") return;
      const shown = sessions.map(({ id, title }) => `${id} ${title}`).sort().join();
      if (known !== undefined && known !== shown) {
        clearTimeout(timer);
        timer = setTimeout(() => void runtime.threads.reload(), RELOAD_MS);
      }
      known = shown;
    });
    return () => {
      clearTimeout(timer);
      close();
    };
  }, [client, runtime, agentType]);
}

function given<T extends object>(options: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
