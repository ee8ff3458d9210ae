// The state of one conversation: a read of the server, and the events after it applied. Pure functions.

import { beginning, length } from "./codepoints.ts";
import type { ConversationQuery } from "./generated.ts";
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
  return { session, messages: messages.nodes, approvals: approvals.nodes, before: earlier(messages) };
}

export function withEarlier(conversation: Conversation, page: Page<Message>): Conversation {
  const known = new Set(conversation.messages.map(({ id }) => id));
  const added = page.nodes.filter(({ id }) => !known.has(id));
  return { ...conversation, messages: [...added, ...conversation.messages], before: earlier(page) };
}

/** The conversation after an event; the same object if nothing changes. */
export function after(conversation: Conversation, event: SessionEvent): Conversation {
  switch (event.__typename) {
    case "MessageAdded":
    case "MessageChanged":
      return withMessage(conversation, event.message);
    case "MessageDelta":
      return withText(conversation, event.messageId, event.offset, event.text);
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
  const next = [...messages.slice(0, found), message, ...messages.slice(same ? found + 1 : found)];
  return { ...conversation, messages: next };
}

/** True for a later revision, and for a longer text of a message that is being written: an extend has no revision. */
function isNewer(existing: Message, message: Message): boolean {
  if (existing.revision !== message.revision) return existing.revision > message.revision;
  return existing.status === "STREAMING" && message.status === "STREAMING" && existing.text.length > message.text.length;
}

/** A streaming message with this text from the offset on. A text only grows: what is there already is not cut. */
function withText(conversation: Conversation, id: string, offset: number, text: string): Conversation {
  const at = conversation.messages.findLastIndex((message) => message.id === id);
  const message = conversation.messages[at];
  if (message?.status !== "STREAMING") return conversation;
  const grown = beginning(message.text, offset) + text;
  if (grown.length <= message.text.length || length(message.text) < offset) return conversation;
  const messages = [...conversation.messages];
  messages[at] = { ...message, text: grown };
  return { ...conversation, messages };
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
