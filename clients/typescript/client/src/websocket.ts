import { type Client, createClient } from "graphql-ws/client";
import { ColloquyError, responseError } from "./errors.ts";
import type { Live, LiveFactory } from "./live.ts";

const ACK_MS = 10_000;
const IDLE_MS = 2_000; // a socket without subscriptions stays open for so long
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const REFUSED = [4401, 4403];
const RETRIED = [4408, 4499, 4500, 4504]; // of the codes 4400 to 4599: timeouts, and sockets that this client closed
const MISSING =
  "This platform has no WebSocket, as Node 20 has none. Pass one: `live: webSocket({ webSocketImpl: WebSocket })`, " +
  'with `import WebSocket from "ws"`.';

export interface WebSocketOptions {
  /** The implementation, where the platform has none: `WebSocket` of the package `ws` in Node 20. */
  webSocketImpl?: unknown;
  /** Milliseconds of silence after which a ping is sent, 10,000 by default. */
  pingInterval?: number;
  /** Milliseconds that the pong may take, 5,000 by default; then the socket counts as lost. */
  pongTimeout?: number;
}

/**
 * All subscriptions over one WebSocket (graphql-transport-ws). A new token gets a new socket before the old expires. The
 * first subscription throws BAD_USER_INPUT if there is no implementation of WebSockets.
 */
export function webSocket({ webSocketImpl, pingInterval = 10_000, pongTimeout = 5_000 }: WebSocketOptions = {}): LiveFactory {
  return ({ url, tokens, changed }): Live => {
    // Not later: `follow` would take an error of an attempt for a lost connection, and try again.
    if (!webSocketImpl && !(globalThis as Partial<typeof globalThis>).WebSocket) throw new ColloquyError("BAD_USER_INPUT", MISSING);
    let late: ReturnType<typeof setTimeout> | undefined;
    let renewal: ReturnType<typeof setTimeout> | undefined;
    const socket: Client = createClient({
      url: url.replace(/^http/, "ws"),
      ...(webSocketImpl !== undefined && { webSocketImpl }),
      connectionParams: async () => ({ Authorization: `Bearer ${await tokens.get()}` }),
      retryAttempts: 0,
      connectionAckWaitTimeout: ACK_MS,
      lazyCloseTimeout: IDLE_MS,
      keepAlive: pingInterval,
      on: {
        connecting: () => changed("connecting"),
        connected: () => {
          const left = tokens.renewAt - Date.now();
          if (left < LONGEST_TIMER_MS) renewal = setTimeout(() => socket.terminate(), Math.max(left, 1_000));
          changed("connected");
        },
        closed: (event) => {
          clearTimeout(late);
          clearTimeout(renewal);
          const code = codeOf(event);
          if (REFUSED.includes(code)) tokens.refuse();
          changed(code === 1000 ? "idle" : "connecting");
        },
        ping: (received) => {
          if (!received) late = setTimeout(() => socket.terminate(), pongTimeout);
        },
        pong: () => clearTimeout(late),
      },
    });
    return {
      subscribe(query, variables, sink) {
        let over = false;
        let unsubscribe = () => {};
        const end = (error?: ColloquyError) => {
          if (over) return;
          over = true;
          unsubscribe();
          sink.end(error);
        };
        unsubscribe = socket.subscribe<Record<string, unknown>>(
          { query, variables },
          {
            next: (result) => {
              if (over) return;
              const [failed] = result.errors ?? [];
              if (failed) end(responseError(failed));
              else if (result.data) sink.next(result.data);
            },
            error: (error) => end(failure(error)),
            complete: () => end(),
          },
        );
        return () => {
          over = true;
          unsubscribe();
        };
      },
      reconnect: () => socket.terminate(),
    };
  };
}

/** The error of a subscription: the server's GraphQL errors, or the event that closed the socket. */
function failure(error: unknown): ColloquyError {
  if (Array.isArray(error)) return responseError(error[0]);
  const code = codeOf(error);
  const { reason = "" } = (error ?? {}) as { reason?: string };
  if (REFUSED.includes(code)) return new ColloquyError("UNAUTHENTICATED", reason);
  const message = `The socket was closed: ${reason} (${code}).`;
  const fatal = code >= 4400 && code < 4600 && !RETRIED.includes(code);
  return new ColloquyError(fatal ? "BAD_USER_INPUT" : "UNREACHABLE", message);
}

function codeOf(event: unknown): number {
  return (event as { code?: unknown } | undefined)?.code as number;
}
