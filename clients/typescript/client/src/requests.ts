import { ColloquyError, asColloquyError, responseError, statusError } from "./errors.ts";
import { type Network, backoff, pause } from "./network.ts";
import type { Tokens } from "./tokens.ts";

/** A document with the types of its data and variables, as `graphql-codegen` generates it. */
export interface Document<Data, Variables> {
  toString(): string;
  __apiType?: ((variables: Variables) => Data) | undefined;
}

export interface RequestOptions {
  /** Aborts the request and its retries. */
  signal?: AbortSignal | undefined;
  /** The key under which the server runs a mutation once. */
  idempotencyKey?: string | undefined;
}

const ATTEMPTS = 5;
const TIMEOUT_MS = 30_000;

/** Sends operations over HTTP, again after transient errors. */
export class Requests {
  constructor(
    private readonly url: string,
    private readonly tokens: Tokens,
    readonly network: Network,
    private readonly send: typeof globalThis.fetch,
  ) {}

  /**
   * The data of an operation. `repeatable` means that sending it twice has the effect of sending it once; an
   * idempotency key makes any mutation repeatable. `read` takes the result from the data, or throws why there is none.
   * Throws ColloquyError, or the reason of the signal.
   */
  async run<Data, Variables, Result = Data>(
    document: Document<Data, Variables>,
    variables: Variables,
    options: RequestOptions = {},
    repeatable = options.idempotencyKey !== undefined,
    read: (data: Data) => Result = (data) => data as unknown as Result,
  ): Promise<Result> {
    const body = JSON.stringify({ query: document.toString(), variables });
    let refused = false;
    for (let failures = 0; ; failures++) {
      try {
        return read(await this.attempt<Data>(body, options));
      } catch (error) {
        options.signal?.throwIfAborted();
        const failure = asColloquyError(error);
        if (failure.code === "UNAUTHENTICATED" && this.tokens.renewable && !refused) {
          refused = true;
          this.tokens.refuse();
          continue;
        }
        const again = repeatable && failure.transient && failures + 1 < ATTEMPTS;
        if (!again) throw failure;
        await pause(backoff(failures, failure.retryAfter), this.network, options.signal, !!failure.retryAfter);
        options.signal?.throwIfAborted();
      }
    }
  }

  private async attempt<Data>(body: string, { signal, idempotencyKey }: RequestOptions): Promise<Data> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const response = await this.send(this.url, {
      method: "POST",
      body,
      headers: {
        accept: "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
        authorization: `Bearer ${await this.tokens.get()}`,
        ...(idempotencyKey && { "idempotency-key": idempotencyKey }),
      },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const text = await response.text();
    if (!response.headers.get("content-type")?.includes("json")) throw statusError(response.status);
    return dataOf<Data>(JSON.parse(text), () => statusError(response.status));
  }
}

interface GraphQLResult {
  data?: unknown;
  errors?: readonly { message: string; extensions?: Record<string, unknown> }[];
}

/** The data of a GraphQL response. Throws the first of its errors. */
export function dataOf<Data>(result: GraphQLResult, missing: () => ColloquyError): Data {
  if (result.errors?.[0]) throw responseError(result.errors[0]);
  if (!result.data) throw missing();
  return result.data as Data;
}

/** A unique key. Not crypto.randomUUID, which pages without TLS lack. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
