import { useCallback, useEffect, useRef, useState } from "react";
import type { Api } from "../api/client.ts";
import { APPEND_MESSAGE } from "../api/operations.ts";
import { patiently } from "../api/patiently.ts";
import { newKey } from "../keys.ts";
import { withMessage } from "../state/conversation.ts";
import type { Change } from "./conversation.ts";

/** What a person has sent and the server has not confirmed yet. */
export interface Outgoing {
  key: string;
  text: string;
  state: "sending" | "waiting" | "refused";
  why?: string;
}

/**
 * Sends one message after the other. Each has a key: by it the server stores it once however often it is sent, and
 * this page knows its own echo among the events.
 */
export function useOutgoing(api: Api, sessionId: string, change: (next: Change) => void, sent: () => void) {
  const [outgoing, setOutgoing] = useState<Outgoing[]>([]);
  const queue = useRef(Promise.resolve());
  const closed = useRef(new AbortController());
  useEffect(() => {
    closed.current = new AbortController();
    return () => closed.current.abort();
  }, []);

  const send = useCallback(
    (text: string) => {
      const key = newKey();
      const mark = (next: Partial<Outgoing>) =>
        setOutgoing((all) => all.map((one) => (one.key === key ? { ...one, ...next } : one)));
      const message = { key, role: "USER", text };

      async function deliver() {
        try {
          const appended = await patiently(
            () => api.act(APPEND_MESSAGE, { sessionId, message }),
            closed.current.signal,
            () => mark({ state: "waiting" }),
          );
          change((now) => withMessage(now, appended.message));
          setOutgoing((all) => all.filter((one) => one.key !== key));
          sent();
        } catch (error) {
          mark({ state: "refused", why: (error as Error).message });
        }
      }

      setOutgoing((all) => [...all, { key, text, state: "sending" }]);
      queue.current = queue.current.then(deliver);
    },
    [api, sessionId, change, sent],
  );

  return { outgoing, send };
}
