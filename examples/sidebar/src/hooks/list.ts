import { useCallback, useEffect, useState } from "react";
import type { Api } from "../api/client.ts";
import { SIDEBAR } from "../api/operations.ts";
import { patiently } from "../api/patiently.ts";
import type { Session } from "../api/types.ts";
import { type List, withMore, withSession } from "../state/list.ts";

/** The viewer's conversations, those in the list or those in the archive; undefined while they are read. */
export function useList(api: Api, archived: boolean) {
  const [list, setList] = useState<List>();
  const [subject, setSubject] = useState("");

  useEffect(() => {
    const closed = new AbortController();
    async function open() {
      const read = await patiently(() => api.ask(SIDEBAR, { filter: { archived }, after: null }), closed.signal);
      setSubject(read.viewer.subject);
      setList({ archived, sessions: read.sessions.nodes, below: read.sessions.pageInfo.hasNextPage ? read.sessions.pageInfo.endCursor : null });
    }
    void open();
    return () => closed.abort();
  }, [api, archived]);

  const changed = useCallback((session: Session) => setList((now) => now && withSession(now, session)), []);

  const more = useCallback(async () => {
    if (!list?.below) return;
    const { sessions } = await api.ask(SIDEBAR, { filter: { archived }, after: list.below });
    const below = sessions.pageInfo.hasNextPage ? sessions.pageInfo.endCursor : null;
    setList((now) => now && withMore(now, sessions.nodes, below));
  }, [api, archived, list?.below]);

  return { list: list?.archived === archived ? list : undefined, subject, changed, more };
}
