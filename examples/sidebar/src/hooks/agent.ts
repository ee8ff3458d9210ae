import { useCallback, useState } from "react";
import { answer } from "../agent/demo.ts";
import type { Api } from "../api/client.ts";

const KEPT = "demo-agent";
const lives = new AbortController().signal; // never aborted: the agent goes on when another conversation is opened

// One answer after the other in each conversation.
const queues = new Map<string, Promise<void>>();

/** The demo agent of this window, and whether it answers. */
export function useAgent(api: Api) {
  const [answers, setAnswers] = useState(() => localStorage.getItem(KEPT) !== "off");

  const toggle = useCallback(() => {
    setAnswers(!answers);
    localStorage.setItem(KEPT, answers ? "off" : "on");
  }, [answers]);

  const ask = useCallback(
    (sessionId: string, question: string) => {
      const before = queues.get(sessionId) ?? Promise.resolve();
      if (answers) queues.set(sessionId, before.then(() => answer(api, sessionId, question, lives)));
    },
    [api, answers],
  );

  return { answers, toggle, ask };
}
