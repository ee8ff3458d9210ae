import { useSyncExternalStore } from "react";

/** Which conversation is open is written in the address: `#ses_…`, and `/12` for one of its messages. */
export interface Place {
  sessionId: string;
  sequence: number | null;
}

export const addressOf = (sessionId: string, sequence?: number) => `#${sessionId}${sequence ? `/${sequence}` : ""}`;

export function usePlace(): Place | null {
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
