"""The sessions of an agent, which are read in another way if they are many."""

from uuid import uuid4

import asyncpg
import pytest

from app.db import session
from app.db.reading.page import Window
from harness.postgres import dsn
from tests.support.databases import open_database

AGENT = "insert into agents (owner_id, id, name, type, metadata) values ($1, $2, 'Ada', 'helper', '{}')"
SESSIONS = """
with made as (
    insert into sessions (owner_id, id, status, metadata, archived_at, deleted_at, last_activity_at, head, revision)
    select $1, gen_random_uuid(), 'ACTIVE', '{}', case when n % 3 = 0 then now() end,
        case when n % 5 = 0 then now() end, now() - n / 2 * interval '1 minute', 1, 1
    from generate_series(1, $3) n returning owner_id, id
)
insert into session_agents (owner_id, session_id, kind, key, agent_id, state, conversation_manager_state,
    internal_state, created_revision, revision)
select owner_id, id, kind, 'part', $2, '{}', '{}', '{}', number, number
from made, unnest(array['AGENT', 'MULTI_AGENT']) with ordinality as kinds(kind, number)
"""
IN_ORDER = """
select id::text from sessions
where owner_id = $1 and deleted_at is null
    and exists (select 1 from session_agents g where g.owner_id = $1 and session_id = id and agent_id = $2)
order by last_activity_at desc, id desc
"""
MANY = session.MAX_FEW_SESSIONS


class Owner:
    """A viewer, without a token."""

    def __init__(self, subject):
        self.subject = subject


@pytest.fixture
async def agents(fresh_database):
    """A database, a connection to it, and agents of ann with so many sessions; bob has the same."""
    url = await fresh_database()
    connection = await asyncpg.connect(dsn(url))
    found = {number: str(uuid4()) for number in (0, 7, MANY, 2)}
    for owner in ("ann", "bob"):
        for number, agent in found.items():
            await connection.execute(AGENT, owner, agent)
            await connection.execute(SESSIONS, owner, agent, number)
    db = open_database(url)
    yield db, connection, found
    await db.close()
    await connection.close()


async def page(db, agents, backward, limit=10):
    """The ids of a page of each agent."""
    bounds = session.OF_AGENTS.order.bounds(Window(limit=limit, backward=backward, after=None, before=None))
    rows = await db.fetch(Owner("ann"), session.OF_AGENTS.for_many(backward), parent_agent_id=agents, **bounds)
    pages = [[] for _ in agents]
    for row in rows:
        pages[row.parent - 1].append(row.id)
    for agent, found in zip(agents, pages, strict=True):
        alone = await db.fetch(Owner("ann"), session.OF_AGENTS.for_one(backward), parent_agent_id=agent, **bounds)
        assert [row.id for row in alone] == found
    return pages


async def test_few_and_many_sessions_of_an_agent_have_the_same_order(agents):
    db, connection, of_number = agents
    expected = [[row["id"] for row in await connection.fetch(IN_ORDER, "ann", of)] for of in of_number.values()]
    assert [len(ids) for ids in expected] == [0, 6, MANY - MANY // 5, 2]
    ids = list(of_number.values())
    assert await page(db, ids, backward=False) == [of[:11] for of in expected]
    assert await page(db, ids, backward=True) == [of[::-1][:11] for of in expected]
    totals = await db.fetch(Owner("ann"), session.OF_AGENTS.count, parent_agent_id=ids)
    assert {row.parent: row.total for row in totals} == dict(enumerate(map(len, expected), 1))
