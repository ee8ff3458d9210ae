import type { ColloquyClient } from "@colloquy/client";
import { type UIMessage, parsePartialJson } from "ai";
import { addResult, partsOf } from "./blocks.ts";
import { type Part, isChunk } from "./chunk.ts";
import type { Row } from "./documents.ts";
import { readRows } from "./rows.ts";

export interface LoadOptions {
  /** The most messages to load, the newest; all by default. */
  limit?: number;
  signal?: AbortSignal;
}

const ROLES: Partial<Record<Row["role"], UIMessage["role"]>> = { USER: "user", ASSISTANT: "assistant", SYSTEM: "system" };

/**
 * The messages of a session for `useChat({ messages })`, the oldest first. A message that an AI SDK wrote comes as it
 * was written, any other is made of its blocks. A message that is being written is left out: the transport resumes it.
 * Throws ColloquyError NOT_FOUND if the owner of the token has no such session.
 */
export async function loadUIMessages<M extends UIMessage = UIMessage>(
  client: ColloquyClient,
  sessionId: string,
  { limit, signal }: LoadOptions = {},
): Promise<M[]> {
  return toUIMessages<M>((await readRows(client, sessionId, limit, {}, signal)).rows);
}

/** The messages of rows. Of rows with one id, as an answer and its continuation, the last one counts. */
export async function toUIMessages<M extends UIMessage>(rows: readonly Row[]): Promise<M[]> {
  const messages = new Map<string, UIMessage>();
  for (const row of rows) {
    if (row.role === "TOOL") {
      const parts = [...messages.values()].flatMap((message) => message.parts as unknown as Part[]);
      for (const block of row.content) if (block.__typename === "ToolResultBlock") addResult(parts, block);
    } else if (row.status !== "STREAMING") {
      const message = await toUIMessage(row);
      if (message.parts.length) messages.set(message.id, message);
    }
  }
  return [...messages.values()] as M[];
}

/** The message of one row that has ended. */
export async function toUIMessage(row: Row): Promise<UIMessage> {
  const written = writtenMessage(row.raw);
  const message = written ?? { id: "", role: ROLES[row.role] ?? "assistant", parts: partsOf(row) as unknown as UIMessage["parts"] };
  if (written && row.status !== "COMPLETE") await Promise.all((message.parts as unknown as Part[]).map(guessInput));
  return { ...message, id: message.id || idOf(row) };
}

/** The id of a message in a chat: the one that its producer gave it, its key, or the server's id. */
export function idOf({ id, key, parts }: Row): string {
  const start = parts?.find((part) => isChunk(part) && part.type === "start");
  return ((start as { messageId?: string } | undefined)?.messageId || key) ?? id;
}

/** The document as a UIMessage, undefined if it is none. */
export function writtenMessage(raw: string | null): UIMessage | undefined {
  if (raw === null) return undefined;
  try {
    const value = JSON.parse(raw) as Partial<UIMessage> | null;
    const { id, role, parts } = value ?? {};
    if (typeof id === "string" && typeof role === "string" && Array.isArray(parts) && parts.every(isChunk)) {
      return value as UIMessage;
    }
  } catch {
    // any text may be a document
  }
  return undefined;
}

/** The input of a call that was cut off, as AI SDK shows it while it streams. */
async function guessInput(part: Part): Promise<void> {
  if (part.state !== "input-streaming" || part.input !== undefined || typeof part.rawInput !== "string") return;
  const { value } = part.inputEncoding === "text" ? { value: part.rawInput } : await parsePartialJson(part.rawInput);
  if (value !== undefined) part.input = value;
}
