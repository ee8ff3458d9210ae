import { useEffect, useMemo } from "react";
import type { Outbox } from "../api/outbox.ts";
import { type Conversation, withMessage } from "../state/conversation.ts";
import type { Change, Opened } from "./conversation.ts";
import { useValue } from "./value.ts";

/** The messages on their way to this conversation. */
export function useOutgoing(outbox: Outbox, id: string, conversation: Opened, change: (next: Change) => void) {
  const all = useValue(outbox.outgoing);
  const ours = useMemo(() => all.filter(({ sessionId }) => sessionId === id), [all, id]);
  const known = keysOf(conversation);

  useEffect(() => {
    for (const { key, message } of ours) {
      if (known.has(key)) outbox.forget(key);
      else if (message) change((now) => withMessage(now, message));
    }
  });

  return ours.filter(({ key }) => !known.has(key));
}

function keysOf(conversation: Conversation | null | undefined): Set<string | null> {
  return new Set(conversation?.messages.map(({ key }) => key));
}
