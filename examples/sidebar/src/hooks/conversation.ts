import { useCallback, useEffect, useReducer } from "react";
import type { Api } from "../api/client.ts";
import { follow } from "../api/follow.ts";
import { CONVERSATION, EARLIER, SESSION_EVENTS } from "../api/operations.ts";
import { retry } from "../api/retry.ts";
import { after, type Conversation, opened, withEarlier } from "../state/conversation.ts";

/** undefined: still reading; null: there is no such conversation. */
export type Opened = Conversation | null | undefined;
export type Change = (conversation: Conversation) => Conversation;

/** One conversation: read once, then kept current by its events. */
export function useConversation(api: Api, id: string) {
  const [conversation, replace] = useReducer(
    (now: Opened, next: Change | { read: Opened }): Opened => ("read" in next ? next.read : now && next(now)),
    undefined,
  );
  const change = useCallback((next: Change) => replace(next), []);

  useEffect(() => {
    const closed = new AbortController();
    let unfollow = () => {};

    async function open() {
      const { session } = await retry(() => api.ask(CONVERSATION, { id }), closed.signal);
      replace({ read: session && opened(session) });
      if (session) unfollow = follow(api, SESSION_EVENTS, { id }, session.eventCursor, hear, leave);
    }

    function hear(event: Parameters<typeof after>[1]) {
      if (event.__typename === "StreamReset") {
        unfollow();
        void open(); // the old state stays until the new one is read
      } else change((now) => after(now, event));
    }

    function leave() {
      change((now) => ({ ...now, gone: true }));
    }

    void open();
    return () => {
      closed.abort();
      unfollow();
    };
  }, [api, id, change]);

  const loadEarlier = useCallback(
    async (before: string) => {
      const { session } = await retry(() => api.ask(EARLIER, { id, before }));
      if (session) change((now) => (now.above === before ? withEarlier(now, session.messages) : now));
    },
    [api, id, change],
  );

  return { conversation, change, loadEarlier };
}
