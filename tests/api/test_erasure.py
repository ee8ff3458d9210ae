"""HARD deletion: no content of the session is left in any table."""

import asyncio
from uuid import uuid4

import asyncpg

from app.db import session_erasure
from harness import citus
from harness.postgres import connected, dsn

# On a node of Citus, the statement has the name of a shard instead of its own.
WAITING = f"""
select count(*) from {citus.ACTIVITY}
where wait_event_type = 'Lock' and query ~ 'session_erasure.messages|^DELETE FROM public.messages'
"""


async def rows_with(database_url, *words):
    """The number of rows by table that contain one of these words in any column."""
    connection = await asyncpg.connect(dsn(database_url))
    try:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        found = {}
        for (table,) in tables:
            sql = f"select count(*) from {table} as t where t::text ilike any ($1)"
            count = await connection.fetchval(sql, [f"%{word}%" for word in words])
            if count:
                found[table] = count
        return found
    finally:
        await connection.close()


async def write_everywhere(user, session, mark):
    """Writes the mark into every field of a session that takes a text."""
    raw = f'{{"role": "assistant", "content": [{{"text": "{mark}"}}]}}'
    states = {name: {"of": mark} for name in ("state", "conversationManagerState", "internalState")}
    part = {"sessionId": session, "key": f"part {mark}", "raw": f'"{mark}"', **states}
    said = {"role": "ASSISTANT", "key": mark, "raw": raw, "agentKey": f"part {mark}", "metadata": {mark: mark}}
    task = {"type": mark, "fromRole": mark, "toRole": mark, "payload": {mark: mark}, "sessionId": session}
    for mutation, given in (
        ("updateSession", {"id": session, "title": mark, "metadata": {"of": mark}}),
        ("putSessionAgent", part),
        ("appendMessages", {"sessionId": session, "messages": [{"role": "USER", "text": mark}, said]}),
    ):
        payload = await user.does(mutation, **given)
        assert payload["errors"] == [], (mutation, payload)
    names = [{"namespace": [label, mark], "key": mark, "sessionId": session} for label in ("notes", "live")]
    records = [name | {"value": mark, "metadata": {mark: mark}} for name in names]
    assert (await user.does("putRecords", records=records))["errors"] == []
    made = await user.does("createTask", "task { id }", **task)
    wanted = {"taskId": made["task"]["id"], "approverRole": mark, "notes": mark}
    assert (await user.does("requestApproval", **wanted))["errors"] == []
    begun = await user.does("startMessage", "message { id } fence", sessionId=session, key=f"stream {mark}")
    more = {"id": begun["message"]["id"], "fence": begun["fence"], "offset": 0, "text": mark}
    assert (await user.does("extendMessage", **more))["errors"] == []


async def test_erased_session_leaves_no_content(user, database_url):
    mark = f"marked{uuid4().hex}"
    ann, bob = user("ann"), user("bob")
    given = {"key": mark, "title": mark, "role": mark, "agentType": mark, "metadata": {mark: mark}}
    create = "mutation ($i: CreateSessionInput!) { createSession(input: $i) { session { id } } }"
    made = await ann.responds(create, {"idempotency-key": "an act"}, i=given)
    session = made["data"]["createSession"]["session"]["id"]
    await write_everywhere(ann, session, mark)
    await write_everywhere(bob, await bob.creates_session(), "somebody else's words")
    written = {"sessions", "messages", "message_chunks", "session_agents", "tasks", "approvals", "records"}
    assert written <= set(await rows_with(database_url, mark))
    erased = await ann.does("deleteSession", "deletedMessageCount", id=session, mode="HARD")
    assert erased == {"deletedMessageCount": 3, "errors": []}
    assert await rows_with(database_url, mark) == {}
    # What may stay (invariant 3): the tombstone, the audit and the idempotency key, which hold ids and codes.
    left = await rows_with(database_url, session.removeprefix("ses_"))
    assert set(left) == {"sessions", "audit_events", "idempotency_keys"}
    assert left["sessions"] == 1
    assert (await rows_with(database_url, "somebody else's words"))["messages"] > 0


async def test_readers_see_all_of_a_session_until_its_erasure_commits_and_nothing_after(
    user, database_url, monkeypatch
):
    monkeypatch.setattr(session_erasure, "MAX_MESSAGES", 10)
    ann, bob = user("ann"), user("bob")
    session, other = await ann.creates_session("Long"), await bob.creates_session("Other")
    await ann.does("putSessionAgent", sessionId=session, key="helper")
    for writer, place in ((ann, session), (bob, other)):
        drafts = [{"role": "USER", "text": f"word {number}"} for number in range(35)]
        assert (await writer.does("appendMessages", sessionId=place, messages=drafts))["errors"] == []
    everything = "messageCount agents { totalCount } messages(first: 100) { totalCount nodes { sequence } }"
    before, elsewhere = await ann.sees(session, everything), await bob.sees(other, everything)
    assert before["messages"]["totalCount"] == len(before["messages"]["nodes"]) == 35
    async with connected(database_url) as blocker, connected(database_url) as observer:
        async with blocker.transaction():
            # The erasure deletes the first three batches, and waits at the last message.
            locked = "select session_id from messages where sequence = 35 and owner_id = $1 for update"
            session_id = await blocker.fetchval(locked, ann.name)
            erasing = asyncio.create_task(
                ann.does("deleteSession", "deletedId deletedMessageCount", id=session, mode="HARD")
            )
            while not await observer.fetchval(WAITING):
                await asyncio.sleep(0.01)
            assert await ann.sees(session, everything) == before
        assert await erasing == {"deletedId": session, "deletedMessageCount": 35, "errors": []}
        assert await ann.sees(session, everything) is None
        assert await bob.sees(other, everything) == elsewhere
        for table in ("messages", "session_agents"):
            assert not await observer.fetchval(f"select count(*) from {table} where session_id = $1", session_id)
        left = "select title, message_count, last_sequence, erased_at is not null as erased from sessions where id = $1"
        assert tuple(await observer.fetchrow(left, session_id)) == ("", 0, 0, True)
        audit = "select metadata from audit_events where subject_id = $1 and event_type = 'session.deleted'"
        assert [row["metadata"] for row in await observer.fetch(audit, session_id)] == ['{"mode":"HARD"}']
