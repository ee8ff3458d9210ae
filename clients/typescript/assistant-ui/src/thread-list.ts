// The list of threads: a thread is a session.

import { type RemoteThreadListAdapter, type ThreadMessage, useAui } from "@assistant-ui/react";
import { type ColloquyClient, ColloquyError, type DeleteMode, type Session } from "@colloquy/client";
import { createAssistantStream } from "assistant-stream";
import { useEffect, useMemo, useRef } from "react";
import { historyAdapter } from "./history.ts";

const TITLE_LENGTH = 60; // as the server makes a title of the first message

export interface ThreadListOptions {
  /** Only sessions of this agent type; new threads get it. */
  agentType?: string;
  /** Threads of a page, 1 to 100; 50 by default. */
  pageSize?: number;
  /** What deleting a thread does: SOFT by default, which `restoreSession` undoes; HARD erases everything in it. */
  deleteMode?: DeleteMode;
  /** Makes a title; without it the server makes one of the first message. */
  title?(messages: readonly ThreadMessage[]): Promise<string>;
}

/** Where the next page of each list begins; undefined when the list has ended. */
interface Cursors {
  regular?: string | null | undefined;
  archived?: string | null | undefined;
}

type ThreadMetadata = Awaited<ReturnType<RemoteThreadListAdapter["fetch"]>>;

/** The threads of assistant-ui as sessions of the client's owner, with their history. */
export function threadListAdapter(client: ColloquyClient, options: ThreadListOptions = {}): RemoteThreadListAdapter {
  const { agentType, pageSize: first = 50, deleteMode = "SOFT", title } = options;

  async function page(archived: boolean, after: string | null | undefined) {
    if (after === undefined) return { threads: [], next: undefined };
    const filter = { archived, ...(agentType !== undefined && { agentType }) };
    const { nodes, pageInfo } = await client.sessions({ filter, first, after });
    return { threads: nodes.map(metadataOf), next: pageInfo.hasNextPage ? pageInfo.endCursor : undefined };
  }

  return {
    async list({ after } = {}) {
      const cursors: Cursors = after ? (JSON.parse(after) as Cursors) : { regular: null, archived: null };
      const [regular, archived] = await Promise.all([page(false, cursors.regular), page(true, cursors.archived)]);
      const next: Cursors = { regular: regular.next, archived: archived.next };
      const more = next.regular !== undefined || next.archived !== undefined;
      return { threads: [...regular.threads, ...archived.threads], nextCursor: more ? JSON.stringify(next) : undefined };
    },

    async fetch(threadId) {
      const session = await client.session({ id: threadId });
      if (!session || session.deletedAt) throw new ColloquyError("NOT_FOUND", "There is no such session.");
      return metadataOf(session);
    },

    async initialize(threadId, { custom: metadata } = {}) {
      const input = { ...(agentType !== undefined && { agentType }), ...(metadata && { metadata }) };
      // A thread that is initialised twice, as by a second render, is one session.
      const { id } = await client.createSession(input, { idempotencyKey: `assistant-ui:${threadId}` });
      return { remoteId: id };
    },

    async rename(remoteId, newTitle) {
      await client.updateSession(remoteId, { title: newTitle });
    },

    async updateCustom(remoteId, custom = {}) {
      await client.updateSession(remoteId, { metadata: custom });
    },

    async archive(remoteId) {
      await client.archiveSession(remoteId);
    },

    async unarchive(remoteId) {
      await client.restoreSession(remoteId);
    },

    async delete(remoteId) {
      await client.deleteSession(remoteId, deleteMode);
    },

    async generateTitle(remoteId, messages) {
      const made = await title?.(messages);
      if (made !== undefined) await client.updateSession(remoteId, { title: made });
      const shown = made ?? ((await client.session({ id: remoteId }))?.title || beginningOf(messages));
      return createAssistantStream((controller) => controller.appendText(shown));
    },

    unstable_useAdapters: function useHistory() {
      const aui = useAui();
      const current = useRef(aui);
      useEffect(() => {
        current.current = aui;
      });
      const history = useMemo(() => historyAdapter(client, { thread: () => current.current.threadListItem }), []);
      return useMemo(() => ({ history }), [history]);
    },
  };
}

function metadataOf({ id, key, title, archivedAt, lastActivityAt, metadata }: Session): ThreadMetadata {
  return {
    remoteId: id,
    externalId: key ?? undefined,
    status: archivedAt ? "archived" : "regular",
    title: title || undefined,
    lastMessageAt: new Date(lastActivityAt),
    custom: metadata as Record<string, unknown>,
  };
}

/** The title that the server makes of the first message, which it may not have yet. */
function beginningOf(messages: readonly ThreadMessage[]): string {
  const first = messages.find(({ role }) => role === "user");
  const text = first?.content.find((part) => part.type === "text")?.text ?? "";
  return [...text].slice(0, TITLE_LENGTH).join("");
}
