// The entry `@colloquy/client/sse`: subscriptions where WebSockets do not pass.

import { createClient } from "graphql-sse";
import { ColloquyError, asColloquyError, responseError, statusError } from "./errors.ts";
import type { Live, LiveFactory } from "./live.ts";

const SILENCE_MS = 30_000; // the server sends a comment every 12 seconds

export interface EventStreamOptions {
  /** The address of the event streams, if it is not `stream` below the GraphQL endpoint. */
  url?: string;
  fetch?: typeof globalThis.fetch;
}

/** Each subscription by an event stream of its own (graphql-sse, distinct connections). */
export function eventStreams(options: EventStreamOptions = {}): LiveFactory {
  return ({ url, tokens, changed }): Live => {
    const open = new Set<(error: ColloquyError) => void>();
    const streams = createClient({
      url: options.url ?? `${url}/stream`,
      headers: async (): Promise<Record<string, string>> => ({ authorization: `Bearer ${await tokens.get()}` }),
      retryAttempts: 0,
      fetchFn: watched(options.fetch ?? globalThis.fetch),
      on: { connecting: () => changed("connecting"), connected: () => changed("connected") },
    });
    return {
      subscribe(query, variables, sink) {
        let over = false;
        let stop: (() => void) | undefined;
        const end = (error?: ColloquyError) => {
          if (over) return;
          close();
          if (error) changed("connecting");
          sink.end(error);
        };
        const close = () => {
          over = true;
          open.delete(end);
          stop?.();
          if (!open.size) changed("idle");
        };
        open.add(end);
        stop = streams.subscribe<Record<string, unknown>>(
          { query, variables },
          {
            next: (result) => {
              if (over) return;
              const [failed] = result.errors ?? [];
              if (failed) end(responseError(failed));
              else if (result.data) sink.next(result.data);
            },
            error: (error) => {
              const failed = failure(error);
              if (failed.code === "UNAUTHENTICATED") tokens.refuse();
              end(failed);
            },
            complete: () => end(),
          },
        );
        return close;
      },
      reconnect() {
        for (const end of [...open]) end(new ColloquyError("UNREACHABLE", "The connection is replaced."));
      },
    };
  };
}

function failure(error: unknown): ColloquyError {
  const { response } = error as { response?: { status: number } };
  return response && response.status >= 400 ? statusError(response.status) : asColloquyError(error);
}

/** As `fetch`, but a body that is silent for too long fails. */
function watched(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (!response.body) return response;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = (controller: TransformStreamDefaultController<Uint8Array>) => {
      clearTimeout(timer);
      timer = setTimeout(() => controller.error(new Error("The stream is silent.")), SILENCE_MS);
    };
    const body = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        start: watch,
        transform(chunk, controller) {
          watch(controller);
          controller.enqueue(chunk);
        },
        flush: () => clearTimeout(timer),
      }),
    );
    init?.signal?.addEventListener("abort", () => clearTimeout(timer));
    return new Response(body, { status: response.status, headers: response.headers });
  };
}
