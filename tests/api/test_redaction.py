"""Redaction: the old content is erased everywhere."""

import json

import asyncpg
import pytest

from harness.postgres import dsn
from tests.support.users import error, outcome

COLUMNS = """
SELECT quote_ident(table_name) AS place, quote_ident(column_name) AS name FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


async def columns_with(url, marker):
    """The columns of all tables that contain the marker, in any case."""
    connection = await asyncpg.connect(dsn(url))
    try:
        found = set()
        for place, name in await connection.fetch(COLUMNS):
            if await connection.fetchval(f"SELECT count(*) FROM {place} WHERE {name}::text ILIKE $1", f"%{marker}%"):
                found.add(f"{place}.{name}")
        return found
    finally:
        await connection.close()


@pytest.mark.parametrize("said", ["text", "raw"])
async def test_redacted_content_is_erased_everywhere(ann, bob, database_url, said):
    session = await ann.creates_session()
    raw = json.dumps({"role": "user", "content": [{"text": "my quincunx"}, {"quincunx": 1}]})
    words = {"text": "my quincunx"} if said == "text" else {"raw": raw}
    message = {"role": "USER", "key": "k", "metadata": {"quincunx": "quincunx"}, **words}
    stored = await ann.does("appendMessage", "message { id revision } cursor", sessionId=session, message=message)
    columns = {"text", "tsv", "metadata"} | ({"raw", "content"} if said == "raw" else set())
    assert await columns_with(database_url, "quincunx") == {"sessions.title", *(f"messages.{name}" for name in columns)}

    place = stored["message"]["id"]
    refused = await bob.does("redactMessage", "message { text }", id=place, text="[gone]")
    assert outcome(refused) == error("NOT_FOUND", field="id")
    gone = {"text": "[gone]"} if said == "text" else {"raw": '{"role": "user", "content": "[gone]"}'}
    wanted = "message { key text raw metadata redactedAt revision } cursor"
    redacted = await ann.does("redactMessage", wanted, id=place, **gone)
    left = redacted["message"]
    assert (left["key"], left["text"], left["raw"], left["metadata"]) == ("k", "[gone]", gone.get("raw"), {})
    assert left["redactedAt"] is not None
    assert left["revision"] > stored["message"]["revision"]
    assert await columns_with(database_url, "quincunx") == set()

    seen = await ann.replays(session, stored["cursor"])
    assert [event["__typename"] for event in seen] == ["SessionChanged", "MessageChanged", "CaughtUp"]
    assert (seen[0]["session"]["title"], seen[1]["message"]["text"]) == ("[gone]", "[gone]")
    assert [event["__typename"] for event in await ann.replays(session, redacted["cursor"])] == ["CaughtUp"]


async def test_redaction_keeps_a_title_that_the_client_set(ann):
    session = await ann.creates_session("Plan")
    await ann.appends(session, "secret")
    await ann.does("redactMessage", id=f"msg_{session[4:]}_1", text="[gone]")
    assert await ann.sees(session, "title revision") == {"title": "Plan", "revision": 2}


async def test_deleted_message_cannot_be_redacted(ann):
    session = await ann.creates_session()
    await ann.appends(session, "secret")
    await ann.does("deleteMessage", id=f"msg_{session[4:]}_1")
    refused = await ann.does("redactMessage", id=f"msg_{session[4:]}_1", text="[gone]")
    assert outcome(refused) == error("NOT_FOUND", field="id")


async def test_content_of_a_deleted_message_is_erased(ann, database_url):
    session = await ann.creates_session("Plan")
    raw = json.dumps({"role": "user", "content": [{"text": "my zeugma"}, {"zeugma": 1}]})
    message = {"role": "USER", "key": "zeugma", "metadata": {"zeugma": 1}, "raw": raw}
    await ann.does("appendMessage", sessionId=session, message=message)
    assert len(await columns_with(database_url, "zeugma")) == 6
    await ann.does("deleteMessage", id=f"msg_{session[4:]}_1")
    assert await columns_with(database_url, "zeugma") == set()
