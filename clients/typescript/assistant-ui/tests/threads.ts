// Threads and messages as assistant-ui has them.

import type { ThreadAssistantMessage, ThreadUserMessage } from "@assistant-ui/react";
import type { Thread } from "@colloquy/assistant-ui";
import type { ColloquyClient } from "@colloquy/client";
import type { AssistantStream } from "assistant-stream";

/** The thread of a session; without one the first message makes it. */
export function threadOf(client: ColloquyClient, remoteId?: string): Thread {
  return {
    getState: () => ({ remoteId }),
    initialize: async () => ({ remoteId: (remoteId ??= (await client.createSession()).id) }),
  };
}

export function userMessage(id: string, text: string): ThreadUserMessage {
  const createdAt = new Date("2026-11-27T06:44:36.777Z");
  return { id, role: "user", createdAt, content: [{ type: "text", text }], attachments: [], metadata: { custom: {} } };
}

export function assistantMessage(id: string, content: ThreadAssistantMessage["content"]): ThreadAssistantMessage {
  const createdAt = new Date("2026-11-27T06:44:37.777Z");
  const unstable = { unstable_state: null, unstable_annotations: [], unstable_data: [] };
  const metadata = { ...unstable, steps: [], custom: {} };
  return { id, role: "assistant", createdAt, content, status: { type: "complete", reason: "stop" }, metadata };
}

/** The text of a stream such as a title. */
export async function textOf(stream: AssistantStream): Promise<string> {
  let text = "";
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return text;
    if (value.type === "text-delta") text += value.textDelta;
  }
}
