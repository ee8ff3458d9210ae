"""The most recently active sessions, in which a search reads a common word."""

import asyncpg
from sqlalchemy import select

from app.db import search
from app.db.access.statement import Row, Statement
from harness.postgres import dsn
from tests.support.databases import open_database

INSERT = """
insert into sessions (owner_id, id, title, status, metadata, archived_at, last_activity_at, message_count,
    last_sequence, unread_count, head, revision)
select $1, gen_random_uuid(), n::text, 'ACTIVE', '{}', case when n % $2 = 0 then now() end,
    now() - n * interval '1 minute', 1,
    1, 0, 1, 1
from generate_series(1, 120) n
"""
NEWEST = "select id::text from sessions where owner_id = $1 order by last_activity_at desc, id desc limit 50"


async def test_no_recent_session_is_skipped_where_only_one_of_many_is_archived(fresh_database):
    url = await fresh_database()
    connection = await asyncpg.connect(dsn(url))
    db = open_database(url)
    recent = search._recent_sessions(2_000)
    statement = Statement(
        "test.recent", "The most recently active sessions.", select(recent.c.id, recent.c.before), Row
    )
    for owner, one_in in (("ann", 70), ("bob", 2), ("cleo", 500)):
        await connection.execute(INSERT, owner, one_in)
        found = await db.fetch(Owner(owner), statement, session_id=None, agent_type=None)
        in_order = [row["id"] for row in sorted(found, key=lambda row: row["before"])]
        assert in_order == [row["id"] for row in await connection.fetch(NEWEST, owner)]
    await db.close()
    await connection.close()


class Owner:
    """A viewer, without a token."""

    def __init__(self, subject):
        self.subject = subject
