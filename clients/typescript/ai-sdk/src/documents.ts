// What this package reads of the server: messages with their documents and parts.

import type { MessageRole, MessageStatus } from "@colloquy/client";

export interface Block {
  __typename: string;
  position: number;
  text?: string;
  toolUseId?: string;
  name?: string;
  input?: unknown;
  isError?: boolean;
  content?: unknown;
  mediaType?: string;
  fileName?: string | null;
  url?: string | null;
  title?: string | null;
  data?: unknown;
}

/** A message as the server stores it. */
export interface Row {
  id: string;
  key: string | null;
  sequence: number;
  revision: number;
  role: MessageRole;
  status: MessageStatus;
  text: string;
  raw: string | null;
  /** All parts so far of a message that is written in parts. */
  parts: unknown[] | null;
  content: Block[];
}

export interface RowsPage {
  session: {
    eventCursor: string;
    messages: { nodes: Row[]; pageInfo: { hasPreviousPage: boolean; startCursor: string | null } };
  } | null;
}

export interface RowEvent {
  __typename: string;
  cursor: string;
  session?: { deletedAt: string | null };
  message?: Row;
  messageId?: string;
  offset?: number;
  text?: string;
  parts?: unknown[];
}

const ROW = `fragment Row on Message {
  id key sequence revision role status text raw parts
  content {
    __typename position
    ... on TextBlock { text }
    ... on ReasoningBlock { text }
    ... on ToolUseBlock { toolUseId name input }
    ... on ToolResultBlock { toolUseId isError content }
    ... on MediaBlock { mediaType fileName }
    ... on SourceBlock { url title fileName }
    ... on DataBlock { name data }
  }
}`;

export const ROWS = `query UIMessages($id: ID!, $last: Int!, $before: String, $filter: MessageFilter) {
  session(id: $id) {
    eventCursor
    messages(last: $last, before: $before, filter: $filter) {
      nodes { ...Row }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}
${ROW}`;

export const EVENTS = `subscription UIMessageEvents($sessionId: ID!, $after: String) {
  sessionEvents(sessionId: $sessionId, after: $after) {
    __typename
    ... on Event { cursor }
    ... on MessageAdded { message { ...Row } }
    ... on MessageChanged { message { ...Row } }
    ... on MessageDelta { messageId offset text }
    ... on MessagePartsDelta { messageId offset parts }
    ... on MessageRemoved { messageId }
    ... on SessionChanged { session { deletedAt } }
  }
}
${ROW}`;
