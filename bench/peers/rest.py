"""What a good developer writes without GraphQL: rows, dicts, orjson."""

from datetime import datetime
from typing import Any

import orjson
from asyncpg import Pool, Record

from bench.peers.common import application

SESSION = "select id, title from sessions where owner_id = $1 and id = $2 and erased_at is null"
NEWEST = """
select sequence, agent_key, role, text, created_at from messages
where owner_id = $1 and session_id = $2 and deleted_at is null order by sequence desc limit 51
"""
PARTS = """
select g.session_id, g.key, a.id, a.name from session_agents g
left join agents a on a.owner_id = g.owner_id and a.id = g.agent_id and a.deleted_at is null
where g.owner_id = $1 and g.session_id = any($2) and g.kind = 'AGENT' and g.key = any($3)
"""
SESSIONS = """
select id, title, status, last_activity_at, message_count, unread_count from sessions
where owner_id = $1 and archived_at is null and deleted_at is null
order by last_activity_at desc, id desc limit 21
"""
LAST = """
select m.session_id, m.sequence, m.agent_key, m.role, m.text, m.created_at from unnest($2::uuid[]) s (id)
cross join lateral (
    select * from messages where owner_id = $1 and session_id = s.id and deleted_at is null
    order by sequence desc limit 1
) m
"""
APPEND = """
with head as (
    update sessions set
        last_sequence = last_sequence + 1, message_count = message_count + 1, head = head + 1,
        last_activity_at = greatest(last_activity_at, now())
    where owner_id = $1 and id = $2 and deleted_at is null and archived_at is null and status = 'ACTIVE'
    and (expires_at is null or expires_at > now())
    returning owner_id, id, last_sequence, head
)
insert into messages (owner_id, session_id, sequence, created_revision, revision, role, text, metadata, tsv)
select owner_id, id, last_sequence, head, head, 'USER', $3, '{}',
    to_tsvector('simple', left($3, 16384)) || array_to_tsvector(array['@' || owner_id])
from head
returning session_id, sequence, revision, role, text, created_at
"""


def message(row: Record, session: Any, parts: dict[Any, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{session}_{row['sequence']}",
        "role": row["role"],
        "text": row["text"],
        "createdAt": row["created_at"],
        "agent": parts[session, row["agent_key"]] if row["agent_key"] else None,
    }


def part(row: Record) -> dict[str, Any]:
    return {"key": row["key"], "agent": row["id"] and {"id": f"agt_{row['id']}", "name": row["name"]}}


async def w1(pool: Pool, owner: str, variables: dict[str, Any]) -> Any:
    session = variables["id"].removeprefix("ses_")
    async with pool.acquire() as connection:
        found = await connection.fetchrow(SESSION, owner, session)
        if found is None:
            return {"session": None}
        rows = await connection.fetch(NEWEST, owner, session)
        keys = list({row["agent_key"] for row in rows if row["agent_key"]})
        agents = await connection.fetch(PARTS, owner, [session], keys)
    parts = {(found["id"], row["key"]): part(row) for row in agents}
    more = len(rows) > 50
    rows = rows[:50]
    rows.reverse()
    edges = [{"cursor": f"m.{row['sequence']}", "node": message(row, found["id"], parts)} for row in rows]
    page = {
        "hasNextPage": False,
        "hasPreviousPage": more,
        "startCursor": edges[0]["cursor"] if edges else None,
        "endCursor": edges[-1]["cursor"] if edges else None,
    }
    messages = {"edges": edges, "pageInfo": page}
    return {"session": {"id": f"ses_{found['id']}", "title": found["title"], "messages": messages}}


def cursor(row: Record) -> str:
    at: datetime = row["last_activity_at"]
    return f"a.{int(at.timestamp()) * 1_000_000 + at.microsecond}.{row['id']}"


async def w2(pool: Pool, owner: str, _variables: dict[str, Any]) -> Any:
    async with pool.acquire() as connection:
        rows = await connection.fetch(SESSIONS, owner)
        more = len(rows) > 20
        rows = rows[:20]
        newest = await connection.fetch(LAST, owner, [row["id"] for row in rows])
        keys = list({row["agent_key"] for row in newest if row["agent_key"]})
        agents = await connection.fetch(PARTS, owner, [row["session_id"] for row in newest], keys)
    parts = {(row["session_id"], row["key"]): part(row) for row in agents}
    last = {row["session_id"]: message(row, row["session_id"], parts) for row in newest}
    edges = [
        {
            "cursor": cursor(row),
            "node": {
                "id": f"ses_{row['id']}",
                "title": row["title"],
                "status": row["status"],
                "lastActivityAt": row["last_activity_at"],
                "messageCount": row["message_count"],
                "unreadCount": row["unread_count"],
                "lastMessage": last.get(row["id"]),
            },
        }
        for row in rows
    ]
    page = {"hasNextPage": more, "endCursor": edges[-1]["cursor"] if edges else None}
    return {"sessions": {"edges": edges, "pageInfo": page}}


async def w3(pool: Pool, owner: str, variables: dict[str, Any]) -> Any:
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(APPEND, owner, variables["session"].removeprefix("ses_"), variables["text"])
    if row is None:
        error = {"code": "NOT_FOUND", "message": "There is no such session.", "field": ["sessionId"]}
        return {"appendMessage": {"message": None, "cursor": None, "errors": [error]}}
    appended = {
        "id": f"msg_{row['session_id']}_{row['sequence']}",
        "sequence": row["sequence"],
        "role": row["role"],
        "text": row["text"],
        "createdAt": row["created_at"],
    }
    return {"appendMessage": {"message": appended, "cursor": f"e.{row['session_id']}.{row['revision']}", "errors": []}}


def encode(data: Any) -> bytes:
    return orjson.dumps({"data": data}, option=orjson.OPT_UTC_Z)


app = application({"W1": w1, "W2": w2, "W3": w3}, encode)
