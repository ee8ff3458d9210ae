"""Idempotency keys: a mutation runs once, and later calls return its first result."""

import asyncio
import json

import pytest

from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import ERRORS, Refusal, User, outcome

APPEND = f"""
mutation ($input: AppendMessageInput!, $key: String!) {{
  appendMessage(input: $input) @idempotent(key: $key) {{
    message {{ id sequence text session {{ messageCount }} }} cursor {ERRORS}
  }}
}}
"""
CREATE = f"""
mutation ($input: CreateSessionInput!) {{
  createSession(input: $input) {{ session {{ id title }} cursor evicted {{ id }} {ERRORS} }}
}}
"""


CREATE_TASK = """mutation {
  createTask(input: {type: "t", payload: {a: [1, null]}, fromRole: null}) @idempotent(key: "hash") { task { id } } }"""
# The hash of CREATE_TASK on version 0.1. Servers of several versions run side by side during a deployment.
TASK_HASH = "41b4a0886125ff55ddd1a926b9b25603387fc5bbdf41410cacb0659714f17ada"


async def appends(user: User, session: str, key: str, text: str = "once"):
    """The payload, and whether it was replayed."""
    message = {"sessionId": session, "message": {"role": "USER", "text": text}}
    response = await user.responds(APPEND, input=message, key=key)
    replayed = response.get("extensions", {}).get("idempotency", {}).get("replayed", False)
    return response["data"]["appendMessage"], replayed


async def test_same_key_and_arguments_return_the_first_result(ann, bob):
    session = await ann.creates_session()
    first, replayed = await appends(ann, session, "k1")
    assert not replayed
    second, replayed = await appends(ann, session, "k1")
    assert replayed
    assert second == first
    assert (await ann.sees(session, "messageCount"))["messageCount"] == 1
    other, _ = await appends(ann, session, "k1", text="something else")
    assert outcome(other) == {"code": "IDEMPOTENCY_KEY_REUSED"}
    mine = await bob.creates_session()
    payload, replayed = await appends(bob, mine, "k1")
    assert (payload["message"]["sequence"], replayed) == (1, False)


async def test_replay_returns_the_object_in_its_present_state(ann):
    headers = {"idempotency-key": "create"}
    first = await ann.responds(CREATE, headers, input={"title": "Before"})
    session = first["data"]["createSession"]["session"]["id"]
    await ann.does("updateSession", id=session, title="After")
    again = await ann.responds(CREATE, headers, input={"title": "Before"})
    assert again["data"]["createSession"]["session"] == {"id": session, "title": "After"}
    assert again["data"]["createSession"]["cursor"] == first["data"]["createSession"]["cursor"]
    assert again["extensions"]["idempotency"]["replayed"] is True


async def test_concurrent_duplicates_have_one_effect(ann):
    session = await ann.creates_session()
    answers = await asyncio.gather(*(appends(ann, session, "duplicate") for _ in range(32)))
    assert [replayed for _, replayed in answers].count(False) == 1
    assert {payload["message"]["sequence"] for payload, _ in answers} == {1}
    headers = {"idempotency-key": "one session"}
    made = await asyncio.gather(*(ann.responds(CREATE, headers, input={"title": "Once"}) for _ in range(16)))
    assert len({answer["data"]["createSession"]["session"]["id"] for answer in made}) == 1


async def test_temporary_failure_leaves_the_key_free(ann):
    session = await ann.creates_session()
    await ann.does("deleteSession", id=session)
    payload, _ = await appends(ann, session, "later")
    assert outcome(payload) == {"code": "NOT_FOUND", "field": "sessionId"}
    await ann.does("restoreSession", id=session)
    payload, replayed = await appends(ann, session, "later")
    assert (payload["message"]["sequence"], replayed) == (1, False)


async def test_lasting_failure_is_stored_under_the_key(ann):
    session = await ann.creates_session()
    await ann.does("setSessionStatus", id=session, status="ACTIVE")
    await ann.does("setSessionStatus", id=session, status="COMPLETED")
    first, _ = await appends(ann, session, "too late")
    second, replayed = await appends(ann, session, "too late")
    assert outcome(first) == {"code": "ILLEGAL_TRANSITION", "field": "sessionId"}
    assert (second, replayed) == (first, True)


