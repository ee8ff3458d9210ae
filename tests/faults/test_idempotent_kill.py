"""kill -9 between a commit and its response: a repeated key finds the one effect."""

import asyncio

import httpx2
import pytest

from tests.support.servers import server_process
from tests.support.users import Refusal

FAILURES = (httpx2.TransportError, Refusal)
CREATE = "mutation ($i: CreateSessionInput!) { createSession(input: $i) { session { id } errors { code } } }"
APPEND = "mutation ($i: AppendMessageInput!) { appendMessage(input: $i) { message { sequence } errors { code } } }"


async def execute_once(user, document, key, **input):
    """The payload; the request is repeated until the server survives it."""
    while True:
        try:
            response = await user.responds(document, {"idempotency-key": key}, i=input)
            if "errors" not in response:
                [payload] = response["data"].values()
                return payload
        except FAILURES:
            pass
        await asyncio.sleep(0.1)


@pytest.mark.xdist_group("faults")
async def test_a_key_has_one_effect_whenever_the_server_is_killed(database_url, user):
    async with server_process(database_url) as server:
        ann = server.user(user("ann").name)
        created = await execute_once(ann, CREATE, "the session", title="One")
        session = created["session"]["id"]
        for kill in range(6):
            message = {"sessionId": session, "message": {"role": "USER", "text": f"text {kill}"}}
            requests = [
                asyncio.create_task(execute_once(ann, CREATE, f"session {kill}", title=f"Session {kill}")),
                asyncio.create_task(execute_once(ann, APPEND, f"message {kill}", **message)),
            ]
            # From before the request arrives to after its response: the commit is somewhere in between.
            await asyncio.sleep(0.004 * kill)
            server.kill()
            server.start()
            await server.ready()
            created, appended = await asyncio.gather(*requests)
            assert (created["errors"], appended["errors"]) == ([], [])
            assert await execute_once(ann, CREATE, f"session {kill}", title=f"Session {kill}") == created
        page = await ann.sees(session, "messageCount messages { nodes { sequence } }")
        assert page["messageCount"] == 6
        assert [node["sequence"] for node in page["messages"]["nodes"]] == [1, 2, 3, 4, 5, 6]
        assert (await ann.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 7
