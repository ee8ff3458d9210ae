import type { ErrorCode, RefusalFragment } from "./generated.ts";

/** The code of an error: one of the server's, or UNREACHABLE for a request without a response. */
export type Code =
  | ErrorCode
  | "UNREACHABLE"
  | "UNAUTHENTICATED"
  | "BAD_USER_INPUT"
  | "TIMEOUT"
  | "UNAVAILABLE"
  | "RATE_LIMITED"
  | "QUERY_TOO_COMPLEX"
  | "INTERNAL";

const TRANSIENT: ReadonlySet<string> = new Set([
  "UNREACHABLE",
  "UNAVAILABLE",
  "TIMEOUT",
  "RATE_LIMITED",
  "IDEMPOTENCY_IN_PROGRESS",
]);

/** What a refusal has beside code, message and field. */
export interface Details {
  currentRevision?: number | null;
  fromStatus?: string;
  toStatus?: string;
  limit?: number;
  expectedOffset?: number;
}

/** Every error of this client. `message` is for people, `code` for programs, `field` is the path below `input`. */
export class ColloquyError extends Error {
  override readonly name = "ColloquyError";

  constructor(
    readonly code: Code,
    message: string,
    readonly field: readonly string[] = [],
    readonly details: Details = {},
    /** Seconds that the server asks to wait before the same request is sent again. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }

  /** True if the same request may succeed later. */
  get transient(): boolean {
    return TRANSIENT.has(this.code);
  }
}

/** The error for one of a payload's `errors`. */
export function refusalError({ code, message, field, ...details }: RefusalFragment): ColloquyError {
  return new ColloquyError(code, message, field ?? [], details);
}

/** The error for one of a response's top-level `errors`. */
export function responseError(error: { message: string; extensions?: Record<string, unknown> }): ColloquyError {
  const { code = "INTERNAL", retryAfter } = error.extensions ?? {};
  return new ColloquyError(code as Code, error.message, [], {}, retryAfter as number | undefined);
}

/** The error for an HTTP response that is not GraphQL: a proxy's page, or another service. */
export function statusError(status: number): ColloquyError {
  const message = `HTTP ${status} without a GraphQL response.`;
  if (status === 401) return new ColloquyError("UNAUTHENTICATED", message);
  if (status === 429) return new ColloquyError("RATE_LIMITED", message, [], {}, 1);
  return new ColloquyError(status >= 500 || status === 408 ? "UNREACHABLE" : "BAD_USER_INPUT", message);
}

/** `error` itself if it is a ColloquyError; UNREACHABLE for what a network throws. */
export function asColloquyError(error: unknown): ColloquyError {
  if (error instanceof ColloquyError) return error;
  return new ColloquyError("UNREACHABLE", error instanceof Error ? error.message : String(error));
}
