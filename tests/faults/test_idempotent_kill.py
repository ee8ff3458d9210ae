"""kill -9 between an act and its answer: the key finds the one effect, whenever the server died."""

import asyncio

import httpx2
import pytest

from tests.support.servers import server_process
from tests.support.users import Refusal

FAILURES = (httpx2.TransportError, Refusal)
CREATE = "mutation ($i: CreateSessionInput!) { createSession(input: $i) { session { id } errors { code } } }"
APPEND = "mutation ($i: AppendMessageInput!) { appendMessage(input: $i) { message { sequence } errors { code } } }"


async def does_once(user, document, key, **given):
    """The payload, asked for until the server lives to tell it."""
    while True:
        try:
            response = await user.responds(document, {"idempotency-key": key}, i=given)
            if "errors" not in response:
                [payload] = response["data"].values()
                return payload
        except FAILURES:
            pass
        await asyncio.sleep(0.1)


@pytest.mark.xdist_group("faults")
async def test_a_key_has_one_effect_whenever_the_server_dies(database_url, user):
    async with server_process(database_url) as server:
        ann = server.user(user("ann").name)
        made = await does_once(ann, CREATE, "the session", title="One")
        session = made["session"]["id"]
        for kill in range(6):
            said = {"sessionId": session, "message": {"role": "USER", "text": f"text {kill}"}}
            acts = [
                asyncio.create_task(does_once(ann, CREATE, f"session {kill}", title=f"Session {kill}")),
                asyncio.create_task(does_once(ann, APPEND, f"message {kill}", **said)),
            ]
            # From before the request arrives to after it was answered: somewhere in between it is committed.
            await asyncio.sleep(0.004 * kill)
            server.kill()
            server.start()
            await server.ready()
            created, appended = await asyncio.gather(*acts)
            assert (created["errors"], appended["errors"]) == ([], [])
            assert await does_once(ann, CREATE, f"session {kill}", title=f"Session {kill}") == created
        page = await ann.sees(session, "messageCount messages { nodes { sequence } }")
        assert page["messageCount"] == 6
        assert [node["sequence"] for node in page["messages"]["nodes"]] == [1, 2, 3, 4, 5, 6]
        assert (await ann.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 7
