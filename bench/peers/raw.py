"""The floor: one statement per operation; PostgreSQL builds the whole answer, the server passes it on."""

from typing import Any

from asyncpg import Pool

from bench.peers.common import application
from bench.peers.rest import APPEND

# Row types through json_agg: json_build_object costs PostgreSQL twice as much.
AGENT = """
left join lateral (
    select g.key, (
        select agent from (
            select 'agt_' || a.id as id, a.name from agents a
            where a.owner_id = g.owner_id and a.id = g.agent_id and a.deleted_at is null
        ) agent
    )
    from session_agents g
    where g.owner_id = $1 and g.session_id = m.session_id and g.kind = 'AGENT' and g.key = m.agent_key
) part on true
"""
W1 = f"""
select '{{"data":{{"session":{{"id":"ses_' || s.id || '","title":' || to_json(s.title)::text
    || ',"messages":{{"edges":' || coalesce(page.edges::text, '[]')
    || ',"pageInfo":{{"hasNextPage":false,"hasPreviousPage":' || case when page.n > 50 then 'true' else 'false' end
    || ',"startCursor":' || coalesce('"m.' || page.low || '"', 'null')
    || ',"endCursor":' || coalesce('"m.' || page.high || '"', 'null') || '}}}}}}}}}}'
from sessions s cross join lateral (
    select json_agg(e.edge order by e.sequence) filter (where e.rank <= 50) as edges, count(*) as n,
           min(e.sequence) filter (where e.rank <= 50) as low, max(e.sequence) as high
    from (
        select m.sequence, m.rank, (
            select edge from (
                select 'm.' || m.sequence as cursor, node from (
                    select 'msg_' || m.session_id || '_' || m.sequence as id, m.role, m.text,
                           m.created_at as "createdAt", part as agent
                ) node
            ) edge
        )
        from (
            select m.session_id, m.sequence, m.agent_key, m.role, m.text, m.created_at,
                   row_number() over (order by m.sequence desc) as rank
            from messages m
            where m.owner_id = $1 and m.session_id = s.id and m.deleted_at is null
            order by m.sequence desc limit 51
        ) m {AGENT}
    ) e
) page
where s.owner_id = $1 and s.id = $2 and s.erased_at is null
"""
W2 = f"""
select '{{"data":{{"sessions":{{"edges":'
    || coalesce((json_agg(e.edge order by e.rank) filter (where e.rank <= 20))::text, '[]')
    || ',"pageInfo":{{"hasNextPage":' || case when count(*) > 20 then 'true' else 'false' end
    || ',"endCursor":' || coalesce('"' || max(e.cursor) filter (where e.rank = least(20, e.n)) || '"', 'null')
    || '}}}}}}}}'
from (
    select s.rank, s.cursor, s.n, (
        select edge from (
            select s.cursor, node from (
                select 'ses_' || s.id as id, s.title, s.status, s.last_activity_at as "lastActivityAt",
                       s.message_count as "messageCount", s.unread_count as "unreadCount", last as "lastMessage"
            ) node
        ) edge
    )
    from (
        select s.*, 'a.' || (extract(epoch from s.last_activity_at) * 1000000)::bigint || '.' || s.id as cursor,
               row_number() over (order by s.last_activity_at desc, s.id desc) as rank, count(*) over () as n
        from (
            select id, title, status, last_activity_at, message_count, unread_count from sessions
            where owner_id = $1 and archived_at is null and deleted_at is null
            order by last_activity_at desc, id desc limit 21
        ) s
    ) s
    left join lateral (
        select 'msg_' || m.session_id || '_' || m.sequence as id, m.role, m.text,
               m.created_at as "createdAt", part as agent
        from (
            select * from messages where owner_id = $1 and session_id = s.id and deleted_at is null
            order by sequence desc limit 1
        ) m {AGENT}
    ) last on true
) e
"""
HEAD, _, INSERT = APPEND.partition(")\ninsert")
W3 = f"""{HEAD}), appended as (insert{INSERT})
select '{{"data":{{"appendMessage":{{"message":' || (
        select row_to_json(message)::text from (
            select 'msg_' || session_id || '_' || sequence as id, sequence, role, text, created_at as "createdAt"
        ) message
    ) || ',"cursor":"e.' || session_id || '.' || revision || '","errors":[]}}}}}}'
from appended
"""


async def w1(pool: Pool, owner: str, variables: dict[str, Any]) -> Any:
    return await pool.fetchval(W1, owner, variables["id"].removeprefix("ses_")) or '{"data":{"session":null}}'


async def w2(pool: Pool, owner: str, _variables: dict[str, Any]) -> Any:
    return await pool.fetchval(W2, owner)


async def w3(pool: Pool, owner: str, variables: dict[str, Any]) -> Any:
    return await pool.fetchval(W3, owner, variables["session"].removeprefix("ses_"), variables["text"])


app = application({"W1": w1, "W2": w2, "W3": w3}, str.encode)
