import type { ColloquyError } from "./errors.ts";
import type { Tokens } from "./tokens.ts";

/** Whether events arrive: `idle` without a subscription, `connecting` at first and after a lost connection. */
export type ConnectionState = "idle" | "connecting" | "connected";

export interface LiveContext {
  /** The address of the GraphQL endpoint, absolute. */
  url: string;
  tokens: Tokens;
  /** Called with each change of the connection. */
  changed(state: ConnectionState): void;
}

export interface Sink {
  next(data: Record<string, unknown>): void;
  /** The end: without an error the server completed the subscription. */
  end(error?: ColloquyError): void;
}

/** A way to subscribe: over a WebSocket, or by event streams. It never retries; `follow` does. */
export interface Live {
  subscribe(query: string, variables: Record<string, unknown>, sink: Sink): () => void;
  /** Drops all connections, so that their subscriptions start again on new ones. */
  reconnect(): void;
}

export type LiveFactory = (context: LiveContext) => Live;
