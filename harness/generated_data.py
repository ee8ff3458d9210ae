"""Generated data: owners of chosen sizes, inserted by SQL alone. Every invariant of `colloquy check` holds.

Nothing is random. Session 4 of an owner is its focus: only the focus has its own length, tombstones at its end, and
streaming messages: one of text, one of parts. The rare rows are equally few at every size: the sessions, tasks,
approvals, audit events and agents with a number up to 3, and the messages 1 to 3 of the focus. A search for them must
cost the same at every size.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import asyncpg

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Owners:
    """`count` owners with equally much data; a single owner is called `name`, several `name-00001` and so on.

    `messages` are those of each session, `focus` those of the focus; both are even. `items` are the tasks of the focus,
    and its approvals, `items_each` those of each other session. `erased` and `archived` sessions are newer than all
    others. With `all_streaming` every session has a streaming message. The newest 10 of more than 20 messages are
    unread, with `all_unread` all are.
    """

    name: str
    count: int = 1
    agents: int = 5
    sessions: int = 10
    messages: int = 10
    focus: int = 10
    items: int = 3
    items_each: int = 1
    tombstones: int = 3
    erased: int = 0
    archived: int = 0
    audit_events: int = 10
    keys: int = 10
    all_streaming: bool = False
    all_unread: bool = False

    def rows(self) -> list[tuple[str, dict[str, int]]]:
        """The id of each owner, and its sizes by column."""
        sizes = {name: int(value) for name, value in asdict(self).items() if name not in ("name", "count")}
        names = [self.name] if self.count == 1 else [f"{self.name}-{n:05}" for n in range(1, self.count + 1)]
        return [(name, sizes) for name in names]


async def fill(
    connection: asyncpg.Connection, owners: Sequence[Owners], *, began: datetime = BEGAN, triggers: bool = True
) -> None:
    """Inserts the rows, and updates the planner's statistics. All sessions begin in the five days after `began`.

    Index-only scans cost what the visibility map says. So autovacuum is off from then on, and commits are synchronous:
    VACUUM does not mark rows as visible to all while the WAL of their commit is not flushed. Without triggers
    (superusers only) the insert is faster: no foreign key is checked, and `changed_xid` is generated.
    """
    for (table,) in await connection.fetch("select tablename from pg_tables where schemaname = 'public'"):
        await connection.execute(f"alter table {table} set (autovacuum_enabled = off)")
    await connection.execute("set synchronous_commit = on")
    rows = [row for kind in owners for row in kind.rows()]
    columns = list(rows[0][1])
    await connection.execute(FUNCTIONS.format(began=began.isoformat()))
    await connection.execute(f"create temp table sizes (owner_id text, {', '.join(f'{c} integer' for c in columns)})")
    records = [(name, *(sizes[column] for column in columns)) for name, sizes in rows]
    await connection.copy_records_to_table("sizes", records=records)
    if not triggers:
        await connection.execute("set session_replication_role = replica")
    await connection.execute(SESSION_SIZES)
    for statement in (AGENTS, SESSIONS, SESSION_AGENTS, TASKS, APPROVALS, AUDIT_EVENTS, KEYS, RECORDS):
        await connection.execute(statement)
    # PostgreSQL builds a GIN index from rows many times faster than row by row.
    searches = await connection.fetch(GIN_INDEXES)
    for name, _ in searches:
        await connection.execute(f"drop index {name}")
    for statement in (MESSAGES, TOMBSTONES, STREAMS, CHUNKS):
        await connection.execute(statement)
    for _, definition in searches:
        await connection.execute(definition)
    for statement in (COUNTED_SESSIONS, SESSION_TOTALS, COUNT_POSITIONS):
        await connection.execute(statement)
    await connection.execute("reset session_replication_role; drop table session_sizes, sizes")
    await connection.execute("vacuum (analyze)")


FUNCTIONS = """
create or replace function pg_temp.began() returns timestamptz immutable language sql as $$
select timestamptz '{began}'
$$;
-- Owners are apart in time: what is due is read in the order of time.
create or replace function pg_temp.apart(owner text) returns interval immutable language sql as $$
select ('x' || substr(md5(owner), 1, 6))::bit(24)::integer * interval '1 millisecond'
$$;
create or replace function pg_temp.id(at timestamptz, name text) returns uuid immutable language sql as $$
select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(name), 1, 3) || '8' || substr(md5(name), 4, 15))::uuid
$$;
create or replace function pg_temp.agent(owner text, a integer) returns uuid immutable language sql as $$
select pg_temp.id(timestamptz '2026-01-01Z' + a * interval '1 minute', owner || ' agent ' || a)
$$;
create or replace function pg_temp.task(owner text, n integer, k integer) returns uuid immutable language sql as $$
select pg_temp.id(timestamptz '2026-01-01Z' + (n + k) * interval '1 second', owner || ' task ' || n || '.' || k)
$$;
create or replace function pg_temp.xid(n integer) returns xid8 immutable language sql as $$
select (3 + n::bigint * 7919 % 500)::text::xid8
$$;
"""
GIN_INDEXES = """
select indexname, indexdef from pg_indexes
where schemaname = 'public' and tablename = 'messages' and indexdef like '%USING gin%'
"""
# Every session: its owner's sizes, its number n, and how much is in it.
SESSION_SIZES = """
create temp table session_sizes as
select o.*, n, pg_temp.id(at, owner_id || ' session ' || n) as id, at, n <= 3 as rare,
       n > sessions and n <= sessions + erased as is_erased, living, gone, living + gone as last_sequence, things,
       4 + living + gone + 2 * things as head,
       case when all_unread = 1 then 0 when living > 20 then living - 10 else living end as last_read,
       interval '20 hours' / greatest(living, 1) as step, n <= sessions and (n = 4 or all_streaming = 1) as streaming
