"""Pages of sessions: every order, and every way in which the statuses of a filter are read."""

from uuid import uuid4

import pytest

from harness.server_settings import settings_for
from tests.support.servers import serving


async def test_sessions_are_paged_in_every_order(ann):
    first, second, third = [await ann.creates_session(name) for name in ("1", "2", "3")]
    await ann.appends(first, "newest")
    orders = {
        ("LAST_ACTIVITY", "DESC"): [first, third, second],
        ("LAST_ACTIVITY", "ASC"): [second, third, first],
        ("CREATED_AT", "DESC"): [third, second, first],
        ("CREATED_AT", "ASC"): [first, second, third],
    }
    for (field, direction), expected in orders.items():
        order = {"field": field, "direction": direction}
        assert await ids_of_all_pages(ann, "first", "after", order) == expected
        assert await ids_of_all_pages(ann, "last", "before", order) == expected[::-1]
    default = await ann.asks("{ sessions { totalCount nodes { id } } }")
    assert default["sessions"] == {"totalCount": 3, "nodes": [{"id": each} for each in (first, third, second)]}


async def creates_sessions_of_statuses(user):
    """The ids of three sessions of each status in turn, all with one message but those that are PENDING."""
    ids = []
    for number, status in enumerate(["PENDING", "ACTIVE", "COMPLETED", "FAILED"] * 3):
        ids.append(await user.creates_session(f"Number {number}", agentType="guide" if number < 6 else "cook"))
        if status != "PENDING":
            await user.appends(ids[-1], f"Text {number}")
            await user.does("setSessionStatus", id=ids[-1], status=status)
    return ids


LISTED = """query ($f: SessionFilter, $o: SessionOrder) {
    sessions(filter: $f, orderBy: $o) { totalCount nodes { id status agentType lastMessage { text agent { key agent { name } } } } } }"""


async def sees_statuses_in_order(ann, bob, status):
    """Compares every page of these statuses with the list of all sessions; a stranger's are in neither."""
    created = await creates_sessions_of_statuses(ann)
    await ann.does("archiveSession", id=created[0])
    await ann.does("deleteSession", id=created[2])
    own = await creates_sessions_of_statuses(bob)
    everything = (await ann.asks(LISTED))["sessions"]["nodes"]
    for others in ({}, {"agentType": "guide"}):
        expected = [
            node
            for node in everything
            if node["status"] in status and others.get("agentType") in (None, node["agentType"])
        ]
        for direction, nodes in ("DESC", expected), ("ASC", expected[::-1]):
            order, where = {"field": "LAST_ACTIVITY", "direction": direction}, {"status": status, **others}
            found = (await ann.asks(LISTED, f=where, o=order))["sessions"]
            assert found == {"totalCount": len(nodes), "nodes": nodes}
            if ids := [node["id"] for node in nodes]:
                assert await ids_of_all_pages(ann, "first", "after", order, where) == ids
                assert await ids_of_all_pages(ann, "last", "before", order, where) == ids[::-1]
    seen = (await bob.asks(LISTED, f={"status": status}))["sessions"]["nodes"]
    assert {node["id"] for node in seen} <= set(own)


STATUSES = ["PENDING"], ["COMPLETED", "PENDING", "PENDING"], ["FAILED", "ACTIVE"], ["EXPIRED"]


@pytest.mark.parametrize("status", STATUSES)
async def test_sessions_of_rare_statuses_have_the_order_of_all(ann, bob, status):
    await sees_statuses_in_order(ann, bob, status)


async def test_sessions_of_rare_statuses_come_with_their_last_messages(database_url):
    """Without session cache one statement reads both."""
    async with serving(settings_for(database_url, session_cache_bytes=0)) as running:
        ann, bob = (running.user(f"{name}-{uuid4().hex[:12]}") for name in ("ann", "bob"))
        await sees_statuses_in_order(ann, bob, ["COMPLETED", "PENDING"])


async def ids_of_all_pages(user, size, cursor, order, filter=None):
    """The ids of all pages."""
    document = f"""query ($o: SessionOrder!, $c: String, $f: SessionFilter) {{
        sessions({size}: 1, {cursor}: $c, orderBy: $o, filter: $f) {{
        edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
    more, seen, at = "hasNextPage" if size == "first" else "hasPreviousPage", [], None
    while True:
        page = (await user.asks(document, o=order, c=at, f=filter))["sessions"]
        [edge] = page["edges"]
        assert edge["cursor"] == page["pageInfo"]["startCursor"] == page["pageInfo"]["endCursor"]
        seen.append(edge["node"]["id"])
        if not page["pageInfo"][more]:
            return seen
        at = edge["cursor"]
