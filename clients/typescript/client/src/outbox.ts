import type { ColloquyClient } from "./client.ts";
import { type Code, asColloquyError } from "./errors.ts";
import type { MessageInput } from "./generated.ts";
import { backoff, pause } from "./network.ts";
import { newKey } from "./requests.ts";
import type { Message } from "./types.ts";
import { type Readable, Value } from "./value.ts";

/** A message that the server has not confirmed. */
export interface Outgoing {
  readonly key: string;
  readonly sessionId: string;
  readonly message: MessageInput;
  /** `refused`: the server does not take it; `retry` or `remove` it. */
  readonly state: "waiting" | "refused";
  /** Why the newest attempt failed; a waiting message is sent again. */
  readonly error?: { code: Code; message: string };
}

/** Where an outbox survives a reload: `localStorage` fits, and so does AsyncStorage of React Native. */
export interface OutboxStorage {
  getItem(name: string): string | null | Promise<string | null>;
  setItem(name: string, value: string): void | Promise<void>;
}

export interface OutboxOptions {
  storage?: OutboxStorage;
  /** The name under which the storage has it: one for each user, or the next user sees what the last one wrote. */
  name?: string;
}

type Sent = (sessionId: string, message: Message) => void;

/**
 * Sends messages one after the other, whenever there is a network. The server stores each once, because each has a key.
 * Tabs with the same storage share one outbox: one of them sends at a time (Web Locks). An outbox without a storage is
 * alone.
 */
export class Outbox implements Readable<readonly Outgoing[]> {
  readonly getSnapshot: () => readonly Outgoing[];
  readonly subscribe: (listener: () => void) => () => void;
  private readonly value = new Value<readonly Outgoing[]>([]);
  private readonly listeners = new Set<Sent>();
  private readonly added: Outgoing[] = [];
  private storage: OutboxStorage;
  /** False for a storage of this object alone, whose lock would make unrelated outboxes wait for each other. */
  private isShared: boolean;
  private readonly name: string;
  private readonly closed = new AbortController();
  private writing: Promise<unknown>;
  private sending: Promise<void> | undefined;

  constructor(
    private readonly client: ColloquyClient,
    { storage, name = "" }: OutboxOptions = {},
  ) {
    this.storage = storage ?? memory();
    this.isShared = storage !== undefined;
    this.name = `colloquy-outbox:${name}`;
    this.getSnapshot = this.value.getSnapshot;
    this.subscribe = this.value.subscribe;
    (globalThis as Partial<typeof globalThis>).addEventListener?.("storage", this.stored);
    this.writing = this.change((all) => all).then(() => this.wake());
  }

  /** Adds a message, of the USER if it is a text; returns its key. */
  send(sessionId: string, message: string | Omit<MessageInput, "key">): string {
    const key = newKey();
    const input: MessageInput = typeof message === "string" ? { role: "USER", text: message } : message;
    const outgoing: Outgoing = { key, sessionId, message: { ...input, key }, state: "waiting" };
    this.added.push(outgoing);
    this.value.update((all) => [...all, outgoing]); // visible before it is stored
    void this.change((all) => {
      this.added.shift();
      return [...all, outgoing];
    }).then(() => this.wake());
    return key;
  }

  /** Sends a refused message again, after all others. */
  retry(key: string): void {
    void this.change((all) => {
      const again = all.filter((one) => one.key === key).map(({ error: _, ...one }) => ({ ...one, state: "waiting" as const }));
      return [...all.filter((one) => one.key !== key), ...again];
    }).then(() => this.wake());
  }

  remove(key: string): void {
    void this.change((all) => all.filter((one) => one.key !== key));
  }

  /** Calls `listener` with each message that the server has stored, before it leaves the outbox. */
  onSent(listener: Sent): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Resolves when no message is waiting. */
  async flush(): Promise<void> {
    await this.writing;
    while (this.sending) await this.sending;
  }

  /** Stops sending; what is stored stays for the next outbox of this name. */
  close(): void {
    this.closed.abort();
    (globalThis as Partial<typeof globalThis>).removeEventListener?.("storage", this.stored);
  }

  private readonly stored = ({ key }: Event & { key?: string | null }): void => {
    if (key === this.name) void this.change((all) => all).then(() => this.wake());
  };

  /** Changes the stored list, which other tabs change too. */
  private change(next: (all: readonly Outgoing[]) => readonly Outgoing[]): Promise<void> {
    const changed = Promise.resolve(this.writing).then(() =>
      this.locked("", async () => {
        const before = JSON.parse((await this.storage.getItem(this.name)) ?? "[]") as Outgoing[];
        const after = next(before);
        if (after !== before) await this.store(JSON.stringify(after));
        this.value.set([...after, ...this.added]);
      }),
    );
    this.writing = changed.catch(() => {});
    return changed;
  }

  private async store(list: string): Promise<void> {
    try {
      await this.storage.setItem(this.name, list);
    } catch {
      this.storage = memory(); // full or forbidden: sent all the same, as long as this page lives
      this.isShared = false;
      await this.storage.setItem(this.name, list);
    }
  }

  /** Runs `act` while no other tab with this storage runs one of this kind, where the platform has Web Locks. */
  private async locked(kind: string, act: () => Promise<void>): Promise<void> {
    const locks = this.isShared && (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
    await (locks ? locks.request(this.name + kind, act) : act());
  }

  private wake(): void {
    if (this.closed.signal.aborted || !this.getSnapshot().some(isWaiting)) return;
    this.sending ??= this.locked(":sender", () => this.sendAll()).finally(() => {
      this.sending = undefined;
      this.wake(); // for a message that came after the last look
    });
  }

  private async sendAll(): Promise<void> {
    const { signal } = this.closed;
    let failures = 0;
    while (!signal.aborted) {
      await this.change((all) => all); // another tab may have sent some
      const next = this.getSnapshot().find(isWaiting);
      if (!next) return;
      const wait = await this.sendOne(next, failures);
      failures = wait ? failures + 1 : 0;
      if (wait) await pause(wait, this.client.network, signal);
    }
  }

  /** Returns the milliseconds to wait before the next attempt. */
  private async sendOne({ key, sessionId, message }: Outgoing, failures: number): Promise<number> {
    const { signal } = this.closed;
    try {
      const stored = await this.client.appendMessage(sessionId, message, { signal });
      for (const listener of this.listeners) listener(sessionId, stored);
      await this.change((all) => all.filter((one) => one.key !== key));
    } catch (thrown) {
      const error = asColloquyError(thrown);
      if (signal.aborted) return 0;
      const again = error.transient || error.code === "UNAUTHENTICATED";
      const failed = { state: again ? "waiting" : "refused", error: { code: error.code, message: error.message } } as const;
      await this.change((all) => all.map((one) => (one.key === key ? { ...one, ...failed } : one)));
      if (again) return backoff(failures, error.retryAfter);
    }
    return 0;
  }
}

const isWaiting = ({ state }: Outgoing) => state === "waiting";

function memory(): OutboxStorage {
  const items = new Map<string, string>();
  return { getItem: (name) => items.get(name) ?? null, setItem: (name, value) => void items.set(name, value) };
}
