import { newKey } from "../keys.ts";
import type { Api } from "./client.ts";
import { APPEND_MESSAGE } from "./operations.ts";
import { retry } from "./retry.ts";
import type { Message } from "./types.ts";
import { Value } from "./value.ts";

/** A message that the user has sent, until it appears among the messages of its conversation. */
export interface Outgoing {
  sessionId: string;
  key: string;
  text: string;
  state: "sending" | "waiting" | "sent" | "refused";
  /** What the server made of it, or why it did not take it. */
  message?: Message;
  why?: string;
}

/**
 * Sends one message after the other, whichever conversation is open meanwhile. Each has a key: with it the server
 * stores the message once however often it is sent, and the page recognises its own message among the events.
 */
export class Outbox {
  readonly outgoing = new Value<Outgoing[]>([]);
  private queue = Promise.resolve();

  constructor(private readonly api: Api) {}

  /** Resolves once the server has it. */
  send(sessionId: string, text: string): Promise<void> {
    const key = newKey();
    this.outgoing.set([...this.outgoing.get(), { sessionId, key, text, state: "sending" }]);
    const delivered = this.queue.then(() => this.deliver(sessionId, { key, role: "USER", text }));
    this.queue = delivered.catch((error: Error) => this.mark(key, { state: "refused", why: error.message }));
    return delivered;
  }

  forget(key: string): void {
    this.outgoing.set(this.outgoing.get().filter((one) => one.key !== key));
  }

  private async deliver(sessionId: string, message: { key: string; role: string; text: string }): Promise<void> {
    const waiting = () => this.mark(message.key, { state: "waiting" });
    const appended = await retry(() => this.api.act(APPEND_MESSAGE, { sessionId, message }), undefined, waiting);
    this.mark(message.key, { state: "sent", message: appended.message });
  }

  private mark(key: string, next: Partial<Outgoing>): void {
    this.outgoing.set(this.outgoing.get().map((one) => (one.key === key ? { ...one, ...next } : one)));
  }
}
