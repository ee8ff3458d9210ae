// The answer that is being written in a session, whoever writes it.

import type { ChatModelRunResult } from "@assistant-ui/react";
import { type ColloquyClient, ConversationStore, type Message } from "@colloquy/client";
import { answerParts } from "./messages.ts";

/**
 * The newest streaming message of a session while it grows, and as it ends. An aborted signal cancels the message,
 * unless the runtime only leaves the thread.
 */
export async function* answer(
  client: ColloquyClient,
  sessionId: string,
  signal: AbortSignal,
): AsyncGenerator<ChatModelRunResult, void, void> {
  const store = new ConversationStore(client, sessionId);
  let id: string | undefined;
  let wake = () => {};
  let changed = true;
  const change = () => {
    changed = true;
    wake();
  };
  const close = store.subscribe(change);
  signal.addEventListener("abort", change);
  try {
    while (!signal.aborted) {
      if (!changed) await new Promise<void>((resolve) => (wake = resolve));
      changed = false;
      const { status, messages } = store.getSnapshot();
      if (status === "loading") continue;
      id ??= messages.findLast((message) => message.status === "STREAMING")?.id;
      const message = messages.find((other) => other.id === id);
      if (!message) return;
      yield resultOf(message);
      if (message.status !== "STREAMING") return;
    }
    const { detach } = (signal.reason ?? {}) as { detach?: boolean };
    if (id !== undefined && !detach) await client.cancelMessage(id);
  } finally {
    close();
    signal.removeEventListener("abort", change);
  }
}

function resultOf(message: Message): ChatModelRunResult {
  const stopped = message.status === "CANCELLED" && { status: { type: "incomplete", reason: "cancelled" } as const };
  const failed = message.status === "FAILED" && { status: { type: "incomplete", reason: "error" } as const };
  // The message is stored already: the history finds it by this id.
  return { content: answerParts(message) as never, ...stopped, ...failed, metadata: { custom: { colloquyId: message.id } } };
}
