import { useEffect, useState } from "react";
import type { Api } from "../api/client.ts";
import { type Hit, SEARCH } from "../api/operations.ts";
import type { Session } from "../api/types.ts";

const PAUSE_MS = 200;

export interface Found {
  sessions: Session[];
  hits: Hit[];
}

/** The results for these words, once typing pauses; undefined before. The last results stay while the user types. */
export function useSearch(api: Api, words: string): Found | undefined {
  const [found, setFound] = useState<Found>();
  useEffect(() => {
    let current = true;
    if (!words) setFound(undefined);
    const timer = setTimeout(async () => {
      if (!words) return;
      const answer = await api.ask(SEARCH, { words, title: words }).catch(() => undefined);
      if (current && answer) setFound({ sessions: answer.sessions.nodes, hits: answer.searchMessages.edges });
    }, PAUSE_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [api, words]);
  return found;
}
