"""Formats that clients and databases keep: programs of all versions write and read the same.

A value that changes here breaks a rolling deploy, in which an old and a new program serve the same clients.
"""

import json
import re

import pytest

from app.live.cursors import SessionCursor, ViewerCursor
from app.schema import ids
from tests.support.users import Refusal

ONE, TWO = "01990000-0000-7000-8000-000000000001", "01990000-0000-7000-8000-000000000002"
ROWS = [
    f"""insert into sessions (owner_id, id, status, metadata, head, revision, last_sequence, message_count,
        last_activity_at) values ($1, '{ONE}', 'ACTIVE', '{{}}', 5, 1, 2, 2, '2026-01-01 00:00:00.000001Z'),
        ($1, '{TWO}', 'ACTIVE', '{{}}', 1, 1, 0, 0, '2026-01-02Z')""",
    f"""insert into messages (owner_id, session_id, sequence, role, text, tsv, metadata, created_revision, revision)
        select $1, '{ONE}', n, 'USER', 'blue whale',
        to_tsvector('simple', 'blue whale') || array_to_tsvector(array['@' || $1]), '{{}}', n + 1, n + 1
        from generate_series(1, 2) n""",
    f"""insert into session_agents (owner_id, session_id, kind, key, state, conversation_manager_state, internal_state,
        created_revision, revision) values ($1, '{ONE}', 'AGENT', 'writer é', '{{}}', '{{}}', '{{}}', 4, 4),
        ($1, '{ONE}', 'MULTI_AGENT', 'team', '{{}}', '{{}}', '{{}}', 5, 5)""",
    f"""insert into agents (owner_id, id, name, type, metadata, hourly_rate) values
        ($1, '{ONE}', 'A. One', 'writer', '{{}}', 12.50), ($1, '{TWO}', 'B', 'writer', '{{}}', null)""",
    f"""insert into tasks (owner_id, id, type, payload, revision) values
        ($1, '{ONE}', 'job', '{{}}', 1), ($1, '{TWO}', 'job', '{{}}', 1)""",
    f"""insert into approvals (owner_id, id, task_id, revision) values
        ($1, '{ONE}', '{ONE}', 1), ($1, '{TWO}', '{ONE}', 1)""",
    f"""insert into audit_events (owner_id, id, event_type, at, actor, subject_kind, subject_id, subject_sequence,
        metadata) values ($1, '{ONE}', 'session.created', '2020-01-01Z', 'ann', 'SESSION', '{ONE}', null, '{{}}'),
        ($1, '{TWO}', 'message.deleted', '2020-01-02Z', 'ann', 'MESSAGE', '{ONE}', 1, '{{}}')""",
]
PAGES = {
    "sessions(orderBy: {field: LAST_ACTIVITY, direction: DESC}": [
        (f"a.1767312000000000.{TWO}", f"ses_{TWO}"),
        (f"a.1767225600000001.{ONE}", f"ses_{ONE}"),
    ],
    "sessions(orderBy: {field: CREATED_AT, direction: ASC}": [(f"c.{ONE}", f"ses_{ONE}"), (f"c.{TWO}", f"ses_{TWO}")],
    "agents(orderBy: {field: NAME, direction: ASC}": [(f"n.A. One.{ONE}", f"agt_{ONE}"), (f"n.B.{TWO}", f"agt_{TWO}")],
    "agents(orderBy: {field: CREATED_AT, direction: DESC}": [(f"c.{TWO}", f"agt_{TWO}"), (f"c.{ONE}", f"agt_{ONE}")],
    "agents(orderBy: {field: HOURLY_RATE, direction: ASC}": [
        (f"r.-1.{TWO}", f"agt_{TWO}"),
        (f"r.12.50.{ONE}", f"agt_{ONE}"),
    ],
    "tasks(filter: null": [(f"t.{ONE}", f"tsk_{ONE}"), (f"t.{TWO}", f"tsk_{TWO}")],
    "approvals(filter: null": [(f"p.{ONE}", f"apr_{ONE}"), (f"p.{TWO}", f"apr_{TWO}")],
    "auditEvents(filter: null": [
        (f"u.1577836800000000.{ONE}", f"aud_{ONE}"),
        (f"u.1577923200000000.{TWO}", f"aud_{TWO}"),
    ],
    'searchMessages(query: "whale"': [
        (f"r.0.09090909361839294.{ONE}.2", f"msg_{ONE}_2"),
        (f"r.0.09090909361839294.{ONE}.1", f"msg_{ONE}_1"),
    ],
    f'session(id: "ses_{ONE}")/messages(first: 9': [("m.1", f"msg_{ONE}_1"), ("m.2", f"msg_{ONE}_2")],
    f'session(id: "ses_{ONE}")/agents(first: 9': [
        ("g.4", f"prt_{ONE}_a_d3JpdGVyIMOp"),
        ("g.5", f"prt_{ONE}_m_dGVhbQ"),
    ],
}
APPEND = f'input: {{sessionId: "ses_{ONE}", message: {{role: USER, text: "hé", metadata: {{b: 1, a: [1.5, null]}}}}}}'
CREATE = 'input: {key: "k", title: "T", metadata: {x: "y"}, expiresAt: "2099-01-01T00:00:00Z"}'
APPENDED = f'{{"kind" : "append", "session" : "{ONE}", "sequence" : 2, "revision" : 3}}'
CREATED = (
    f'{{"kind":"payload","fields":{{"session":{{"id":"ses_{ONE}"}},"cursor":"e.{ONE}.1","evicted":[],"errors":[]}}}}'
)
REFUSED = (
    '{"kind":"payload","fields":{"session":null,"cursor":null,"evicted":[],"errors":[{"error":"LimitError",'
    '"code":"LIMIT","message":"Full.","field":["agentType"],"limit":3}]}}'
)
APPEND_HASH = "9b8fbbe767a30922dfba4ed33f9a0da0160898e4b6f2338a1553a404b8a73cac"
CREATE_HASH = "df6fa804ac21f0bcbac2452bb2a7c9cf16b41dcfdbbd3228f3aecca93f41b304"


