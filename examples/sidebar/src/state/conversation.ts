// The state of one open conversation: a read of the server, and the events after it applied. Pure functions.

import type { Approval, Message, Page, Session, SessionEvent } from "../api/types.ts";
import { beginning } from "./codepoints.ts";

export interface Conversation {
  session: Session;
  /** In the order of their sequence, from the first one loaded to the newest. */
  messages: Message[];
  approvals: Approval[];
  /** Where the page above starts; null when everything is loaded. */
  above: string | null;
  /** The server has it no longer. */
  gone: boolean;
}

interface Read extends Session {
  approvals: { nodes: Approval[] };
  messages: Page<Message>;
}

export function opened({ approvals, messages, ...session }: Read): Conversation {
  return { session, messages: messages.nodes, approvals: approvals.nodes, above: above(messages), gone: false };
}

export function withEarlier(conversation: Conversation, page: Page<Message>): Conversation {
  const known = new Set(conversation.messages.map(({ id }) => id));
  const earlier = page.nodes.filter(({ id }) => !known.has(id));
  return { ...conversation, messages: [...earlier, ...conversation.messages], above: above(page) };
}

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
    case "SessionRemoved":
      return { ...conversation, gone: true };
    case "ApprovalChanged":
      return withApproval(conversation, event.approval);
    default: // CaughtUp, and types that a newer server may send
      return conversation;
  }
}

export function withMessage(conversation: Conversation, message: Message): Conversation {
  const { messages } = conversation;
  const at = messages.findIndex(({ sequence }) => sequence >= message.sequence);
  const [there] = at < 0 ? [] : messages.slice(at);
  if (there?.id === message.id) {
    if (there.revision > message.revision) return conversation; // older than the state
    return { ...conversation, messages: messages.with(at, message) };
  }
  if (at === 0 && conversation.above) return conversation; // its page will contain it
  return { ...conversation, messages: messages.toSpliced(at < 0 ? messages.length : at, 0, message) };
}

/** A streaming message with this text from the offset on. */
function withText(conversation: Conversation, id: string, offset: number, text: string): Conversation {
  const write = (message: Message) =>
    message.id === id && message.status === "STREAMING"
      ? { ...message, text: beginning(message.text, offset) + text }
      : message;
  return { ...conversation, messages: conversation.messages.map(write) };
}

/** The newest streaming message. */
export function writing({ messages }: Conversation): Message | undefined {
  return messages.findLast(({ status }) => status === "STREAMING");
}

export function withApproval(conversation: Conversation, approval: Approval): Conversation {
  const others = conversation.approvals.filter(({ id }) => id !== approval.id);
  return { ...conversation, approvals: [...others, approval] };
}

function above({ pageInfo }: Page<unknown>): string | null {
  return pageInfo.hasPreviousPage ? pageInfo.startCursor : null;
}
