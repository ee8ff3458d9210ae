import type { ColloquyClient, Outbox } from "@colloquy/client";
import { useCallback, useEffect, useState } from "react";
import { answer } from "../agent/demo.ts";

const KEPT = "demo-agent";

// One answer after the other in each conversation.
const queues = new Map<string, Promise<void>>();

/** The demo agent of this window, and whether it answers what the outbox has sent. */
export function useAgent(client: ColloquyClient, outbox: Outbox) {
  const [answers, setAnswers] = useState(() => localStorage.getItem(KEPT) !== "off");

  const toggle = useCallback(() => {
    setAnswers(!answers);
    localStorage.setItem(KEPT, answers ? "off" : "on");
  }, [answers]);

  useEffect(() => {
    if (!answers) return;
    return outbox.onSent((sessionId, { text }) => {
      const before = queues.get(sessionId) ?? Promise.resolve();
      queues.set(sessionId, before.then(() => answer(client, sessionId, text)));
    });
  }, [client, outbox, answers]);

  return { answers, toggle };
}
