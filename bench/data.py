"""The data sets: created in SQL and kept as template databases; every run measures on a fresh copy of one."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from app.db.operations import migrate, readiness
from harness.postgres import at, connected

RUN = "bench_run"
FOR_POSTGRAPHILE = Path(__file__).with_name("peers") / "node/postgraphile.sql"


@dataclass(frozen=True)
class DataSet:
    """`owners` × `sessions` × `messages`; a message has some 200 characters."""

    name: str
    owners: int
    sessions: int
    messages: int

    @property
    def template(self) -> str:
        """The name of the template database; every revision of the tables has its own."""
        return f"{self.name}_{readiness.expected_revision()}"


USUAL = DataSet("bench_usual", owners=200, sessions=50, messages=60)
LONG = DataSet("bench_long", owners=1, sessions=1, messages=1_000_000)
AGENTS = 5

# Nothing is random, so that every machine measures the same rows. A UUID of version 7: its time, then a hash.
FUNCTIONS = """
create function pg_temp.uuid7(at timestamptz, name text) returns uuid immutable language sql as $$
select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(name), 1, 3) || '8' || substr(md5(name), 4, 15))::uuid
$$;
create function pg_temp.owner(o integer) returns text immutable language sql as $$
select 'user-' || lpad(o::text, 4, '0')
$$;
create function pg_temp.began(o integer, s integer) returns timestamptz immutable language sql as $$
select timestamptz '2026-11-01 00:00:00.000321Z' + s * interval '4 hours' + o * interval '7.013 seconds'
$$;
create function pg_temp.session(o integer, s integer) returns uuid immutable language sql as $$
select pg_temp.uuid7(pg_temp.began(o, s), o || ' session ' || s)
$$;
create function pg_temp.agent(o integer, a integer) returns uuid immutable language sql as $$
select pg_temp.uuid7(timestamptz '2026-10-31Z' + a * interval '1 hour', o || ' agent ' || a)
$$;
create function pg_temp.sent_at(o integer, s integer, m integer) returns timestamptz immutable language sql as $$
select pg_temp.began(o, s) + m * interval '61.000457 seconds'
$$;
"""
AGENTS_SQL = """
insert into agents (owner_id, id, key, name, type, metadata)
select pg_temp.owner(o), pg_temp.agent(o, a), 'agent-' || a, 'Agent number ' || a, 'assistant', '{}'
from generate_series(1, $1) o, generate_series(1, $2) a
"""
# Revision 1 of a session is its own, 2 and 3 are its two agents'; the messages take the rest.
SESSIONS_SQL = """
insert into sessions (owner_id, id, title, status, metadata, head, revision, last_sequence, message_count,
                      unread_count, last_read_sequence, created_at, updated_at, last_activity_at)
select pg_temp.owner(o), pg_temp.session(o, s), 'Conversation ' || s || ' of user ' || o, 'ACTIVE', '{"pinned":false}',
       3 + $3, 1, $3, $3, $3 / 2 - $3 / 4, $3 / 4 * 2,
       pg_temp.began(o, s), pg_temp.began(o, s), pg_temp.sent_at(o, s, $3)
from generate_series(1, $1) o, generate_series(1, $2) s order by 1, 2
"""
PARTS_SQL = """
insert into session_agents (owner_id, session_id, kind, key, agent_id, state, conversation_manager_state,
                            internal_state, created_revision, revision, created_at, updated_at)
select pg_temp.owner(o), pg_temp.session(o, s), 'AGENT', 'part-' || p, pg_temp.agent(o, 1 + (s + p) % $3),
       '{"turns":1}', '{}', '{}', 2 + p, 2 + p, pg_temp.began(o, s), pg_temp.began(o, s)
from generate_series(1, $1) o, generate_series(1, $2) s, generate_series(0, 1) p
"""
# Inserted in the order of time: as in production, the messages of one session are not stored side by side.
MESSAGES_SQL = """
insert into messages (owner_id, session_id, sequence, agent_key, role, text, tsv, metadata, created_revision, revision,
                      created_at, updated_at)
select pg_temp.owner(o), pg_temp.session(o, s), m, case when m % 2 = 0 then 'part-' || m / 2 % 2 end,
       case m % 2 when 0 then 'ASSISTANT' else 'USER' end, body,
       to_tsvector('simple', left(body, 16384)) || array_to_tsvector(array['@' || pg_temp.owner(o)]),
       '{"tokens":42,"model":"m-1"}', 3 + m, 3 + m, pg_temp.sent_at(o, s, m), pg_temp.sent_at(o, s, m)
from (
    select m, s, o from generate_series(1, $3) m, generate_series(1, $2) s, generate_series(1, $1) o order by m, s, o
) numbers,
lateral concat('Message ', m, ' of conversation ', s, ': ', repeat('the quick brown fox jumps, ', 5), md5(m::text)) body
"""


async def fresh(server: str, data_set: DataSet) -> str:
    """The URL of a new copy of the data set; the first call creates the template."""
    async with connected(server) as connection:
        if not await connection.fetchval("select true from pg_database where datname = $1", data_set.template):
            await _make(connection, server, data_set)
        await drop(server)
        await connection.execute(f"create database {RUN} template {data_set.template} strategy file_copy")
        await connection.execute("checkpoint")
    async with connected(at(server, RUN)) as connection:
        await connection.execute(FOR_POSTGRAPHILE.read_text())
    await asyncio.to_thread(os.sync)  # otherwise the kernel writes the copy out during the first rounds
    return at(server, RUN)


async def drop(server: str) -> None:
    """Drops the copy of a run."""
    async with connected(server) as connection:
        await connection.execute(f"drop database if exists {RUN} with (force)")


async def _make(connection: asyncpg.Connection, server: str, data_set: DataSet) -> None:
    building = f"{data_set.template}_new"  # renamed when complete, so that no run finds half a template
    await connection.execute(f"drop database if exists {building}")
    await connection.execute(f"create database {building}")
    await asyncio.to_thread(migrate.upgrade, at(server, building))
    async with connected(at(server, building)) as new:
        await fill(new, data_set)
    await connection.execute(f"alter database {building} rename to {data_set.template}")


async def fill(connection: asyncpg.Connection, data_set: DataSet) -> None:
    """Loads the rows, and updates the planner's statistics."""
    owners, sessions, messages = data_set.owners, data_set.sessions, data_set.messages
    await connection.execute(FUNCTIONS)
    await connection.execute(AGENTS_SQL, owners, AGENTS)
    await connection.execute(SESSIONS_SQL, owners, sessions, messages)
    await connection.execute(PARTS_SQL, owners, sessions, AGENTS)
    index = await connection.fetchval("select pg_get_indexdef('messages_search'::regclass)")
    await connection.execute("drop index messages_search")  # a GIN index is built faster at once than row by row
    await connection.execute(MESSAGES_SQL, owners, sessions, messages)
    await connection.execute(index)
    await connection.execute("vacuum (analyze)")


async def sessions_of(url: str) -> list[tuple[str, str]]:
    """Every (owner, session id); neighbours in the list have different owners."""
    async with connected(url) as connection:
        rows = await connection.fetch("select owner_id, id from sessions order by md5(id::text)")
    return [(row["owner_id"], str(row["id"])) for row in rows]
