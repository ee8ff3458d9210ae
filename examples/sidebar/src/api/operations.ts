import type { Approval, Message, Page, Refusal, Session, SessionEvent, ViewerEvent } from "./types.ts";
import appendMessage from "./documents/append-message.graphql?raw";
import archiveSession from "./documents/archive-session.graphql?raw";
import cancelMessage from "./documents/cancel-message.graphql?raw";
import conversation from "./documents/conversation.graphql?raw";
import createSession from "./documents/create-session.graphql?raw";
import decideApproval from "./documents/decide-approval.graphql?raw";
import decisions from "./documents/decisions.graphql?raw";
import earlier from "./documents/earlier.graphql?raw";
import extendMessage from "./documents/extend-message.graphql?raw";
import finishMessage from "./documents/finish-message.graphql?raw";
import markRead from "./documents/mark-read.graphql?raw";
import parts from "./documents/parts.graphql?raw";
import renameSession from "./documents/rename-session.graphql?raw";
import requestApproval from "./documents/request-approval.graphql?raw";
import restoreSession from "./documents/restore-session.graphql?raw";
import search from "./documents/search.graphql?raw";
import sessionEvents from "./documents/session-events.graphql?raw";
import sidebar from "./documents/sidebar.graphql?raw";
import startMessage from "./documents/start-message.graphql?raw";
import viewerEvents from "./documents/viewer-events.graphql?raw";

/** A GraphQL document, with the types of its data and variables (for the type checker only). */
export interface Operation<Data, Variables> {
  text: string;
  types?: (variables: Variables) => Data;
}

const fragments = parts.split(/^(?=fragment )/m);

/** The document with only the fragments that it spreads: the server refuses unused fragments. */
function operation<Data, Variables>(text: string): Operation<Data, Variables> {
  const spread = (fragment: string) => text.includes(`...${fragment.split(" ", 2)[1]}\n`);
  return { text: [text, ...fragments.filter(spread)].join("\n") };
}

/** A mutation whose only field takes `input`; its payload has the fields of `Changed`, and `errors`. */
export type Mutation<Input, Changed> = Operation<Record<string, Changed & { errors: Refusal[] }>, { input: Input }>;

export const SIDEBAR = operation<
  { viewer: { subject: string; eventCursor: string }; sessions: { nodes: Session[]; pageInfo: { hasNextPage: boolean; endCursor: string } } },
  { filter: { archived: boolean }; after: string | null }
>(sidebar);

export const CONVERSATION = operation<
  { session: (Session & { eventCursor: string; approvals: { nodes: Approval[] }; messages: Page<Message> }) | null },
  { id: string }
>(conversation);

export const EARLIER = operation<
  { session: { messages: Page<Message> } | null },
  { id: string; before: string }
>(earlier);

export interface Hit {
  node: { id: string; sequence: number; role: string; session: { id: string; title: string } };
  snippet: { text: string; matched: boolean }[];
}
export const SEARCH = operation<
  { sessions: { nodes: Session[] }; searchMessages: { edges: Hit[] } },
  { words: string; title: string }
>(search);

export const SESSION_EVENTS = operation<
  { sessionEvents: SessionEvent },
  { id: string; after: string | null }
>(sessionEvents);

export const VIEWER_EVENTS = operation<{ viewerEvents: ViewerEvent }, { after: string | null }>(viewerEvents);

type OnSession<Input> = Mutation<Input, { session: Session }>;
export const CREATE_SESSION: OnSession<{ key?: string; title?: string }> = operation(createSession);
export const RENAME_SESSION: OnSession<{ id: string; title: string }> = operation(renameSession);
export const ARCHIVE_SESSION: OnSession<{ id: string }> = operation(archiveSession);
export const RESTORE_SESSION: OnSession<{ id: string }> = operation(restoreSession);
export const MARK_READ: OnSession<{ id: string; upToSequence: number }> = operation(markRead);

export interface NewMessage {
  key?: string;
  role: string;
  text?: string;
  raw?: string;
  agentKey?: string;
}
export const APPEND_MESSAGE: Mutation<{ sessionId: string; message: NewMessage }, { message: Message }> =
  operation(appendMessage);

export const DECIDE_APPROVAL: Mutation<{ id: string; decision: "APPROVE" | "REJECT" }, { approval: Approval }> =
  operation(decideApproval);

export const CANCEL_MESSAGE: Mutation<{ id: string }, { message: Message }> = operation(cancelMessage);

// The operations of a producer of answers: see ../agent/.
export const START_MESSAGE: Mutation<
  { sessionId: string; key: string; agentKey: string },
  { fence: string; message: { id: string; text: string } }
> = operation(startMessage);
export const EXTEND_MESSAGE: Mutation<
  { id: string; fence: string; offset: number; text: string },
  { message: { id: string } }
> = operation(extendMessage);
export const FINISH_MESSAGE: Mutation<{ id: string; fence: string; raw?: string }, { message: { id: string } }> =
  operation(finishMessage);
export const REQUEST_APPROVAL: Mutation<
  { sessionId: string; messageId: string; toolUseId: string; notes: string },
  { cursor: string; approval: { id: string } }
> = operation(requestApproval);
export const DECISIONS = operation<
  { sessionEvents: Extract<SessionEvent, { __typename: "ApprovalChanged" | "CaughtUp" }> },
  { id: string; after: string | null }
>(decisions);
