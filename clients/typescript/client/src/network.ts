/** What a client observes of its machine: whether there is a network, and when connections must be replaced. */
export interface Network {
  /** False only if the machine is certainly without a network. */
  readonly online: boolean;
  /** Calls `listener` when the network is back or the machine wakes up: waits end, open sockets are not trusted. */
  subscribe(listener: () => void): () => void;
}

const TICK_MS = 5_000;
const SLEEP_MS = 90_000; // a hidden tab gets one tick a minute; a longer gap is a machine that slept

/** The network of a browser or worker; in Node always online. A machine that sleeps is found by the gap in its clock. */
export function machineNetwork(): Network {
  const listeners = new Set<() => void>();
  const notify = () => {
    for (const listener of [...listeners]) listener();
  };
  let stop: (() => void) | undefined;

  function start(): () => void {
    let last = Date.now();
    const tick = () => {
      const gap = Date.now() - last;
      last = Date.now();
      if (gap > SLEEP_MS) notify();
    };
    const timer = setInterval(tick, TICK_MS);
    (timer as { unref?: () => void }).unref?.(); // a program in Node may end
    const { addEventListener: add, removeEventListener: remove } = globalThis as Partial<typeof globalThis>;
    add?.("online", notify);
    add?.("pageshow", tick);
    add?.("focus", tick);
    return () => {
      clearInterval(timer);
      remove?.("online", notify);
      remove?.("pageshow", tick);
      remove?.("focus", tick);
    };
  }

  return {
    get online() {
      return globalThis.navigator?.onLine !== false; // undefined in Node
    },
    subscribe(listener) {
      listeners.add(listener);
      stop ??= start();
      return () => {
        listeners.delete(listener);
        if (!listeners.size) {
          stop?.();
          stop = undefined;
        }
      };
    },
  };
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

/** A random wait before the attempt after `failures`, in milliseconds: clients of a restarted server come spread out. */
export function backoff(failures: number, retryAfter = 0): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
  return retryAfter * 1000 + most * (0.2 + 0.8 * Math.random());
}

/** Resolves after so many milliseconds or, unless the server asked for the wait, as soon as the network is back. */
export function pause(milliseconds: number, network: Network, signal?: AbortSignal, asked = false): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      unsubscribe();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    const unsubscribe = network.subscribe(() => {
      if (!asked) end();
    });
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
