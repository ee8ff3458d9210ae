import { Refused } from "./client.ts";
import { pause } from "./follow.ts";

const LONGEST_WAIT_MS = 5_000;
const PASSING = ["INTERNAL", "TIMEOUT"]; // how a server answers whose database is away

/**
 * Asks until there is an answer, however long the network or the database is away. The same question may reach the server more than
 * once, so a write needs a key. Throws Refused; never answers once the signal has aborted.
 */
export async function patiently<T>(ask: () => Promise<T>, signal?: AbortSignal, waiting = () => {}): Promise<T> {
  for (let wait = 250; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      const answer = await ask();
      return signal?.aborted ? await never() : answer;
    } catch (error) {
      if (error instanceof Refused && !PASSING.includes(error.refusal.code)) throw error;
      waiting();
      await new Promise<void>((resolve) => pause(wait * (0.5 + Math.random()), resolve));
      if (signal?.aborted) return never();
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