from sizes o, generate_series(1, sessions + erased + archived) n,
lateral (select pg_temp.began() + pg_temp.apart(owner_id)
                + n * (interval '4 days' / (sessions + erased + archived)) as at,
                case when n > sessions then 0 when n = 4 then focus else messages end as living,
                case when n = 4 then tombstones else 0 end as gone,
                case when n > sessions then 0 when n = 4 then items else items_each end as things) lengths;
analyze session_sizes
"""
AGENTS = """
insert into agents (owner_id, id, key, name, description, type, status, skills, hourly_rate, metadata)
select owner_id, pg_temp.agent(owner_id, a), 'agent-' || a,
       case when rare then 'Rare' else 'Agent' end || ' number ' || a,
       'Does the work of a ' || md5(a::text) || ' with great care', case when rare then 'rare' else 'common' end,
       case when rare then 'OFFLINE' else 'AVAILABLE' end,
       case when rare then array['rare'] else array['common', 'skill-' || a % 7] end,
       case when rare then 1 when a % 3 > 0 then 50 + a % 100 end, '{}'
from sizes, generate_series(1, agents) a, lateral (select a between 2 and 4 as rare) kinds
"""
SESSIONS = """
insert into sessions (owner_id, id, key, title, status, role, agent_type, task_id, metadata, head, revision,
                      last_sequence, message_count, unread_count, last_read_sequence, created_at, updated_at,
                      last_activity_at, expires_at, archived_at, deleted_at, erased_at, changed_xid)
select owner_id, id, case when not is_erased then 'session-' || n end,
       case when is_erased then '' when rare then 'Rare talk ' || n else 'Conversation ' || n || ' of ' || owner_id end,
       case when rare then 'PENDING' when n = 6 then 'EXPIRED' when n % 4 = 3 then 'COMPLETED' else 'ACTIVE' end,
       case when is_erased or n % 5 = 0 then null when rare then 'rare' else 'common' end,
       case when is_erased or n % 5 = 0 then null when rare then 'rare' else 'common' end,
       case when rare then pg_temp.task(owner_id, 1, 1) when n % 10 = 0 then pg_temp.task(owner_id, n, 1) end,
       '{"pinned":false}', head, 1, last_sequence, living,
       living / 2 - last_read / 2 + case when n = 4 and last_read = 0 then 2 else 0 end, last_read,
       at, at, at + living * step, case when n = 6 then at when n % 10 = 0 then at + interval '70 years' end,
       case when n > sessions or n % 5 = 4 and n > 4 then at end, case when is_erased or n = 8 then at end,
       case when is_erased then at end, pg_temp.xid(n)
