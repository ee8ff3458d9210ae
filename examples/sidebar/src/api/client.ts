import { Client, type CombinedError, fetchExchange, type OperationResult, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import { onEnd, pipe, subscribe } from "wonka";
import type { Mutation, Operation } from "./operations.ts";
import type { Refusal } from "./types.ts";
import { Value } from "./value.ts";

/** The state of the socket; `expired` when the token has expired, which takes a new page. */
export type Link = "connecting" | "up" | "down" | "expired";

/** A refusal by the server; its message is for the user. */
export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

const ANSWER_MS = 20_000; // without a response for so long, a request counts as lost
const PING_MS = 10_000; // so long may a socket be silent before a ping
const PONG_MS = 5_000; // so long may the pong take
// Close codes: no subscription is left; the token has expired.
const LINKS = new Map<number, Link>([
  [1000, "connecting"],
  [4403, "expired"],
]);

/** All requests and subscriptions. */
export class Api {
  readonly link = new Value<Link>("connecting");
  private readonly client: Client;

  constructor(endpoint: string, token: string) {
    const authorization = `Bearer ${token}`;
    const socket = this.socket(endpoint, authorization);
    this.client = new Client({
      url: endpoint,
      preferGetMethod: false,
      fetch: (request, options) => fetch(request, { ...options, signal: within(ANSWER_MS, options?.signal) }),
      fetchOptions: { headers: { authorization } },
      // No cache: a page shows one read and the events after it.
      exchanges: [
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query, variables }) => ({
            subscribe: (sink) => ({
              unsubscribe: socket.subscribe({ query: query ?? "", variables: variables as Record<string, unknown> }, sink),
            }),
          }),
        }),
      ],
    });
  }

  /** The data of a query. Throws Refused, or an error when there is no answer. */
  async ask<Data, Variables>({ text }: Operation<Data, Variables>, variables: Variables): Promise<Data> {
    return answer(await this.client.query<Data>(text, variables as object).toPromise());
  }

  /**
   * The payload of a mutation that went well; `key` is for the documents that have an idempotency key. Throws Refused,
   * or an error when there is no answer.
   */
  async act<Input, Changed>({ text }: Mutation<Input, Changed>, input: Input, key?: string): Promise<Changed> {
    type Data = Record<string, Changed & { errors: Refusal[] }>;
    const data = answer(await this.client.mutation<Data>(text, { input, key }).toPromise());
    const [payload] = Object.values(data);
    const [refusal] = payload!.errors;
    if (refusal) throw new Refused(refusal);
    return payload!;
  }

  /** One subscription until it ends: `ended` gets the server's refusal if there was one. */
  listen<Data, Variables>(
    { text }: Operation<Data, Variables>,
    variables: Variables,
    next: (data: Data) => void,
    ended: (refused?: Refused) => void,
  ): () => void {
    let over = false;
    let refused: Refused | undefined;
    const { unsubscribe } = pipe(
      this.client.subscription<Data>(text, variables as object),
      onEnd(() => over || ended(refused)),
      subscribe(({ data, error }) => {
        if (error) refused = refusal(error);
        else if (data && !over) next(data);
      }),
    );
    return () => {
      over = true;
      unsubscribe();
    };
  }

  private socket(endpoint: string, authorization: string) {
    let late: ReturnType<typeof setTimeout> | undefined;
    const socket = createClient({
      url: new URL(endpoint, location.href.replace(/^http/, "ws")).href,
      connectionParams: { Authorization: authorization },
      retryAttempts: 0, // follow() retries, from the newest cursor
      lazyCloseTimeout: 2_000,
      keepAlive: PING_MS,
      on: {
        connected: () => this.link.set("up"),
        closed: (event) => {
          clearTimeout(late);
          this.link.set(LINKS.get((event as CloseEvent).code) ?? "down");
        },
        ping: (received) => {
          if (!received) late = setTimeout(() => socket.terminate(), PONG_MS);
        },
        pong: () => clearTimeout(late),
      },
    });
    return socket;
  }
}

/** Aborts when the other signal does, or after so many milliseconds. */
function within(milliseconds: number, signal?: AbortSignal | null): AbortSignal {
  return AbortSignal.any([AbortSignal.timeout(milliseconds), ...(signal ? [signal] : [])]);
}

function answer<Data>({ data, error }: OperationResult<Data>): Data {
  if (error) throw refusal(error) ?? error;
  if (!data) throw new Error("The answer was empty.");
  return data;
}

/** The first GraphQL error of a response; undefined when the server was not reached. */
function refusal({ graphQLErrors: [first] }: CombinedError): Refused | undefined {
  return first && new Refused({ code: String(first.extensions?.code), message: first.message });
}
