"""GraphQL over server-sent events: HTTP errors, errors in the stream, and the ends of streams."""

import asyncio
import json
import socket as sockets
from contextlib import asynccontextmanager

import httpx2
import pytest

from tests.transport.sample_server import Server, eventually, serving, token

IDLE = "subscription{count(to:1000,every:60)}"
TALKING = "subscription{count(to:1000)}"
EVENTS = {"accept": "text/event-stream"}
JSON = {"content-type": "application/json"}
PING = {"query": "{ping}"}


async def received(server: Server, query: str, **options):
    """All events of an operation, as kinds and data."""
    async with server.stream(query, **options) as stream:
        assert stream.response.status_code == 200
        return [(event.kind, event.data) async for event in stream]


async def codes(server: Server, query: str, **options):
    """The codes of the errors that an operation ends with."""
    *_, (kind, data), end = await received(server, query, **options)
    assert (kind, end) == ("next", ("complete", None))
    return [error["extensions"]["code"] for error in data["errors"]]


async def test_every_operation_kind_sends_its_results_as_events(server: Server):
    assert await received(server, "{ping}") == [("next", {"data": {"ping": "pong"}}), ("complete", None)]
    before = server.resolvers.total
    assert await received(server, "mutation{add}") == [("next", {"data": {"add": before + 1}}), ("complete", None)]
    expected = [("next", {"data": {"count": n}}) for n in (1, 2, 3)]
    assert await received(server, "subscription{count(to:3)}") == [*expected, ("complete", None)]


async def test_events_end_with_line_feeds_and_must_not_be_cached(server: Server):
    async with server.stream("{ping}") as stream:
        body = await stream.response.aread()
    assert body == b':\n\nevent: next\ndata: {"data":{"ping":"pong"}}\n\nevent: complete\ndata:\n\n'
    headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store, no-transform", "no")
    assert headers["x-request-id"]


@pytest.mark.parametrize(
    ("status", "method", "headers", "body"),
    [
        (401, "POST", EVENTS | JSON | {"authorization": ""}, PING),
        (401, "POST", EVENTS | JSON | {"authorization": "Bearer nobody"}, PING),
        (405, "PUT", EVENTS | JSON, PING),
        (405, "DELETE", EVENTS, None),
        (406, "POST", {"accept": "application/json"} | JSON, PING),
        (415, "POST", EVENTS | {"content-type": "text/plain"}, PING),
        (415, "POST", EVENTS | JSON | {"content-encoding": "gzip"}, PING),
        (400, "POST", EVENTS | JSON, [PING]),
        (400, "POST", EVENTS | JSON, {"query": 1}),
        (413, "POST", EVENTS | JSON, {"query": "{ping}", "more": "x" * 300_000}),
    ],
)
async def test_invalid_http_or_token_is_refused_before_the_stream(server: Server, status, method, headers, body):
    sent = {"authorization": f"Bearer {server.token}"} | headers
    answer = await server.http.request(method, f"{server.url}/stream", headers=sent, content=json.dumps(body))
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/graphql-response+json")
    assert list(answer.json()) == ["errors"]


async def test_a_query_or_subscription_may_be_sent_by_get_and_a_mutation_may_not(server: Server):
    assert await received(server, "{ping}", method="GET") == [("next", {"data": {"ping": "pong"}}), ("complete", None)]
    assert len(await received(server, "subscription{count(to:2)}", method="GET")) == 3
    assert await codes(server, "{nothing}", method="GET") == ["BAD_USER_INPUT"]
    async with server.stream("mutation{add}", method="GET") as stream:
        assert stream.response.status_code == 405


async def test_errors_of_the_operation_are_events_of_the_stream(server: Server):
    assert await codes(server, "{") == ["BAD_USER_INPUT"]
    assert await codes(server, "{nothing}") == ["BAD_USER_INPUT"]
    assert await codes(server, "query($n: Int!){echo(page:$n)}") == ["BAD_USER_INPUT"]
    assert await codes(server, "mutation{add}", bearer=token("chat:read")) == ["FORBIDDEN"]
    assert await codes(server, "subscription{absent}") == ["NOT_FOUND"]
    first, failed, end = await received(server, "subscription{breaks}")
    assert (first, end) == (("next", {"data": {"breaks": 1}}), ("complete", None))
    assert failed[1]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in json.dumps(failed)