from session_sizes order by at
"""
# Agent 1 takes part in every session, agent 2 in the rare ones and in the focus.
SESSION_AGENTS = """
insert into session_agents (owner_id, session_id, kind, key, agent_id, state, conversation_manager_state,
                            internal_state, created_revision, revision, created_at, updated_at)
select owner_id, id, 'AGENT', 'part-' || p,
       pg_temp.agent(owner_id, case p when 0 then 1 when 2 then 2 else 3 + n % (agents - 2) end),
       '{"turns":1}', '{}', '{}', 2 + p, 2 + p, at, at
from session_sizes, generate_series(0, 2) p where not is_erased and (p < 2 or n <= 4)
"""
TASKS = """
insert into tasks (owner_id, id, session_id, type, from_role, to_role, payload, trace_id, status, revision,
                   created_at, updated_at, changed_xid)
select owner_id, pg_temp.task(owner_id, n, k), id, word, word, word, '{}', md5(owner_id || n / 4 || k / 4),
       case when word = 'rare' then 'CANCELLED' when n % 3 = 0 then 'PENDING' else 'COMPLETED' end,
       4 + last_sequence + k, at, at, pg_temp.xid(n)
from session_sizes, generate_series(1, things) k,
lateral (select case when rare or n = 4 and k <= 3 then 'rare' else 'common' end as word) words
"""
APPROVALS = """
insert into approvals (owner_id, id, session_id, task_id, message_sequence, tool_use_id, approver_role, status,
                       decided_by, decided_at, revision, created_at, changed_xid)
select owner_id, pg_temp.id(at, 'approval ' || id || k), id, pg_temp.task(owner_id, n, k),
       message, case when message is not null then 'tool-' || k end, word,
       case when word = 'rare' then 'PENDING' when n % 3 = 0 then 'REJECTED' else 'APPROVED' end,
       case when word <> 'rare' then 'boss' end, case when word <> 'rare' then at end,
       4 + last_sequence + things + k, at, pg_temp.xid(n)
from session_sizes, generate_series(1, things) k,
lateral (select case when rare or n = 4 and k <= 3 then 'rare' else 'common' end as word,
                case when n = 4 and k = 1 then living / 2 + 1 when 2 * k <= living then 2 * k end as message) words
"""
AUDIT_EVENTS = """
insert into audit_events (owner_id, id, event_type, actor, role, trace_id, at, subject_kind, subject_id, metadata)
select e.owner_id, pg_temp.id(e.at, e.owner_id || ' event ' || e.n),
       case when e.n <= 3 then 'rare' else 'session.updated' end, e.owner_id,
       case when e.n <= 3 then 'rare' else 'common' end, md5(e.owner_id || e.n / 4), e.at, 'SESSION', p.id,
       '{"fields":["title"]}'
from (select *, pg_temp.began() - interval '300 days' + n * (interval '304 days' / audit_events) as at
      from sizes, generate_series(1, audit_events) n) e
join session_sizes p on p.owner_id = e.owner_id and p.n = 1 + e.n % e.sessions
"""
KEYS = """
insert into idempotency_keys (owner_id, key, request_hash, result, created_at)
select owner_id, md5(owner_id || n), sha256(n::text::bytea),
       '{"session":"019ac0c5-0000-7000-8000-000000000000","sequence":17,"revision":20}',
       pg_temp.began() + interval '4 days' + n * (interval '20 hours' / keys)
from sizes, generate_series(1, keys) n
"""
# As many as idempotency keys, most in the namespace `notes`; three belong to the focus, some have a time, some are
# live, and some of these are tombstones.
RECORDS = """
insert into records (owner_id, path, session_id, value, metadata, tags, text, revision, expires_at)
select o.owner_id, word || chr(31) || chr(30) || 'record-' || r, case when r between 4 and 6 then p.id end,
       '{"text":"Hello"}', json_build_object('kind', word), jsonb_build_object('kind', word), 'Hello', 1,
       case when r % 10 = 0 then timestamptz '2099-01-01Z' + r * interval '1 minute'
            when r % 10 = 7 then '-infinity' end
