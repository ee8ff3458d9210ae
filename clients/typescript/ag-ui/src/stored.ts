// What the server has: a session, its messages with their documents, and the parts of a message that is being written.

import { type Approval, type ColloquyClient, ColloquyError, type Message, type PageInfo } from "@colloquy/client";

/** A session by its id, or by the key that the application gave it. */
export type SessionName = { id: string } | { key: string };

export interface StoredMessage
  extends Pick<Message, "id" | "sequence" | "role" | "status" | "text" | "createdAt" | "redactedAt" | "usage" | "content"> {
  /** The document of its producer; null if only a text was sent. */
  raw: string | null;
}

/** A message as it is now, with the parts of a message that is written with parts. */
export interface CurrentMessage extends StoredMessage {
  parts: unknown[] | null;
}

export interface StoredSession {
  id: string;
  key: string | null;
  /** The cursor after which events bring every change that was not read here. */
  eventCursor: string;
  approvals: { nodes: Approval[] };
  messages: { nodes: StoredMessage[]; pageInfo: PageInfo };
}

const MESSAGE = `
  id sequence role status text raw createdAt redactedAt
  usage { inputTokens outputTokens totalTokens }
  content {
    __typename position
    ... on TextBlock { text }
    ... on ReasoningBlock { text }
    ... on ToolUseBlock { toolUseId name input }
    ... on ToolResultBlock { toolUseId isError content }
    ... on DataBlock { name data }
  }`;
const SESSION = `query AgUiSession($id: ID, $key: String, $after: String) {
  session(id: $id, key: $key) {
    id key eventCursor
    approvals(last: 100) { nodes { id status toolUseId approverRole notes decidedBy decidedAt message { id } } }
    messages(first: 50, after: $after) {
      nodes { ${MESSAGE} }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;
const CURRENT = `query AgUiMessage($id: ID!) { node(id: $id) { ... on Message { ${MESSAGE} parts } } }`;

/** A session with its first messages; `following` reads the pages after them. Throws NOT_FOUND. */
export async function readSession(client: ColloquyClient, name: SessionName, signal?: AbortSignal): Promise<StoredSession> {
  return readPage(client, { ...name }, signal);
}

/** All messages of a session that was read, in their order. */
export async function* allMessages(
  client: ColloquyClient,
  session: StoredSession,
  signal?: AbortSignal,
): AsyncGenerator<StoredMessage, void, void> {
  for (let page = session.messages; ; ) {
    yield* page.nodes;
    if (!page.pageInfo.hasNextPage) return;
    page = (await readPage(client, { id: session.id, after: page.pageInfo.endCursor }, signal)).messages;
  }
}

/** The message as it is now, with its parts; null after its deletion. */
export async function readMessage(client: ColloquyClient, id: string): Promise<CurrentMessage | null> {
  const { node } = await client.execute<{ node: CurrentMessage | null }, object>(CURRENT, { id }, { repeatable: true });
  return node;
}

async function readPage(client: ColloquyClient, variables: object, signal?: AbortSignal): Promise<StoredSession> {
  const options = { repeatable: true, signal };
  const { session } = await client.execute<{ session: StoredSession | null }, object>(SESSION, variables, options);
  if (!session) throw new ColloquyError("NOT_FOUND", "There is no such session.");
  return session;
}
