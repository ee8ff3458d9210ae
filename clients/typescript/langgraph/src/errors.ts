import { type Code, ColloquyError } from "@colloquy/client";

/** Throws the error, unless it is the server's refusal with this code. */
export function ifNot(code: Code, error: unknown): void {
  if (!(error instanceof ColloquyError && error.code === code)) throw error;
}