@pytest.fixture
async def owner(ann, sql):
    """Ann, with rows whose ids and times are always the same."""
    for rows in ROWS:
        await sql(rows, ann.name)
    return ann


@pytest.fixture
def stored(owner, sql):
    """Stores a result under a key, as another program has."""

    async def store(key, request_hash, result):
        insert = "insert into idempotency_keys (owner_id, key, request_hash, result) values ($1, $2, $3, $4)"
        await sql(insert, owner.name, key, bytes.fromhex(request_hash), result)

    return store


async def page(user, connection, after=None):
    """The cursors and ids of a page of a connection, which may be one of a session."""
    path = connection.split("/")
    fields = " { ".join([*path[:-1], f"page: {path[-1]}, after: $after) {{ edges {{ cursor node {{ id }} }}"])
    found = await user.asks(f"query ($after: String) {{ {fields} {'}' * len(path)} }}", after=after)
    for field in path[:-1]:
        found = found[field.partition("(")[0]]
    return [(edge["cursor"], edge["node"]["id"]) for edge in found["page"]["edges"]]


@pytest.mark.parametrize("connection", PAGES)
async def test_cursors_of_pages(owner, connection):
    expected = PAGES[connection]
    assert await page(owner, connection) == expected
    assert await page(owner, connection, expected[0][0]) == expected[1:]


async def test_every_id_finds_its_object_for_its_owner_only(owner, bob):
    every = sorted({id for rows in PAGES.values() for _, id in rows})
    assert {id.partition("_")[0] for id in every} == {"ses", "agt", "msg", "prt", "tsk", "apr", "aud"}
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert (await owner.asks(query, ids=every))["nodes"] == [{"id": id} for id in every]
    assert (await bob.asks(query, ids=every))["nodes"] == [None] * len(every)


