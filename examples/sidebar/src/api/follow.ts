import type { Api, Refused } from "./client.ts";
import type { Operation } from "./operations.ts";

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

/**
 * Follows a subscription through every lost connection: each time it subscribes again from the cursor of the last
 * event, so the server sends only what happened since. Calls `gone` when the session does not exist (any more).
 */
export function follow<Event extends { cursor: string }, Variables>(
  api: Api,
  operation: Operation<Record<string, Event>, Variables & { after: string | null }>,
  variables: Variables,
  start: string,
  onEvent: (event: Event) => void,
  gone: () => void,
): () => void {
  let cursor = start;
  let wait = FIRST_WAIT_MS;
  let stop = () => {};

  function listen() {
    stop = api.listen(operation, { ...variables, after: cursor }, next, again);
  }

  function next(data: Record<string, Event>) {
    wait = FIRST_WAIT_MS;
    for (const event of Object.values(data)) {
      cursor = event.cursor;
      onEvent(event);
    }
  }

  function again(refused?: Refused) {
    if (refused?.refusal.code === "NOT_FOUND") return gone();
    if (api.link.get() === "expired") return;
    stop = pause(wait * (0.5 + Math.random()), listen);
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  }

  listen();
  return () => stop();
}

/** Runs `then` after so many milliseconds, or as soon as the browser has a network again. */
export function pause(milliseconds: number, then: () => void): () => void {
  const timer = setTimeout(go, milliseconds);
  function go() {
    stop();
    then();
  }
  function stop() {
    clearTimeout(timer);
    removeEventListener("online", go);
  }
  addEventListener("online", go);
  return stop;
}
