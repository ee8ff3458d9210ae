"""Subscriptions over HTTP in parts: negotiation, results, heartbeats, errors, and the ends of responses."""

import asyncio

import pytest

from tests.support.multipart import ACCEPT, parts
from tests.transport.sample_server import Server, eventually, serving, token

IDLE = "subscription{count(to:1000,every:60)}"


def subscribed(server: Server, query: str, *, bearer: str | None = None, **headers: str):
    """The parts of the response to an operation."""
    sent = {"authorization": f"Bearer {bearer or server.token}", **headers}
    return parts(server.http, server.url, {"query": query}, sent)


async def received(server: Server, query: str, **options):
    """All parts of a complete response."""
    async with subscribed(server, query, **options) as response:
        assert response.response.status_code == 200
        found = [part async for part in response]
        assert response.complete
        return found


async def codes(server: Server, query: str, **options):
    """The codes of the errors in the last part."""
    *_, last = await received(server, query, **options)
    return [error["extensions"]["code"] for error in last["payload"]["errors"]]


async def test_every_result_is_a_part(server: Server):
    expected = [{"payload": {"data": {"count": number}}} for number in (1, 2, 3)]
    assert await received(server, "subscription{count(to:3)}") == expected


async def test_the_response_has_the_form_of_the_protocol(server: Server):
    async with subscribed(server, "subscription{count(to:1)}") as response:
        body = await response.response.aread()
    part = b'content-type: application/json\r\n\r\n{"payload":{"data":{"count":1}}}'
    assert body == b"\r\n--graphql\r\n" + part + b"\r\n--graphql--\r\n"
    headers = response.response.headers
    assert headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store, no-transform", "no")
    assert headers["x-request-id"]


@pytest.mark.parametrize(
    ("accept", "status", "streamed"),
    [
        (ACCEPT, 200, True),
        ('multipart/mixed; boundary="graphql"; subscriptionSpec="1.0"', 200, True),
        ("application/json, multipart/mixed;subscriptionSpec=1.0;q=0.5", 200, True),
        ("multipart/mixed;subscriptionSpec=1.0;q=0, application/json", 200, False),
        ("multipart/mixed;subscriptionSpec=2.0, application/json", 200, False),
        ("multipart/mixed;deferSpec=20220824, application/json", 200, False),
        ("application/graphql-response+json", 400, False),
        ("multipart/mixed", 406, False),
    ],
)
async def test_a_subscription_is_streamed_to_clients_of_this_version_only(server: Server, accept, status, streamed):
    async with subscribed(server, "subscription{count(to:1)}", accept=accept) as response:
        await response.response.aread()
    assert response.response.status_code == status
    assert response.response.headers["content-type"].startswith("multipart/mixed") is streamed


async def test_queries_mutations_and_errors_are_plain_json_for_such_a_client(server: Server):
    for accept in (ACCEPT, ACCEPT.split(",")[0]):
        answer = await server.post({"query": "{ping}"}, accept=accept)
        assert (answer.headers["content-type"], answer.json()) == (
            "application/json; charset=utf-8",
            {"data": {"ping": "pong"}},
        )
        answer = await server.post({"query": "subscription{nothing}"}, accept=accept)
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    answer = await server.post({"query": IDLE}, accept=ACCEPT, authorization="Bearer nobody")
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    answer = await server.get(query=IDLE, headers={"authorization": f"Bearer {server.token}", "accept": ACCEPT})
    assert answer.status_code == 405


async def test_errors_of_the_operation_are_the_last_part(server: Server):
    assert await codes(server, "subscription{absent}") == ["NOT_FOUND"]
    first, failed = await received(server, "subscription{breaks}")
    assert first == {"payload": {"data": {"breaks": 1}}}
    assert failed["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(failed)
    answer = await server.post({"query": IDLE}, accept=ACCEPT, authorization=f"Bearer {token('chat:write')}")
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_an_idle_response_has_heartbeats():
    async with serving(streams={"heartbeat": 0.02}) as server, subscribed(server, IDLE) as response:
        assert await anext(response) == {"payload": {"data": {"count": 1}}}
        waiting = asyncio.create_task(anext(response))
        await eventually(lambda: response.beats > 5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await eventually(lambda: server.streams.open_streams == 0)


async def test_an_expired_token_ends_the_response_with_its_reason(server: Server):
    first, last = await received(server, IDLE, bearer=token(ttl=1))
    assert first == {"payload": {"data": {"count": 1}}}
    assert (last["payload"], last["errors"][0]["extensions"]["code"]) == (None, "UNAUTHENTICATED")
    await eventually(lambda: server.resolvers.open == 0)


async def test_a_stopping_server_ends_responses_with_its_reason():
    async with serving() as server, subscribed(server, IDLE) as response:
        await anext(response)
        server.stop()
        [last] = [part async for part in response]
        assert (last["payload"], last["errors"][0]["extensions"]["code"]) == (None, "UNAVAILABLE")
        assert response.complete
        await eventually(lambda: server.resolvers.open == 0)


async def test_a_disconnect_ends_the_operation(server: Server):
    async with subscribed(server, IDLE) as response:
        await anext(response)
        assert (server.resolvers.open, server.streams.open_streams) == (1, 1)
    await eventually(lambda: (server.resolvers.open, server.streams.open_streams) == (0, 0))


async def test_operations_are_counted_once(server: Server):
    server.observed.clear()
    await received(server, "subscription{count(to:1)}")
    await codes(server, "subscription{absent}")
    await eventually(lambda: len(server.observed) == 2)
    assert [operation[:2] for operation in server.observed] == [("subscription", "OK"), ("subscription", "NOT_FOUND")]