async def test_event_cursors(owner):
    assert await owner.sees(f"ses_{ONE}", "eventCursor") == {"eventCursor": f"e.{ONE}.5"}
    replay = await owner.replays(f"ses_{ONE}", f"e.{ONE}.2")
    assert [event["cursor"] for event in replay] == [f"e.{ONE}.{number}" for number in ("3.2", "4.2", "5", "5")]
    assert SessionCursor.parse(f"e.{ONE}.7.5") == SessionCursor(ONE, 7, 5)
    assert str(SessionCursor(ONE, 7, 5)) == f"e.{ONE}.7.5"
    viewer = ViewerCursor(epoch=7_500_000_000_000_000_001, xid=4_294_967_299, at=1_767_225_600)
    assert str(viewer) == "v.7500000000000000001.4294967299.1767225600"
    assert ViewerCursor.parse(str(viewer)) == viewer


async def test_hashes_and_results_that_are_stored_under_idempotency_keys(owner, sql):
    query = "select key, encode(request_hash, 'hex'), result::text from idempotency_keys where owner_id = $1"
    await owner.asks(f'mutation {{ appendMessage({APPEND}) @idempotent(key: "a") {{ cursor }} }}')
    await owner.asks(f'mutation {{ createSession({CREATE}) @idempotent(key: "c") {{ cursor }} }}')
    appended, created = sorted(tuple(row) for row in await sql(query, owner.name))
    assert appended[:2] == ("a", APPEND_HASH)
    # As JSON: PostgreSQL writes it with spaces, and the program, on Citus, without.
    assert json.loads(appended[2]) == json.loads(APPENDED) | {"sequence": 3, "revision": 7}
    assert created[:2] == ("c", CREATE_HASH)
    assert re.sub(ids.UUID, ONE, created[2]) == CREATED


@pytest.mark.parametrize(
    ("mutation", "request_hash", "result", "expected"),
    [
        (
            f"appendMessage({APPEND})",
            APPEND_HASH,
            APPENDED,
            {"message": {"id": f"msg_{ONE}_2"}, "cursor": f"e.{ONE}.3", "errors": []},
        ),
        (
            f"createSession({CREATE})",
            CREATE_HASH,
            CREATED,
            {"session": {"id": f"ses_{ONE}"}, "cursor": f"e.{ONE}.1", "errors": []},
        ),
        (
            f"createSession({CREATE})",
            CREATE_HASH,
            REFUSED,
            {"session": None, "cursor": None, "errors": [{"code": "LIMIT", "field": ["agentType"]}]},
        ),
    ],
    ids=["append", "payload", "refusal"],
)
async def test_a_key_of_another_program_is_replayed(stored, owner, mutation, request_hash, result, expected):
    await stored("key", request_hash, result)
    thing = "message" if mutation.startswith("append") else "session"
    selection = f"{thing} {{ id }} cursor errors {{ code field }}"
    response = await owner.responds(f'mutation {{ {mutation} @idempotent(key: "key") {{ {selection} }} }}')
    assert response["extensions"]["idempotency"] == {"replayed": True}
    assert list(response["data"].values()) == [expected]


@pytest.mark.parametrize(
    "result",
    [
        '{"kind": "newer", "session": "s"}',
        '{"kind": "payload", "fields": {"session": null, "newer": 1}}',
        '{"kind": "payload", "fields": {"errors": [{"error": "NewerError", "code": "LIMIT", "message": "", "field": []}]}}',
        '{"kind": "payload", "fields": {"errors": [{"error": "LimitError", "code": "NEW", "message": "", "field": []}]}}',
    ],
    ids=["kind", "field", "error", "code"],
)
async def test_a_result_of_a_newer_program_is_for_a_newer_program(stored, owner, result):
    await stored("key", CREATE_HASH, result)
    for _ in range(2):
        with pytest.raises(Refusal) as refused:
            await owner.asks(f'mutation {{ createSession({CREATE}) @idempotent(key: "key") {{ cursor }} }}')
        assert refused.value.errors[0]["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 1}