async def test_a_stream_beyond_the_time_limit_ends_with_timeout():
    async with serving(timeout=0.2) as server:
        assert await codes(server, "subscription{slowStart}") == ["TIMEOUT"]
        assert await codes(server, "{slow(seconds:60)}") == ["TIMEOUT"]
        assert len(await received(server, "subscription{count(to:20,every:0.05)}")) == 21


async def test_last_event_id_and_idempotency_key_reach_the_context(server: Server):
    for headers, after in [({"last-event-id": "e.1"}, "e.1"), ({"last-event-id": ""}, None), ({}, None)]:
        await received(server, "mutation{add}", **{"idempotency-key": "once"}, **headers)
        made_with = server.resolvers.contexts[-1].made_with
        assert (made_with["resume_after"], made_with["idempotency_key"]) == (after, "once")


async def test_an_idle_stream_sends_heartbeats():
    async with serving(streams={"heartbeat": 0.02}) as server, server.stream(IDLE) as stream:
        assert (await anext(stream)).data == {"data": {"count": 1}}
        waiting = asyncio.create_task(anext(stream))
        await eventually(lambda: stream.beats > 5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert server.streams.open_streams == 0


async def test_a_stream_that_has_just_sent_an_event_needs_no_heartbeat():
    """The server's timer does not fire in this test: it is called."""
    async with serving(streams={"heartbeat": 3_600}) as server, server.stream(TALKING) as stream:
        await anext(stream)
        opening = stream.beats
        server.streams._check_streams()
        await anext(stream)
        assert stream.beats == opening
        for silent in server.streams._streams:
            silent.wrote_at -= 3_600
        server.streams._check_streams()
        while stream.beats == opening:  # the events on their way come before it
            await anext(stream)


async def test_a_stream_ends_without_complete_when_its_token_expires(server: Server):
    assert await received(server, IDLE, bearer=token(ttl=1)) == [("next", {"data": {"count": 1}})]
    await eventually(lambda: server.resolvers.open == 0)


async def test_a_disconnect_ends_the_operation(server: Server):
    async with server.stream(IDLE) as stream:
        await anext(stream)
        assert (server.resolvers.open, server.streams.open_streams) == (1, 1)
    await eventually(lambda: (server.resolvers.open, server.streams.open_streams) == (0, 0))


async def test_a_stopping_server_ends_streams_without_complete():
    async with serving() as server, server.stream(IDLE) as stream:
        await anext(stream)
        server.stop()
        assert [event async for event in stream] == []
        await eventually(lambda: server.resolvers.open == 0)


@asynccontextmanager
async def blocked_client(server: Server):
    """A client that requests more than the socket buffers hold, and does not read."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", httpx2.URL(server.url).port))
    body = json.dumps({"query": "subscription{flood(size:100000)}"})
    head = f"POST /graphql/stream HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {server.token}\r\n"
    await loop.sock_sendall(
        raw, f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    )
    await eventually(lambda: server.resolvers.flooded > 0)
    try:
        yield raw
    finally:
        raw.close()


async def test_a_blocked_stream_delays_no_other_and_is_aborted_after_the_send_timeout():
    async with serving(streams={"heartbeat": 0.1, "send_timeout": 1.0}) as server, blocked_client(server):
        assert len(await received(server, "subscription{count(to:20)}")) == 21
        await eventually(lambda: (server.resolvers.open, server.streams.open_streams) == (0, 0))


async def test_nothing_is_queued_for_a_blocked_stream():
    async with serving() as server, blocked_client(server):
        await received(server, "subscription{count(to:100)}")
        produced = server.resolvers.flooded
        await received(server, "subscription{count(to:100)}")
        assert server.resolvers.flooded == produced


async def test_a_blocked_stream_does_not_delay_the_servers_stop():
    async with serving() as server, blocked_client(server):
        server.stop()
        await eventually(lambda: (server.resolvers.open, server.streams.open_streams) == (0, 0))


async def test_operations_of_event_streams_are_counted(server: Server):
    server.observed.clear()
    for query in ("{ping}", "subscription{count(to:1)}", "{"):
        await received(server, query)
    async with server.stream("{ping}", bearer="nobody") as stream:
        assert stream.response.status_code == 401
    async with server.stream(IDLE) as stream:
        await anext(stream)
    await eventually(lambda: len(server.observed) == 5)
    assert [operation[:2] for operation in server.observed] == [
        ("query", "OK"),
        ("subscription", "OK"),
        ("unknown", "BAD_USER_INPUT"),
        ("unknown", "UNAUTHENTICATED"),
        ("subscription", "OK"),
    ]
