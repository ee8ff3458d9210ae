import { useCallback, useEffect, useState } from "react";
import type { Api } from "../api/client.ts";
import { follow } from "../api/follow.ts";
import { SIDEBAR, VIEWER_EVENTS } from "../api/operations.ts";
import { retry } from "../api/retry.ts";
import type { Session, ViewerEvent } from "../api/types.ts";
import { type List, withMore, without, withSession } from "../state/list.ts";

/** The viewer's conversations, active or archived; undefined while they are read. */
export function useList(api: Api, archived: boolean) {
  const [list, setList] = useState<List>();
  const [subject, setSubject] = useState("");
  const changed = useCallback((session: Session) => setList((now) => now && withSession(now, session)), []);

  useEffect(() => {
    const closed = new AbortController();
    let unfollow = () => {};

    async function open() {
      const { viewer, sessions } = await retry(() => page(api, archived, null), closed.signal);
      setSubject(viewer.subject);
      setList({ archived, sessions: sessions.nodes, below: below(sessions) });
      unfollow = follow(api, VIEWER_EVENTS, {}, viewer.eventCursor, hear, () => {});
    }

    function hear(event: ViewerEvent) {
      if (event.__typename === "SessionChanged") changed(event.session);
      if (event.__typename === "SessionRemoved") setList((now) => now && without(now, event.sessionId));
      if (event.__typename === "StreamReset") {
        unfollow();
        void open();
      }
    }

    void open();
    return () => {
      closed.abort();
      unfollow();
    };
  }, [api, archived, changed]);

  const more = useCallback(async () => {
    if (!list?.below) return;
    const { sessions } = await page(api, archived, list.below);
    setList((now) => now && withMore(now, sessions.nodes, below(sessions)));
  }, [api, archived, list?.below]);

  return { list: list?.archived === archived ? list : undefined, subject, changed, more };
}

const page = (api: Api, archived: boolean, after: string | null) => api.ask(SIDEBAR, { filter: { archived }, after });

function below({ pageInfo }: { pageInfo: { hasNextPage: boolean; endCursor: string } }): string | null {
  return pageInfo.hasNextPage ? pageInfo.endCursor : null;
}