@pytest.mark.parametrize(
    "document",
    [
        '{ viewer @idempotent(key: "k") { subject } }',
        '{ viewer { subject @idempotent(key: "k") } }',
        'mutation { createSession(input: {}) { session @idempotent(key: "k") { id } } }',
        'mutation { createSession(input: {}) @idempotent(key: "a") @idempotent(key: "b") { cursor } }',
        'mutation { createSession(input: {}) @idempotent(key: "") { cursor } }',
        'mutation { createSession(input: {}) @idempotent(key: "a\\u0000") { cursor } }',
    ],
)
async def test_misplaced_or_invalid_key_is_refused(ann, document):
    with pytest.raises(Refusal) as refusal:
        await ann.asks(document)
    assert refusal.value.code == "BAD_USER_INPUT"


async def test_header_needs_exactly_one_mutation_field(ann):
    two = "mutation { a: createSession(input: {}) { cursor } b: createSession(input: {}) { cursor } }"
    response = await ann.responds(two, {"idempotency-key": "k"})
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await ann.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0


async def test_each_field_of_a_document_has_its_own_key(ann):
    document = """mutation {
      a: createSession(input: {title: "a"}) @idempotent(key: "a") { session { id } }
      b: createSession(input: {title: "b"}) @idempotent(key: "b") { session { id } }
    }"""
    assert await ann.asks(document) == await ann.asks(document)


async def test_key_works_over_a_websocket(ann):
    document = 'mutation { createSession(input: {title: "t"}) @idempotent(key: "socket") { session { id } } }'
    answers = []
    for _ in range(2):
        async with ann.subscribes(document) as stream:
            answers += [payload async for payload in stream]
    assert answers[0] == answers[1]
    assert answers[0] == (await ann.asks(document))["createSession"]


async def test_keys_are_refused_if_they_are_switched_off(fresh_database):
    async with serving(settings_for(await fresh_database(), enable_idempotency=False)) as server:
        ann = server.user("ann")
        response = await ann.responds(CREATE, {"idempotency-key": "k"}, input={})
        assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert (await ann.responds(CREATE, input={}))["data"]["createSession"]["session"]


async def test_append_of_stored_messages_is_replayed_too(ann):
    session = await ann.creates_session()
    document = f"mutation ($i: AppendMessagesInput!) {{ appendMessages(input: $i) {{ messages {{ id }} {ERRORS} }} }}"
    given = {"sessionId": session, "messages": [{"role": "USER", "text": "said", "key": "k"}]}
    first, second, again = [
        await ann.responds(document, {"idempotency-key": key}, i=given) for key in ("one", "two", "two")
    ]
    assert first["data"] == second["data"] == again["data"]
    assert again["extensions"]["idempotency"] == {"replayed": True}


async def test_request_hash_is_the_same_in_all_versions(ann, sql):
    await ann.asks(CREATE_TASK)
    [row] = await sql("select request_hash from idempotency_keys where owner_id = $1", ann.name)
    assert row["request_hash"].hex() == TASK_HASH


@pytest.mark.parametrize("way", ["one statement", "under the lock"])
async def test_result_of_an_append_holds_no_content(ann, sql, way):
    session = await ann.creates_session()
    if way == "under the lock":
        await ann.does("archiveSession", id=session)
    await appends(ann, session, "k")
    revision = (await ann.sees(session, "lastMessage { revision }"))["lastMessage"]["revision"]
    stored = await result_of(sql, ann, "k")
    assert stored.pop("kind") == "append"
    assert stored == {"session": session.removeprefix("ses_"), "sequence": 1, "revision": revision}


async def test_result_of_another_mutation_holds_ids_only(ann, sql):
    made = await ann.responds(CREATE, {"idempotency-key": "k"}, input={"title": "Secret"})
    payload = made["data"]["createSession"]
    fields = {"session": {"id": payload["session"]["id"]}, "cursor": payload["cursor"], "evicted": [], "errors": []}
    assert await result_of(sql, ann, "k") == {"kind": "payload", "fields": fields}


async def test_results_of_version_0_1_are_replayed(ann, sql):
    """They have no kind."""
    session = await ann.creates_session()
    first, _ = await appends(ann, session, "append")
    created = await ann.responds(CREATE, {"idempotency-key": "create"}, input={})
    for key in ("append", "create"):
        stored = await result_of(sql, ann, key)
        del stored["kind"]
        old = json.dumps(stored.get("fields", stored))
        await sql("update idempotency_keys set result = $1 where owner_id = $2 and key = $3", old, ann.name, key)
    assert await appends(ann, session, "append") == (first, True)
    again = await ann.responds(CREATE, {"idempotency-key": "create"}, input={})
    assert again == {**created, "extensions": {"idempotency": {"replayed": True}}}


async def result_of(sql, user, key):
    """The JSON that is stored under a key."""
    [row] = await sql("select result from idempotency_keys where owner_id = $1 and key = $2", user.name, key)
    return json.loads(row["result"])
