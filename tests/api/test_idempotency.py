"""Idempotency keys: at most once, and the first answer again."""

import asyncio

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


async def appends(user: User, session: str, key: str, text: str = "once"):
    """The payload, and whether it was given again."""
    message = {"sessionId": session, "message": {"role": "USER", "text": text}}
    response = await user.responds(APPEND, input=message, key=key)
    replayed = response.get("extensions", {}).get("idempotency", {}).get("replayed", False)
    return response["data"]["appendMessage"], replayed


async def test_the_same_key_and_arguments_give_the_first_answer_again(ann, bob):
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


async def test_the_replay_shows_the_entity_as_it_is_now(ann):
    headers = {"idempotency-key": "create"}
    first = await ann.responds(CREATE, headers, input={"title": "Before"})
    session = first["data"]["createSession"]["session"]["id"]
    await ann.does("updateSession", id=session, title="After")
    again = await ann.responds(CREATE, headers, input={"title": "Before"})
    assert again["data"]["createSession"]["session"] == {"id": session, "title": "After"}
    assert again["data"]["createSession"]["cursor"] == first["data"]["createSession"]["cursor"]
    assert again["extensions"]["idempotency"]["replayed"] is True


async def test_thirty_two_twins_have_one_effect(ann):
    session = await ann.creates_session()
    answers = await asyncio.gather(*(appends(ann, session, "twin") for _ in range(32)))
    assert [replayed for _, replayed in answers].count(False) == 1
    assert {payload["message"]["sequence"] for payload, _ in answers} == {1}
    headers = {"idempotency-key": "one session"}
    made = await asyncio.gather(*(ann.responds(CREATE, headers, input={"title": "Twin"}) for _ in range(16)))
    assert len({answer["data"]["createSession"]["session"]["id"] for answer in made}) == 1


async def test_a_failure_that_may_pass_leaves_the_key_free(ann):
    session = await ann.creates_session()
    await ann.does("deleteSession", id=session)
    payload, _ = await appends(ann, session, "later")
    assert outcome(payload) == {"code": "NOT_FOUND", "field": "sessionId"}
    await ann.does("restoreSession", id=session)
    payload, replayed = await appends(ann, session, "later")
    assert (payload["message"]["sequence"], replayed) == (1, False)


async def test_a_lasting_failure_is_the_answer_for_good(ann):
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
async def test_a_key_where_it_means_nothing_is_refused(ann, document):
    with pytest.raises(Refusal) as refusal:
        await ann.asks(document)
    assert refusal.value.code == "BAD_USER_INPUT"


async def test_a_header_stands_for_one_mutation_field(ann):
    two = "mutation { a: createSession(input: {}) { cursor } b: createSession(input: {}) { cursor } }"
    response = await ann.responds(two, {"idempotency-key": "k"})
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await ann.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0


async def test_two_fields_of_one_document_have_a_key_each(ann):
    document = """mutation {
      a: createSession(input: {title: "a"}) @idempotent(key: "a") { session { id } }
      b: createSession(input: {title: "b"}) @idempotent(key: "b") { session { id } }
    }"""
    assert await ann.asks(document) == await ann.asks(document)


async def test_a_key_holds_over_a_socket(ann):
    document = 'mutation { createSession(input: {title: "t"}) @idempotent(key: "socket") { session { id } } }'
    answers = []
    for _ in range(2):
        async with ann.subscribes(document) as stream:
            answers += [payload async for payload in stream]
    assert answers[0] == answers[1]
    assert answers[0] == (await ann.asks(document))["createSession"]


async def test_keys_are_refused_where_they_are_switched_off(fresh_database):
    async with serving(settings_for(await fresh_database(), enable_idempotency=False)) as server:
        ann = server.user("ann")
        response = await ann.responds(CREATE, {"idempotency-key": "k"}, input={})
        assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert (await ann.responds(CREATE, input={}))["data"]["createSession"]["session"]


async def test_messages_that_were_stored_before_are_answered_under_a_key_too(ann):
    session = await ann.creates_session()
    document = f"mutation ($i: AppendMessagesInput!) {{ appendMessages(input: $i) {{ messages {{ id }} {ERRORS} }} }}"
    given = {"sessionId": session, "messages": [{"role": "USER", "text": "said", "key": "k"}]}
    first, second, again = [
        await ann.responds(document, {"idempotency-key": key}, i=given) for key in ("one", "two", "two")
    ]
    assert first["data"] == second["data"] == again["data"]
    assert again["extensions"]["idempotency"] == {"replayed": True}
