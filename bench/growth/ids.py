"""The ids that operations name, in the form of the schema."""

from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True)
class Ids:
    """Of the rows that operations name; `focus` has the session 4 of each owner."""

    focus: dict[str, str]
    messages: dict[str, int]
    heads: dict[str, int]
    sessions: list[str]
    archived: str
    rare_task: str
    task: str
    approval: str
    event: str
    agents: dict[tuple[str, int], str]
    viewer_cursor: str

    @classmethod
    async def of(cls, connection: asyncpg.Connection) -> "Ids":
        """Read from the generated rows."""
        focus = await connection.fetch("select owner_id, id, message_count, head from sessions where key = 'session-4'")
        agents = await connection.fetch("select owner_id, key, id from agents where key in ('agent-1', 'agent-2')")
        sessions = await connection.fetch("select id from sessions where owner_id = 'team' order by id limit 50")

        async def one(query: str) -> str:
            return str(await connection.fetchval(query))

        return cls(
            focus={row["owner_id"]: f"ses_{row['id']}" for row in focus},
            messages={row["owner_id"]: row["message_count"] for row in focus},
            heads={row["owner_id"]: row["head"] for row in focus},
            sessions=[f"ses_{row['id']}" for row in sessions],
            archived="ses_" + await one("select id from sessions where owner_id = 'team' and key = 'session-19'"),
            rare_task="tsk_" + await one("select task_id from sessions where owner_id = 'team' and key = 'session-1'"),
            task="tsk_" + await one(OPEN_TASK),
            approval="apr_" + await one(PENDING_APPROVAL),
            event="aud_" + await one("select id from audit_events where owner_id = 'team' order by at limit 1"),
            agents={(row["owner_id"], int(row["key"][6:])): f"agt_{row['id']}" for row in agents},
            viewer_cursor=await one(VIEWER_CURSOR),
        )

    def message(self, owner: str, sequence: int) -> str:
        """A message of the focus."""
        return f"{self.focus[owner].replace('ses_', 'msg_')}_{sequence}"

    def middle(self, owner: str) -> str:
        """The message in the middle of the focus."""
        return self.message(owner, self.messages[owner] // 2)


OPEN_TASK = """
select id from tasks where owner_id = 'team' and status = 'PENDING' and session_id is not null order by id limit 1
"""
PENDING_APPROVAL = "select id from approvals where owner_id = 'team' and status = 'PENDING' order by id limit 1"
# Some 300 things of the team have changed since.
VIEWER_CURSOR = """
select 'v.' || system_identifier || '.' || xid || '.' || extract(epoch from now())::bigint - 60
from pg_control_system(), lateral (
    select min(changed_xid::text::bigint) as xid from (
        select changed_xid from (
            select changed_xid from sessions where owner_id = 'team' union all
            select changed_xid from tasks where owner_id = 'team' union all
            select changed_xid from approvals where owner_id = 'team'
        ) changes order by changed_xid desc limit 300
    ) newest
) x
"""
