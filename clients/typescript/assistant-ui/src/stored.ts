// A message as a history stores it: the record of assistant-ui is the document of the message, which the server reads.

import type { Approval, ColloquyClient, Message, PageInfo } from "@colloquy/client";
import { ColloquyError } from "@colloquy/client";

/** A record of a message in one of assistant-ui's storage formats. */
export interface StoredRecord {
  id: string;
  parent_id: string | null;
  format: string;
  content: Record<string, unknown>;
}

export type StoredMessage = Message & { raw: string | null };

export interface StoredThread {
  messages: StoredMessage[];
  approvals: Approval[];
}

interface Page {
  session: {
    approvals: { nodes: Approval[] };
    messages: { nodes: StoredMessage[]; pageInfo: PageInfo };
  } | null;
}

const PAGE = `query AssistantUiThread($id: ID!, $after: String) {
  session(id: $id) {
    approvals(last: 100) { nodes { id status toolUseId approverRole notes decidedBy decidedAt message { id } } }
    messages(first: 50, after: $after) {
      nodes {
        id key sequence role status text raw parts revision metadata createdAt redactedAt
        agent { key agent { name } }
        usage { inputTokens outputTokens totalTokens }
        content {
          __typename position
          ... on TextBlock { text }
          ... on ReasoningBlock { text }
          ... on ToolUseBlock { toolUseId name input }
          ... on ToolResultBlock { toolUseId isError content }
          ... on MediaBlock { mediaType fileName }
          ... on SourceBlock { url title fileName }
          ... on DataBlock { name data }
          ... on OtherBlock { kind }
        }
      }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;

/** All messages of a session, and its approvals. Throws NOT_FOUND. */
export async function readThread(client: ColloquyClient, id: string): Promise<StoredThread> {
  const messages: StoredMessage[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page = await client.execute<Page, object>(PAGE, { id, after }, { repeatable: true });
    if (!page.session) throw new ColloquyError("NOT_FOUND", "There is no such session.");
    const { messages: read, approvals } = page.session;
    messages.push(...read.nodes);
    if (!read.pageInfo.hasNextPage) return { messages, approvals: approvals.nodes };
    after = read.pageInfo.endCursor;
  }
}

/** The record in the document of a message; null for a document of another kind. */
export function recordOf({ raw }: StoredMessage): StoredRecord | null {
  try {
    const record = JSON.parse(raw ?? "null") as Partial<StoredRecord> | null;
    return typeof record?.format === "string" && isObject(record.content) ? (record as StoredRecord) : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
