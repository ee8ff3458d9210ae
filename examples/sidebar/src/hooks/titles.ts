import type { Session } from "@colloquy/client";
import { useClient } from "@colloquy/react";
import { useEffect, useState } from "react";

const PAUSE_MS = 200;

/** The conversations with these words in their title, once typing pauses. */
export function useTitles(words: string): readonly Session[] {
  const client = useClient();
  const [found, setFound] = useState<readonly Session[]>([]);
  useEffect(() => {
    if (!words) return setFound([]);
    const abort = new AbortController();
    const timer = setTimeout(() => {
      client.sessions({ first: 5, filter: { query: words } }, { signal: abort.signal }).then(
        ({ nodes }) => setFound(nodes),
        () => {}, // the next words are searched all the same
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [client, words]);
  return found;
}
