"""A database that is migrated while clients use it: its rows, the clients, and the locks that the migration holds."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import asyncpg
from asyncpg.exceptions import PostgresError

from harness.postgres import dsn

OWNER = "crowd"
# Columns of revision 0003; later columns may be NULL, or `fill` adds them.
SESSIONS = """
insert into sessions (owner_id, id, title, status, metadata, head, revision, last_sequence, message_count, unread_count)
select $1, gen_random_uuid(), 'Session ' || s, 'ACTIVE', '{}', 1 + $3::int, 1, $3::int, $3::int, $3::int / 2
from generate_series(1, $2::int) s
"""
MESSAGES = """
insert into messages (owner_id, session_id, sequence, key, role, text, metadata, created_revision, revision{column})
select $1, s.id, m, 'key-' || m, case m % 2 when 0 then 'ASSISTANT' else 'USER' end, body, '{{}}', 1 + m, 1 + m{value}
from generate_series(1, $2::int) m, sessions s,
     concat('Message ', m, ': ', repeat('the quick brown fox jumps, ', 5), md5(m::text)) body
where s.owner_id = $1 order by m, s.id
"""
WORDS = ", to_tsvector('simple', body) || array_to_tsvector(array['@' || $1::text])"
HEAD = """
update sessions set head = head + 1, last_sequence = last_sequence + 1, message_count = message_count + 1,
       last_activity_at = now() where owner_id = $1 and id = $2 returning head, last_sequence
"""
APPEND = """
insert into messages (owner_id, session_id, sequence, role, text, metadata, created_revision, revision)
values ($1, $2, $4, 'USER', $5, '{}', $3, $3)
"""
EDIT_HEAD = "update sessions set head = head + 1 where owner_id = $1 and id = $2 returning head"
EDIT = "update messages set text = $5, revision = $3 where owner_id = $1 and session_id = $2 and sequence = $4"
PAGE = "select * from messages where owner_id = $1 and session_id = $2 order by sequence desc limit 50"
LIST = "select * from sessions where owner_id = $1 order by last_activity_at desc limit 30"
LOCKS = r"""
select c.relname, ltrim(regexp_replace(a.query, '^--.*\n', '')), l.mode
from pg_locks l join pg_stat_activity a using (pid) join pg_class c on c.oid = l.relation
where a.application_name = 'colloquy migrate' and a.datname = current_database() and l.granted
and l.locktype = 'relation' and c.relname in ('sessions', 'messages')
"""


async def fill(connection: asyncpg.Connection, sessions: int, messages: int) -> None:
    """Adds `sessions` of one owner with `messages` each, consistent and searchable where the revision has search."""
    await connection.execute(SESSIONS, OWNER, sessions, messages)
    index = await connection.fetchval("select pg_get_indexdef(to_regclass('messages_search'))")
    if index:
        await connection.execute("drop index messages_search")  # a GIN index is made from rows, not row by row
    column, value = (", tsv", WORDS) if index else ("", "")
    await connection.execute(MESSAGES.format(column=column, value=value), OWNER, messages)
    if index:
        await connection.execute(index)
    await connection.execute("vacuum (analyze)")


@dataclass
class Clients:
    """What the clients did, how long they waited at most, and what failed."""

    done: int = 0
    longest_seconds: float = 0
    failures: list[str] = field(default_factory=list)
    written: dict[tuple[str, int], str] = field(default_factory=dict)

    async def timed(self, operation: Awaitable[None]) -> None:
        """One operation of a client."""
        begin = time.perf_counter()
        try:
            await operation
        except (PostgresError, OSError) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
        self.longest_seconds = max(self.longest_seconds, time.perf_counter() - begin)
        self.done += 1


@asynccontextmanager
async def clients(url: str, count: int = 3) -> AsyncIterator[Clients]:
    """Clients that append, edit and read until the end of the block, each in sessions of its own."""
    found = Clients()
    connections = [await asyncpg.connect(dsn(url)) for _ in range(count)]
    rows = await connections[0].fetch("select id from sessions where owner_id = $1 order by id", OWNER)
    shares = [[str(row["id"]) for row in rows[n::count]] for n in range(count)]
    over = asyncio.Event()
    working = [_work(*share, found, over) for share in zip(connections, shares, strict=True)]
    everybody = asyncio.gather(*working)
    try:
        yield found
    finally:
        over.set()
        await everybody
        for connection in connections:
            await connection.close()


async def _work(connection: asyncpg.Connection, sessions: list[str], found: Clients, over: asyncio.Event) -> None:
    turn = 0
    while not over.is_set():
        session = sessions[turn % len(sessions)]
        await found.timed(_append(connection, session, f"Written in turn {turn}", found))
        await found.timed(_edit(connection, session, f"Edited in turn {turn}", found))
        await found.timed(_read(connection, PAGE, session))
        await found.timed(_read(connection, LIST))
        turn += 1


async def _append(connection: asyncpg.Connection, session: str, text: str, found: Clients) -> None:
    async with connection.transaction():
        head, sequence = await connection.fetchrow(HEAD, OWNER, session)
        await connection.execute(APPEND, OWNER, session, head, sequence, text)
    found.written[session, sequence] = text


async def _edit(connection: asyncpg.Connection, session: str, text: str, found: Clients) -> None:
    async with connection.transaction():
        head = await connection.fetchval(EDIT_HEAD, OWNER, session)
        await connection.execute(EDIT, OWNER, session, head, 1, text)
    found.written[session, 1] = text


async def _read(connection: asyncpg.Connection, query: str, *values: str) -> None:
    await connection.fetch(query, OWNER, *values)


@asynccontextmanager
async def watched_locks(url: str) -> AsyncIterator[set[tuple[str, str, str]]]:
    """Every (table, statement, mode) of a lock that a migration is seen to hold until the end of the block."""
    seen: set[tuple[str, str, str]] = set()
    connection = await asyncpg.connect(dsn(url))

    async def look() -> None:
        while True:
            seen.update(tuple(row) for row in await connection.fetch(LOCKS))
            await asyncio.sleep(0.002)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        connection.terminate()


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Returns once the condition holds."""
    while not await condition():
        await asyncio.sleep(0.01)
