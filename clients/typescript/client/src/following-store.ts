import type { ColloquyClient } from "./client.ts";
import { type ColloquyError, asColloquyError } from "./errors.ts";
import type { Handlers } from "./follow.ts";
import { backoff, pause } from "./network.ts";
import { type Readable, Value } from "./value.ts";

interface Event {
  cursor: string;
  __typename: string;
}

/**
 * A state that is read once and kept current by events, while somebody subscribes to it. A later subscriber continues
 * after the last event; the old state stays visible until then.
 */
export abstract class FollowingStore<Snapshot extends { error: ColloquyError | null }, E extends Event>
  implements Readable<Snapshot>
{
  readonly getSnapshot: () => Snapshot;
  readonly subscribe: (listener: () => void) => () => void;
  protected readonly value: Value<Snapshot>;
  private cursor: string | null = null;
  private active: AbortController | undefined;

  protected constructor(
    readonly client: ColloquyClient,
    initial: Snapshot,
  ) {
    this.value = new Value(initial, () => this.start());
    this.getSnapshot = this.value.getSnapshot;
    this.subscribe = this.value.subscribe;
  }

  /** Reads the state. Returns the cursor after which its events begin, null if there is nothing to follow. */
  protected abstract read(signal: AbortSignal): Promise<string | null>;
  protected abstract apply(event: E): void;
  protected abstract follow(after: string, handlers: Handlers<E>): () => void;

  /** Reads the state again, as after a StreamReset; the present one stays visible meanwhile. */
  reload(): void {
    this.cursor = null;
    if (this.active) {
      this.active.abort();
      this.run((this.active = new AbortController()));
    }
  }

  protected start(): () => void {
    this.run((this.active = new AbortController()));
    return () => {
      this.active?.abort();
      this.active = undefined;
    };
  }

  private run(active: AbortController): void {
    this.open(active.signal).catch((error: unknown) => this.fail(error, active.signal));
  }

  private async open(signal: AbortSignal): Promise<void> {
    this.cursor ??= await this.readUntilDone(signal);
    if (signal.aborted || this.cursor === null) return;
    const stop = this.follow(this.cursor, {
      event: (event) => {
        if (signal.aborted) return;
        if (event.__typename === "StreamReset") return this.reload();
        this.cursor = event.cursor;
        this.apply(event);
      },
      end: (error) => error && this.fail(error, signal),
    });
    signal.addEventListener("abort", stop);
  }

  /** As `read`, again after transient errors. */
  private async readUntilDone(signal: AbortSignal): Promise<string | null> {
    for (let failures = 0; ; failures++) {
      try {
        const cursor = await this.read(signal);
        if (this.getSnapshot().error) this.patch({ error: null } as Partial<Snapshot>);
        return cursor;
      } catch (error) {
        const failure = asColloquyError(error);
        if (signal.aborted || !failure.transient) throw error;
        this.patch({ error: failure } as Partial<Snapshot>);
        await pause(backoff(failures, failure.retryAfter), this.client.network, signal);
        signal.throwIfAborted();
      }
    }
  }

  protected fail(error: unknown, signal: AbortSignal): void {
    if (!signal.aborted) this.patch({ error: asColloquyError(error) } as Partial<Snapshot>);
  }

  protected patch(next: Partial<Snapshot>): void {
    this.value.update((now) => ({ ...now, ...next }));
  }
}
