// The state of one conversation: a read of the server, and the events after it applied. Pure functions.

import { beginning, length } from "./codepoints.ts";
import type { ConversationQuery } from "./generated.ts";
import { textInside } from "./parts.ts";
import type { Approval, Message, Page, Session, SessionEvent } from "./types.ts";

export interface Conversation {
  readonly session: Session;
  /** In the order of their sequence, from the first one that is loaded to the newest. */
  readonly messages: readonly Message[];
  readonly approvals: readonly Approval[];
  /** Where the page before the first message ends; null when everything is loaded. */
  readonly before: string | null;
}

export function opened(read: NonNullable<ConversationQuery["session"]>): Conversation {
  const { approvals, messages, eventCursor: _, ...session } = read;
  return { session, messages: messages.nodes.map(consistent), approvals: approvals.nodes, before: earlier(messages) };
}

export function withEarlier(conversation: Conversation, page: Page<Message>): Conversation {
  const known = new Set(conversation.messages.map(({ id }) => id));
  const added = page.nodes.filter(({ id }) => !known.has(id));
  return { ...conversation, messages: [...added.map(consistent), ...conversation.messages], before: earlier(page) };
}

/** The conversation after an event; the same object if nothing changes. */
export function after(conversation: Conversation, event: SessionEvent): Conversation {
  switch (event.__typename) {
    case "MessageAdded":
    case "MessageChanged":
      return withMessage(conversation, event.message);
    case "MessageDelta":
      return withGrown(conversation, event.messageId, (message) => withText(message, event.offset, event.text));
    case "MessagePartsDelta":
      return withGrown(conversation, event.messageId, (message) => withParts(message, event.offset, event.parts));
    case "MessageRemoved":
      return { ...conversation, messages: conversation.messages.filter(({ id }) => id !== event.messageId) };
    case "SessionChanged":
      return { ...conversation, session: event.session };
    case "ApprovalChanged":
      return withApproval(conversation, event.approval);
    default: // CaughtUp, and types that a newer server may send
      return conversation;
  }
}

/** Adds or replaces a message, unless the state has it in a newer form or it belongs to a page that is not loaded. */
export function withMessage(conversation: Conversation, message: Message): Conversation {
  const { messages } = conversation;
  const found = messages.findLastIndex(({ sequence }) => sequence < message.sequence) + 1;
  const existing = messages[found];
  const same = existing?.id === message.id;
  if (same && isNewer(existing, message)) return conversation;
  if (!same && found === 0 && conversation.before) return conversation;
  const next = [...messages.slice(0, found), consistent(message), ...messages.slice(same ? found + 1 : found)];
  return { ...conversation, messages: next };
}

/** True for a later revision, and for more of a message that is being written: an extend has no revision. */
function isNewer(existing: Message, message: Message): boolean {
  if (existing.revision !== message.revision) return existing.revision > message.revision;
  if (existing.status !== "STREAMING" || message.status !== "STREAMING") return false;
  if (existing.parts) return existing.parts.length > (message.parts?.length ?? 0);
  return existing.text.length > message.text.length;
}

/** A message whose text is that of its parts: a query reads the two one after the other. */
function consistent(message: Message): Message {
  return message.parts ? { ...message, text: textInside(message.parts) } : message;
}

/** The conversation with a streaming message as `grow` returns it. */
function withGrown(conversation: Conversation, id: string, grow: (message: Message) => Message): Conversation {
  const at = conversation.messages.findLastIndex((message) => message.id === id);
  const message = conversation.messages[at];
  const grown = message?.status === "STREAMING" ? grow(message) : message;
  if (!grown || grown === message) return conversation;
  const messages = [...conversation.messages];
  messages[at] = grown;
  return { ...conversation, messages };
}

/** A message with this text from the offset on. A text only grows: what is there already is not cut. */
function withText(message: Message, offset: number, text: string): Message {
  const grown = beginning(message.text, offset) + text;
  if (grown.length <= message.text.length || length(message.text) < offset) return message;
  return { ...message, text: grown };
}

/** A message with these parts from the offset on, and their text. */
function withParts(message: Message, offset: number, parts: readonly unknown[]): Message {
  const existing = message.parts ?? [];
  const added = offset > existing.length ? [] : parts.slice(existing.length - offset);
  if (!added.length) return message;
  return { ...message, parts: [...existing, ...added], text: message.text + textInside(added) };
}

function withApproval(conversation: Conversation, approval: Approval): Conversation {
  const at = conversation.approvals.findIndex(({ id }) => id === approval.id);
  const approvals = [...conversation.approvals];
  approvals.splice(at < 0 ? approvals.length : at, 1, approval);
  return { ...conversation, approvals };
}

function earlier({ pageInfo }: Page<unknown>): string | null {
  return pageInfo.hasPreviousPage ? pageInfo.startCursor : null;
}
