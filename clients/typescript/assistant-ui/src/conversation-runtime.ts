// The runtime of one thread whose answers come from the server: what any device and any agent writes appears as it comes.

import {
  type AppendMessage,
  type AssistantRuntime,
  type ThreadMessageLike,
  useAui,
  useAuiState,
  useExternalStoreRuntime,
} from "@assistant-ui/react";
import {
  type ColloquyClient,
  type ConversationSnapshot,
  ConversationStore,
  type Message,
  type MessageInput,
  Outbox,
  type Outgoing,
} from "@colloquy/client";
import { useMemo, useSyncExternalStore } from "react";
import { shown } from "./messages.ts";

export interface ConversationRuntimeOptions {
  /** Sends what the user writes; without it one that a reload empties. */
  outbox?: Outbox;
}

const NOTHING: Pick<ConversationSnapshot, "status" | "messages" | "approvals" | "outgoing" | "hasEarlier"> = {
  status: "ready",
  messages: [],
  approvals: [],
  outgoing: [],
  hasEarlier: false,
};
const never = () => () => {};

/** The runtime of the thread around it, current while it is mounted: for `useColloquyRuntime`, which uses it by default. */
export function useConversationRuntime(client: ColloquyClient, options: ConversationRuntimeOptions = {}): AssistantRuntime {
  const aui = useAui();
  const remoteId = useAuiState((state) => state.threadListItem.remoteId);
  const outbox = useMemo(() => options.outbox ?? new Outbox(client), [client, options.outbox]);
  const store = useMemo(
    () => (remoteId === undefined ? null : new ConversationStore(client, remoteId, { outbox })),
    [client, remoteId, outbox],
  );
  const snapshot = useSyncExternalStore(
    store?.subscribe ?? never,
    store?.getSnapshot ?? (() => NOTHING),
    store?.getSnapshot ?? (() => NOTHING),
  );
  const { status, hasEarlier } = snapshot;
  const messages = useMemo(() => messagesOf(snapshot), [snapshot]);
  const streaming = snapshot.messages.findLast((message) => message.status === "STREAMING");
  return useExternalStoreRuntime<ThreadMessageLike>({
    messages,
    convertMessage: (message) => message,
    isLoading: status === "loading",
    isRunning: streaming !== undefined,
    hasEarlier,
    onLoadEarlier: async () => store?.loadEarlier(),
    async onNew(message) {
      const { remoteId } = await aui.threadListItem.initialize();
      outbox.send(remoteId, inputOf(message));
    },
    async onCancel() {
      if (streaming) await client.cancelMessage(streaming.id);
    },
    async onAddToolResult({ toolCallId, result, isError }) {
      const block = { type: "tool_result", tool_use_id: toolCallId, content: result, is_error: isError };
      const raw = JSON.stringify({ role: "user", content: [block] });
      if (remoteId !== undefined) await client.appendMessage(remoteId, { key: `result:${toolCallId}`, role: "TOOL", raw });
    },
    async onRespondToToolApproval({ approvalId, approved, reason }) {
      await client.decideApproval(approvalId, approved ? "APPROVE" : "REJECT", reason);
    },
  });
}

function messagesOf({ messages, approvals, outgoing }: typeof NOTHING): ThreadMessageLike[] {
  return [...shown(messages, approvals), ...outgoing.flatMap(outgoingOf)];
}

function outgoingOf({ key, message: { text }, error }: Outgoing): ThreadMessageLike[] {
  const custom = error ? { colloquyError: error } : {};
  return [{ id: key, role: "user", content: [{ type: "text", text: text ?? "" }], metadata: { custom } }];
}

/** A text as a text; with attachments or other parts, the message of assistant-ui as document. */
function inputOf({ role, content, attachments = [], metadata }: AppendMessage): Omit<MessageInput, "key"> {
  const [only] = content;
  const kind = role.toUpperCase() as Message["role"];
  if (content.length === 1 && only?.type === "text" && !attachments.length) return { role: kind, text: only.text };
  const files = attachments.map(({ file: _, ...attachment }) => attachment); // a File has no JSON
  return { role: kind, raw: JSON.stringify({ role, content, attachments: files, metadata }) };
}
