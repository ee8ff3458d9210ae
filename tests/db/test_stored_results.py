"""The stored results of idempotency keys: their format, and the format of earlier releases."""

import json

import pytest

from tests.support.users import ERRORS

APPEND = f"""
mutation ($input: AppendMessageInput!) {{ appendMessage(input: $input) {{ message {{ id text }} cursor {ERRORS} }} }}
"""
CREATE = f"""
mutation ($input: CreateSessionInput!) {{ createSession(input: $input) {{ session {{ id title }} cursor {ERRORS} }} }}
"""
HEADERS = {"idempotency-key": "key"}


@pytest.fixture
async def append(ann):
    session = await ann.creates_session()
    message = {"sessionId": session, "message": {"role": "USER", "text": "once"}}
    return lambda: ann.responds(APPEND, HEADERS, input=message)


@pytest.fixture
def result(sql, ann):
    async def result():
        [row] = await sql("select result from idempotency_keys where owner_id = $1", ann.name)
        return json.loads(row["result"])

    return result


async def test_an_append_stores_its_kind_and_its_numbers(append, result):
    message = (await append())["data"]["appendMessage"]["message"]
    stored = await result()
    assert stored == {"kind": "append", "session": stored["session"], "sequence": 1, "revision": 3}
    assert message["id"] == f"msg_{stored['session']}_1"


async def test_the_result_of_an_append_from_an_earlier_release_is_replayed(append, ann, sql):
    first = await append()
    await sql("update idempotency_keys set result = (result::jsonb - 'kind')::json where owner_id = $1", ann.name)
    again = await append()
    assert again["extensions"]["idempotency"]["replayed"] is True
    assert again["data"] == first["data"]


async def test_the_payload_of_an_earlier_release_is_replayed(ann, sql):
    first = await ann.responds(CREATE, HEADERS, input={"title": "Plan"})
    former = "update idempotency_keys set result = coalesce(result->'fields', result) where owner_id = $1"
    await sql(former, ann.name)
    again = await ann.responds(CREATE, HEADERS, input={"title": "Plan"})
    assert again["extensions"]["idempotency"]["replayed"] is True
    assert again["data"] == first["data"]
