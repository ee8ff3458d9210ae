// Reading rows.

import { type ColloquyClient, ColloquyError } from "@colloquy/client";
import { EVENTS, ROWS, type Row, type RowEvent, type RowsPage } from "./documents.ts";

const MAX_PAGE = 100;

interface Rows {
  rows: Row[];
  /** The cursor after which the events of the session begin. */
  cursor: string;
}

/** The newest rows of a session, in order. Throws NOT_FOUND. */
export async function readRows(
  client: ColloquyClient,
  id: string,
  limit = Infinity,
  filter: object = {},
  signal?: AbortSignal,
): Promise<Rows> {
  const rows: Row[] = [];
  let cursor = "";
  let before: string | null = null;
  do {
    const variables: object = { id, last: Math.min(limit - rows.length, MAX_PAGE), before, filter };
    const page: RowsPage = await client.execute(ROWS, variables, { signal, repeatable: true });
    if (!page.session) throw new ColloquyError("NOT_FOUND", "There is no such session.");
    const { nodes, pageInfo } = page.session.messages;
    cursor ||= page.session.eventCursor; // of the first page: what changes during the read comes as an event too
    rows.unshift(...nodes);
    before = pageInfo.hasPreviousPage && rows.length < limit ? pageInfo.startCursor : null;
  } while (before !== null);
  return { rows, cursor };
}

/** The changes of a session after a cursor, through lost connections. */
export function rowEvents(
  client: ColloquyClient,
  sessionId: string,
  after: string,
  signal: AbortSignal,
): AsyncGenerator<RowEvent, void, void> {
  return client.subscribe<RowEvent, { sessionId: string; after: string }>(EVENTS, { sessionId, after }, { signal });
}
