"""Search since a time: the newest messages answer where they reach back to it, and the index of words elsewhere."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import func, select

from app.db import search
from app.db.access.statement import Statement
from app.db.reading.page import Count
from app.db.reading.rows import FoundRow
from harness.postgres import dsn
from tests.support.ids import row_of

SEARCH = """
query ($first: Int, $last: Int, $filter: MessageSearchFilter) {
  searchMessages(query: "samovar", first: $first, last: $last, filter: $filter) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage }
    edges { cursor node { text } }
  }
}
"""
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
# The hours before noon at which the messages of each session were stored, the most recently active session first.
HOURS = {"long": range(14, -1, -2), "second": (5, 3), "third": (9, 7), "archived": (13, 11), "last": (17, 15)}
SINCE = (-1, 2, 3, 7, 10, 11, 20)
ALWAYS = 99


@pytest.fixture
def limited(monkeypatch):
    """Makes searches examine and rank so many messages, as if these were 120,000 and 2,000; what they then read."""
    monkeypatch.setattr(search, "MAX_FEW_MESSAGES", -1)
    original, read = search._page, []

    def limit(examined, ranked):
        monkeypatch.setattr(search, "MAX_RANKED", ranked)
        monkeypatch.setattr(search, "ENOUGH", ranked)
        in_index = search._newest(search._matching(search.ONLY_IN_INDEX), search.IN_SESSION)
        newest = {"recent": search._recent(examined, ranked), "index": in_index}
        for access, found in newest.items():
            count = select(func.count().label("total")).select_from(found)
            monkeypatch.setitem(search.COUNT, access, Statement("test_search.count", "The number.", count, Count))
        reaches = search._reaches_since(examined)
        monkeypatch.setattr(
            search, "REACHES_SINCE", Statement("test_search.reaches", "Whether.", reaches, search.Reach)
        )

        def page(access, backward):
            read.append(access)
            assert original(access, backward)
            ranked = search._ranked(search._with_number(newest[access]) if access == "recent" else newest[access])
            element = search._relevance(ranked).page(select(*ranked.c, search._lexemes), backward)
            return Statement("test_search.page", "A page.", element, FoundRow)

        monkeypatch.setattr(search, "_page", page)
        return read

    return limit


async def creates_sessions(user, database_url):
    """The ids of sessions by name, whose messages were stored at `HOURS`."""
    connection = await asyncpg.connect(dsn(database_url))
    ids = {}
    for name, hours in HOURS.items():
        ids[name] = await user.creates_session(name)
        for sequence, hour in enumerate(hours, 1):
            await user.appends(ids[name], f"{user.name}: samovar of {hour}")
            await connection.execute(
                "update messages set created_at = $1 where owner_id = $2 and session_id = $3 and sequence = $4",
                NOON - timedelta(hours=hour), user.name, row_of(ids[name]), sequence,
            )  # fmt: skip
        await connection.execute(
            "update sessions set last_activity_at = $1 where owner_id = $2 and id = $3",
            NOON - timedelta(hours=min(hours)), user.name, row_of(ids[name]),
        )  # fmt: skip
    await connection.close()
    await user.does("archiveSession", id=ids["archived"])
    return ids


def matching(user, names, since):
    """The texts of these sessions since so many hours before noon, newest first."""
    found = [hour for name in names for hour in sorted(HOURS[name]) if hour <= since]
    return [f"{user.name}: samovar of {hour}" for hour in found]


@pytest.mark.parametrize(
    ("examined", "ranked", "reaches", "reaches_in_session"),
    [(6, 2_000, 3, 11), (6, 3, 3, 11), (10, 2_000, 7, ALWAYS), (100, 2_000, ALWAYS, ALWAYS)],
)
async def test_a_search_since_a_time_finds_all_that_the_index_finds(
    ann, bob, database_url, monkeypatch, limited, examined, ranked, reaches, reaches_in_session
):
    ids = await creates_sessions(ann, database_url)
    await creates_sessions(bob, database_url)
    read = limited(examined, ranked)
    for session, names, hours_back in (None, HOURS, reaches), (ids["long"], ["long"], reaches_in_session):
        for hour in SINCE:
            conditions = {"sessionId": session, "since": (NOON - timedelta(hours=hour)).isoformat()}
            expected = matching(ann, names, hour)
            for size in {"first": 2}, {"last": 100}:
                monkeypatch.setattr(search, "_common_from", lambda _: 10**9)
                plain = await ann.asks(SEARCH, filter=conditions, **size)
                monkeypatch.setattr(search, "_common_from", lambda _: 1)
                read.clear()
                assert await ann.asks(SEARCH, filter=conditions, **size) == plain
                if len(expected) < ranked:
                    assert read == (["recent"] if hour < hours_back else ["recent", "index"])
            texts = [edge["node"]["text"] for edge in plain["searchMessages"]["edges"]]
            assert sorted(texts) == sorted(expected[:ranked])
            assert plain["searchMessages"]["totalCount"] == len(texts)
