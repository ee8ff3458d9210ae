import { useSyncExternalStore } from "react";

/** The open conversation, as the address names it: `#ses_…`, and `/12` for one of its messages. */
export interface Route {
  sessionId: string;
  sequence: number | null;
}

export const addressOf = (sessionId: string, sequence?: number) => `#${sessionId}${sequence ? `/${sequence}` : ""}`;

export function useRoute(): Route | null {
  const hash = useSyncExternalStore(
    (changed) => {
      addEventListener("hashchange", changed);
      return () => removeEventListener("hashchange", changed);
    },
    () => location.hash.slice(1),
  );
  const [sessionId, sequence] = hash.split("/");
  return sessionId ? { sessionId, sequence: sequence ? Number(sequence) : null } : null;
}