from sizes o join session_sizes p on p.owner_id = o.owner_id and p.n = 4, generate_series(1, o.keys) r,
lateral (select case when r <= 3 then 'rare' when r % 10 in (5, 7) then 'live' else 'notes' end as word) words
"""
# In the order of time, so that the messages of one session do not lie side by side.
MESSAGES = """
insert into messages (owner_id, session_id, sequence, key, agent_key, role, status, text, tsv, metadata,
                      created_revision, revision, created_at, updated_at)
select owner_id, id, m, case when m % 2 = 1 then 'key-' || md5(id::text || m) end,
       case when m > 3 and m % 2 = 0 then case when n = 4 and m in (4, 14, 24) then 'part-2'
                                               when m % 10 = 0 then 'part-1' else 'part-0' end end,
       case when few then 'SYSTEM' when m % 2 = 1 then 'USER' else 'ASSISTANT' end,
       case when open then 'STREAMING' when few then 'FAILED' else 'COMPLETE' end,
       case when open then '' else said end,
       case when not open then to_tsvector('simple', left(said, 16384)) || array_to_tsvector(array['@' || owner_id])
       end,
       '{"tokens":42,"model":"m-1"}', 4 + m, 4 + m, sent_at, sent_at
from (select *, at + m * step as sent_at, n = 4 and m <= 3 as few, streaming and m > living - 2 as open
      from session_sizes, generate_series(1, living) m order by sent_at) messages,
lateral concat('Message ', m, ' of conversation ', n, ': ', case when few then 'rare ' end,
               case when m % 50 = 20 then 'seldom ' end, repeat('the quick brown fox jumps, ', 5),
               md5(id::text || m)) said
"""
TOMBSTONES = """
insert into messages (owner_id, session_id, sequence, role, status, text, metadata, created_revision, revision,
                      created_at, updated_at, deleted_at)
select owner_id, id, m, case when m % 2 = 0 then 'ASSISTANT' else 'USER' end, 'COMPLETE', '', '{}', 4 + m, 4 + m,
       at, at, at + m * interval '1 second'
from session_sizes, generate_series(living + 1, last_sequence) m
"""
STREAMS = """
insert into streams (owner_id, session_id, sequence, fence, length, updated_at, parts_format, size)
select owner_id, id, living - in_parts, 'fence', 250, at + interval '20 hours', case in_parts when 1 then 'OTHER' end,
       in_parts * 2749
from session_sizes, generate_series(0, 1) in_parts where streaming and living > in_parts
"""
CHUNKS = """
insert into message_chunks (owner_id, session_id, sequence, "offset", text, parts)
select owner_id, id, living - in_parts, (c - 1) * 25, case in_parts when 0 then 'twenty-five characters on' else '' end,
       case in_parts when 1 then rtrim(repeat('{"part":1}' || chr(10), 25), chr(10)) end
from session_sizes, generate_series(1, 10) c, generate_series(0, 1) in_parts where streaming and living > in_parts
"""
# As the program counts them when an owner reads totals.
COUNTED_SESSIONS = """
insert into counted_sessions (owner_id, session_id, agent_type, active, archived, unread, messages)
select owner_id, id, coalesce(agent_type, ''), (status in ('PENDING', 'ACTIVE') and archived_at is null)::int,
       (archived_at is not null)::int, (unread_count > 0 and archived_at is null)::int, message_count
from sessions join sizes using (owner_id) where deleted_at is null
"""
SESSION_TOTALS = """
insert into session_totals (owner_id, agent_type, sessions, active, archived, unread, messages)
select owner_id, agent_type, count(*), sum(active), sum(archived), sum(unread), sum(messages)
from counted_sessions where owner_id in (select owner_id from sizes) group by owner_id, agent_type
"""
COUNT_POSITIONS = """
insert into count_positions (owner_id, epoch, xid, id)
select owner_id, system_identifier, pg_snapshot_xmax(pg_current_snapshot()), '00000000-0000-0000-0000-000000000000'
from sizes, pg_control_system()
"""
