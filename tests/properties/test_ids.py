"""Changed ids and cursors: they return nothing, objects of the caller, or an error; never objects of another owner."""

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties.strategies import texts
from tests.support.users import INPUTS

SECRET = "known to one alone"
PLACES = st.integers(0, 60)


@st.composite
def changed(draw, originals):
    """One of the originals with some characters changed, or any other text."""
    text = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(0, 3))):
        place, piece = draw(PLACES), draw(st.one_of(texts, st.sampled_from([*"0189afAF-_.", *originals])))
        start, end = text[:place], text[place + draw(st.integers(0, 3)) :]
        text = draw(
            st.sampled_from([start + piece + end, start + end, text.upper(), text + piece, text[::-1], f" {text}"])
        )
    return text


@pytest.fixture(scope="module")
async def owned(server):
    """Ids and cursors of the owner."""
    ann = server.user("ann-of-the-ids")
    session = await ann.creates_session(SECRET, key=SECRET)
    message = {"role": "USER", "text": SECRET, "agentKey": SECRET}
    await ann.does("appendMessage", sessionId=session, message=message)
    await ann.does("createAgent", name=SECRET, type=SECRET)
    seen = await ann.asks(
        """query ($id: ID!) { session(id: $id) { id eventCursor
             messages { edges { cursor node { id agent { id } } } } agents { edges { cursor } } }
           sessions { edges { cursor } } agents { edges { cursor node { id } } } }""",
        id=session,
    )
    inside = seen["session"]["messages"]["edges"][0]
    node = inside["node"]
    ids = [session, node["id"], node["agent"]["id"], seen["agents"]["edges"][0]["node"]["id"]]
    cursors = [inside["cursor"], seen["session"]["eventCursor"], seen["session"]["agents"]["edges"][0]["cursor"]]
    cursors += [seen["sessions"]["edges"][0]["cursor"], seen["agents"]["edges"][0]["cursor"]]
    return ids, cursors


@pytest.fixture(scope="module")
async def bob(server):
    """The stranger, with a session."""
    bob = server.user("bob-of-the-ids")
    bob.session = await bob.creates_session("his")
    await bob.appends(bob.session, "his")
    return bob


READ = """query ($id: ID!) {
  node(id: $id) { __typename ... on Session { title } ... on Message { text } ... on Agent { name } }
  nodes(ids: [$id, $id]) { __typename ... on Session { title } ... on Message { text } ... on Agent { name } }
  session(id: $id) { title messages { nodes { text } } }
  agent(id: $id) { name }
  sessions { nodes { message(id: $id) { text } } }
}"""
WRITES = {
    "appendMessage": lambda it: {"sessionId": it, "message": {"role": "USER", "text": "from a stranger"}},
    "appendMessages": lambda it: {"sessionId": it, "messages": [{"role": "USER", "text": "from a stranger"}]},
    "putSessionAgent": lambda it: {"sessionId": it, "key": "stranger"},
    "updateMessage": lambda it: {"id": it, "text": "by a stranger"},
    "updateSession": lambda it: {"id": it, "title": "by a stranger"},
    "updateAgent": lambda it: {"id": it, "name": "by a stranger"},
    "markSessionRead": lambda it: {"id": it, "upToSequence": 1},
    **{
        mutation: lambda it: {"id": it}
        for mutation in ("archiveSession", "restoreSession", "deleteSession", "deleteMessage", "deleteAgent")
    },
}
WRITE = (
    "mutation ("
    + ", ".join(f"${name}: {INPUTS.get(name, name[0].upper() + name[1:] + 'Input')}!" for name in WRITES)
    + ") {"
    + " ".join(f"{name}(input: ${name}) {{ errors {{ code }} }}" for name in WRITES)
    + "}"
)
PAGES = """query ($id: ID!, $cursor: String) {
  session(id: $id) { messages(CURSOR) { nodes { text } } agents(CURSOR) { nodes { key } } }
  sessions(CURSOR) { nodes { title } }
  byCreation: sessions(CURSOR, orderBy: {field: CREATED_AT, direction: ASC}) { nodes { title } }
  agents(CURSOR) { nodes { name } }
  byRate: agents(CURSOR, orderBy: {field: HOURLY_RATE, direction: DESC}) { nodes { name } }
}"""


def refused_at_most(response, *codes):
    """The response has no other error codes, and nothing of the owner."""
    assert SECRET not in json.dumps(response)
    assert {error["extensions"]["code"] for error in response.get("errors", [])} <= set(codes)


@given(data=st.data())
async def test_any_id_reads_objects_of_the_owner_only(bob, owned, data):
    id = data.draw(changed(owned[0]), "id")
    response = await bob.responds(READ, id=id)
    refused_at_most(response, "BAD_USER_INPUT")
    if response.get("data"):
        assert response["data"]["node"] is None
        assert response["data"]["nodes"] == [None, None]
    written = await bob.responds(WRITE, **{name: make(id) for name, make in WRITES.items()})
    refused_at_most(written, "BAD_USER_INPUT")
    assert written.get("errors") or {payload["errors"][0]["code"] for payload in written["data"].values()} == {
        "NOT_FOUND"
    }


@given(data=st.data(), argument=st.sampled_from(["after", "before"]))
async def test_any_page_cursor_reads_objects_of_the_owner_only(bob, owned, data, argument):
    cursor = data.draw(changed(owned[1]), "cursor")
    for lines in PAGES.splitlines()[1:-1]:
        query = f"{PAGES.splitlines()[0]} {lines} }}".replace("CURSOR", f"{argument}: $cursor")
        if "$id" not in lines:
            query = query.replace("$id: ID!, ", "")
        variables = {"id": bob.session} if "$id" in lines else {}
        refused_at_most(await bob.responds(query, cursor=cursor, **variables), "BAD_USER_INPUT")


@given(data=st.data())
@example(data=None)
async def test_any_event_cursor_reads_events_of_the_owner_only(bob, owned, data):
    session, cursor = bob.session, owned[1][1]
    if data is not None:
        own = f"e.{session.removeprefix('ses_')}.1"
        cursor = data.draw(changed([*owned[1], own, f"{own}.0", f"{own}.2", f"{own}{'9' * 17}"]), "cursor")
    events = await bob.replays(session, cursor)
    assert SECRET not in json.dumps(events)
    assert [event["__typename"] for event in events][-1] == "CaughtUp"
    kinds = {event["__typename"] for event in events}
    assert kinds <= {"StreamReset", "CaughtUp", "SessionChanged", "MessageAdded", "SessionAgentChanged"}
    assert kinds & {"StreamReset"} or cursor.startswith("e." + session.removeprefix("ses_"))


@given(key=texts)
async def test_made_up_session_agent_id_reads_its_key_or_nothing(bob, key):
    made = base64.urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).decode().rstrip("=")
    id = f"prt_{bob.session.removeprefix('ses_')}_a_{made}"
    assert (await bob.asks("query ($id: ID!) { node(id: $id) { id } }", id=id)) == {"node": None}
