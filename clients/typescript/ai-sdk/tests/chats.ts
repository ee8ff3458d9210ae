// Chats of AI SDK for owners, and producers.

import { Chat } from "@ai-sdk/react";
import type { ColloquyClient } from "@colloquy/client";
import type { UIMessage } from "ai";
import { expect } from "vitest";
import { type AnswerRequest, ColloquyChatTransport, followChat, loadUIMessages } from "../src/index.ts";

export interface Window {
  chat: Chat<UIMessage>;
  close(): void;
}

type Api = (request: AnswerRequest) => unknown;

/** A window on a session, as a page opens it. */
export function windowOn(client: ColloquyClient, sessionId: string, api?: Api, messages?: UIMessage[]): Window {
  const transport = new ColloquyChatTransport({ client, ...(api && { api }) });
  const chat = new Chat<UIMessage>({ id: sessionId, transport, ...(messages && { messages }) });
  const stop = followChat(chat, { client, sessionId });
  return { chat, close: stop };
}

export const json = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** Waits until all windows are ready and show what the rows have. */
export async function expectEqual(client: ColloquyClient, sessionId: string, ...windows: Window[]): Promise<UIMessage[]> {
  await expect.poll(() => windows.map(({ chat }) => chat.status).join()).toMatch(/^((ready|error),?)+$/);
  await expect
    .poll(async () => {
      const stored = JSON.stringify(await loadUIMessages(client, sessionId));
      return windows.map(({ chat }) => sorted(chat.messages) === sorted(JSON.parse(stored)));
    })
    .toEqual(windows.map(() => true));
  const stored = await loadUIMessages(client, sessionId);
  expect(new Set(stored.map(({ id }) => id)).size).toBe(stored.length);
  for (const { chat } of windows) expect(json(chat.messages)).toEqual(stored);
  return stored;
}

/** JSON whose members are in one order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}

export const question = (id: string, text: string): UIMessage => ({ id, role: "user", parts: [{ type: "text", text }] });
export const textOf = (message?: UIMessage): string =>
  message?.parts.map((part) => (part.type === "text" ? part.text : "")).join("") ?? "";
