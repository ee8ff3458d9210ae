import { Refused } from "./client.ts";
import { pause } from "./follow.ts";

const LONGEST_WAIT_MS = 5_000;
const TRANSIENT = ["UNAVAILABLE", "TIMEOUT"]; // the codes of a server whose database is unreachable

/**
 * Sends a request until it is answered, however long the network or the database is unreachable. The server may get
 * it more than once, so a write needs a key. Throws Refused; the promise stays pending once the signal has aborted.
 */
export async function retry<T>(send: () => Promise<T>, signal?: AbortSignal, waiting = () => {}): Promise<T> {
  for (let wait = 250; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      const answer = await send();
      return signal?.aborted ? await never() : answer;
    } catch (error) {
      if (error instanceof Refused && !TRANSIENT.includes(error.refusal.code)) throw error;
      waiting();
      await new Promise<void>((resolve) => pause(wait * (0.5 + Math.random()), resolve));
      if (signal?.aborted) return never();
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
