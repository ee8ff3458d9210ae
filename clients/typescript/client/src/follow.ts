import { ColloquyError, asColloquyError } from "./errors.ts";
import type { Live } from "./live.ts";
import { type Network, backoff, pause } from "./network.ts";
import type { Document } from "./requests.ts";
import type { Tokens } from "./tokens.ts";

export interface Following {
  live: Live;
  tokens: Tokens;
  network: Network;
}

export interface Handlers<Event> {
  event(event: Event): void;
  /** The end: without an error the server completed the subscription. Not called after the stop. */
  end(error?: ColloquyError): void;
}

/**
 * Follows a subscription through lost connections and expired tokens: each time it subscribes again after the cursor
 * of the last event. Ends at errors that no retry mends, such as NOT_FOUND. Returns the function that stops it.
 */
export function follow<Event extends { cursor: string }, Variables extends { after?: string | null | undefined }>(
  { live, tokens, network }: Following,
  document: Document<Record<string, Event>, Variables>,
  variables: Variables,
  handlers: Handlers<Event>,
): () => void {
  const stopped = new AbortController();
  let after = variables.after;
  let failures = 0;
  let refusals = 0;

  function next(data: Record<string, unknown>): void {
    failures = refusals = 0;
    for (const event of Object.values(data) as Event[]) {
      after = event.cursor;
      handlers.event(event);
    }
  }

  function attempt(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { signal } = stopped;
      const stop = () => {
        unsubscribe();
        resolve();
      };
      const end = (error?: ColloquyError) => {
        signal.removeEventListener("abort", stop);
        if (error) reject(error);
        else resolve();
      };
      const unsubscribe = live.subscribe(document.toString(), { ...variables, after }, { next, end });
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  function isFatal(error: ColloquyError): boolean {
    if (error.code === "UNAUTHENTICATED") return !tokens.renewable || ++refusals > 1;
    return !error.transient || (error.code === "RATE_LIMITED" && !error.retryAfter); // too many subscriptions
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        await tokens.get();
        if (!stopped.signal.aborted) await attempt();
        if (!stopped.signal.aborted) handlers.end();
        return;
      } catch (error) {
        const failure = asColloquyError(error);
        if (stopped.signal.aborted) return;
        if (isFatal(failure)) return handlers.end(failure);
        await pause(backoff(failures++, failure.retryAfter), network, stopped.signal, !!failure.retryAfter);
        while (!network.online && !stopped.signal.aborted) await pause(60_000, network, stopped.signal);
      }
    }
  }

  void run();
  return () => stopped.abort();
}

/** The same as an iterator. A reader that stops reading (`break`) ends the subscription. Throws ColloquyError. */
export async function* events<Event extends { cursor: string }, Variables extends { after?: string | null | undefined }>(
  following: Following,
  document: Document<Record<string, Event>, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): AsyncGenerator<Event, void, void> {
  const waiting: Event[] = [];
  let wake = () => {};
  let ended: { error?: ColloquyError | undefined } | undefined;
  const end = (error?: ColloquyError) => {
    ended ??= { error };
    wake();
  };
  const abort = () => end();
  signal?.addEventListener("abort", abort);
  const stop = follow(following, document, variables, {
    event(event) {
      waiting.push(event);
      wake();
    },
    end,
  });
  try {
    while (!signal?.aborted) {
      const event = waiting.shift();
      if (event) yield event;
      else if (ended) break;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    if (ended?.error) throw ended.error;
  } finally {
    stop();
    signal?.removeEventListener("abort", abort);
  }
}
