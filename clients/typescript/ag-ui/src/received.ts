// What events have brought of messages and calls, to compare with the messages that are stored.

import type { AGUIEvent, AssistantMessage, Message } from "@ag-ui/core";
import type { Owner } from "./unfinished.ts";

export class Received {
  /** Texts, arguments, and other contents as JSON, by the message or the call. */
  private readonly contents = new Map<string, string>();
  private readonly newest = new Map<unknown, string>();

  track(event: AGUIEvent): void {
    const { type, messageId, toolCallId, delta, content, replace } = event as Partial<Record<string, unknown>>;
    // A chunk without an id continues the chunk before; a result has an id of its own beside that of its call.
    const key = messageId ? `message ${messageId}` : toolCallId ? `call ${toolCallId}` : this.newest.get(type);
    if (!key) return;
    this.newest.set(type, key);
    const before = this.contents.get(key);
    if (content === undefined) this.contents.set(key, (before ?? "") + (typeof delta === "string" ? delta : ""));
    else if (before === undefined || replace !== false) this.contents.set(key, written(content));
  }

  /** What the stored messages have of a text or of arguments, and the events have not brought; "" if they differ. */
  restOf({ messageId, toolCallId }: Owner, messages: readonly Message[]): string {
    const calls = messages.flatMap((message) => (message as AssistantMessage).toolCalls ?? []);
    const whole = messageId
      ? messages.find(({ id }) => id === messageId)?.content
      : calls.find(({ id }) => id === toolCallId)?.function.arguments;
    const before = this.contents.get(messageId ? `message ${messageId}` : `call ${toolCallId}`) ?? "";
    return typeof whole === "string" && whole.startsWith(before) ? whole.slice(before.length) : "";
  }

  /** True if the events have brought the whole message, with its calls. */
  has(message: Message): boolean {
    const { id, content = "", toolCalls = [] } = message as AssistantMessage;
    const hasCall = ({ id, function: called }: (typeof toolCalls)[number]) =>
      this.contents.get(`call ${id}`) === called.arguments;
    return this.contents.get(`message ${id}`) === written(content) && toolCalls.every(hasCall);
  }
}

const written = (content: unknown): string => (typeof content === "string" ? content : JSON.stringify(content));
