"""GraphQL over server-sent events: what is refused, what is told in the stream, and when a stream ends."""

import asyncio
import json
import socket as sockets
from contextlib import asynccontextmanager

import httpx2
import pytest

from tests.transport.server import FRIEND, Server, eventually, serving, token

QUIET = "subscription{count(to:1000,every:60)}"
EVENTS = {"accept": "text/event-stream"}
JSON = {"content-type": "application/json"}
WANTED = {"apollo-require-preflight": "1"}
PING = {"query": "{ping}"}


async def told(server: Server, query: str, **given):
    """All events of an operation, as kinds and data."""
    async with server.stream(query, **given) as stream:
        assert stream.response.status_code == 200
        return [(event.kind, event.data) async for event in stream]


async def codes(server: Server, query: str, **given):
    """The codes of the errors that an operation ends with."""
    *_, (kind, data), end = await told(server, query, **given)
    assert (kind, end) == ("next", ("complete", None))
    return [error["extensions"]["code"] for error in data["errors"]]


async def test_every_kind_of_operation_is_answered_in_events(server: Server):
    assert await told(server, "{ping}") == [("next", {"data": {"ping": "pong"}}), ("complete", None)]
    before = server.ground.total
    assert await told(server, "mutation{add}") == [("next", {"data": {"add": before + 1}}), ("complete", None)]
    counted = [("next", {"data": {"count": n}}) for n in (1, 2, 3)]
    assert await told(server, "subscription{count(to:3)}") == [*counted, ("complete", None)]


async def test_events_are_framed_by_line_feeds_and_nobody_keeps_them(server: Server):
    async with server.stream("{ping}") as stream:
        body = await stream.response.aread()
    assert body == b':\n\nevent: next\ndata: {"data":{"ping":"pong"}}\n\nevent: complete\ndata:\n\n'
    headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
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
async def test_what_is_no_request_of_somebody_known_is_refused_as_http(server: Server, status, method, headers, body):
    given = {"authorization": f"Bearer {server.token}"} | headers
    answer = await server.http.request(method, f"{server.url}/stream", headers=given, content=json.dumps(body))
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/graphql-response+json")
    assert list(answer.json()) == ["errors"]


async def test_a_query_or_subscription_by_get_needs_a_header_and_a_mutation_a_post(server: Server):
    by_get = {"method": "GET", **WANTED}
    assert await told(server, "{ping}", **by_get) == [("next", {"data": {"ping": "pong"}}), ("complete", None)]
    assert len(await told(server, "subscription{count(to:2)}", **by_get)) == 3
    assert await codes(server, "{nothing}", **by_get) == ["BAD_USER_INPUT"]
    for query, given, status in [("{ping}", {}, 400), ("mutation{add}", WANTED, 405)]:
        async with server.stream(query, method="GET", **given) as stream:
            assert stream.response.status_code == status


async def test_errors_of_the_operation_are_told_in_the_stream(server: Server):
    assert await codes(server, "{") == ["BAD_USER_INPUT"]
    assert await codes(server, "{nothing}") == ["BAD_USER_INPUT"]
    assert await codes(server, "query($n: Int!){echo(page:$n)}") == ["BAD_USER_INPUT"]
    assert await codes(server, "mutation{add}", bearer=token("chat:read")) == ["FORBIDDEN"]
    assert await codes(server, "subscription{absent}") == ["NOT_FOUND"]
    first, failed, end = await told(server, "subscription{breaks}")
    assert (first, end) == (("next", {"data": {"breaks": 1}}), ("complete", None))
    assert failed[1]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in json.dumps(failed)


async def test_what_takes_too_long_to_begin_or_to_answer_is_ended():
    async with serving(timeout=0.2) as hasty:
        assert await codes(hasty, "subscription{slowStart}") == ["TIMEOUT"]
        assert await codes(hasty, "{slow(seconds:60)}") == ["TIMEOUT"]
        assert len(await told(hasty, "subscription{count(to:20,every:0.05)}")) == 21


async def test_where_it_goes_on_and_its_key_reach_the_operation(server: Server):
    for given, after in [({"last-event-id": "e.1"}, "e.1"), ({"last-event-id": ""}, None), ({}, None)]:
        await told(server, "mutation{add}", **{"idempotency-key": "once"}, **given)
        made_with = server.ground.contexts[-1].made_with
        assert (made_with["resume_after"], made_with["idempotency_key"]) == (after, "once")


async def test_a_quiet_stream_beats():
    async with serving(streams={"beat": 0.02}) as server, server.stream(QUIET) as stream:
        assert (await anext(stream)).data == {"data": {"count": 1}}
        waiting = asyncio.create_task(anext(stream))
        await eventually(lambda: stream.beats > 5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert server.streams.streams == 0


async def test_a_stream_ends_with_its_token_and_is_not_complete(server: Server):
    assert await told(server, QUIET, bearer=token(ttl=1)) == [("next", {"data": {"count": 1}})]
    await eventually(lambda: server.ground.open == 0)


async def test_a_client_that_leaves_ends_what_it_asked_for(server: Server):
    async with server.stream(QUIET) as stream:
        await anext(stream)
        assert (server.ground.open, server.streams.streams) == (1, 1)
    await eventually(lambda: (server.ground.open, server.streams.streams) == (0, 0))


async def test_stopping_the_server_ends_streams_at_once_and_is_not_complete():
    async with serving() as stopping, stopping.stream(QUIET) as stream:
        await anext(stream)
        stopping.stop()
        assert [event async for event in stream] == []
        await eventually(lambda: stopping.ground.open == 0)


@asynccontextmanager
async def silent(server: Server):
    """A client that asks for more than the wires between us hold, and reads nothing of it."""
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
    await eventually(lambda: server.ground.flooded > 0)
    try:
        yield raw
    finally:
        raw.close()


async def test_who_does_not_read_waits_alone_and_is_cut_off_in_the_end():
    async with serving(streams={"beat": 0.1, "send_timeout": 1.0}) as patient, silent(patient):
        assert len(await told(patient, "subscription{count(to:20)}")) == 21
        await eventually(lambda: (patient.ground.open, patient.streams.streams) == (0, 0))


async def test_a_client_that_is_behind_costs_one_event_and_not_a_queue():
    async with serving() as patient, silent(patient):
        await told(patient, "subscription{count(to:100)}")
        produced = patient.ground.flooded
        await told(patient, "subscription{count(to:100)}")
        assert patient.ground.flooded == produced


async def test_who_does_not_read_does_not_keep_the_server_from_stopping():
    async with serving() as stopping, silent(stopping):
        stopping.stop()
        await eventually(lambda: (stopping.ground.open, stopping.streams.streams) == (0, 0))


async def test_operations_in_streams_are_counted(server: Server):
    server.observed.clear()
    for query in ("{ping}", "subscription{count(to:1)}", "{"):
        await told(server, query)
    async with server.stream("{ping}", bearer="nobody") as stream:
        assert stream.response.status_code == 401
    async with server.stream(QUIET) as stream:
        await anext(stream)
    await eventually(lambda: len(server.observed) == 5)
    assert [fact[:2] for fact in server.observed] == [
        ("query", "OK"),
        ("subscription", "OK"),
        ("unknown", "BAD_USER_INPUT"),
        ("unknown", "UNAUTHENTICATED"),
        ("subscription", "OK"),
    ]


async def test_a_page_of_a_friend_may_say_where_it_was(server: Server):
    asks = {
        "origin": FRIEND,
        "access-control-request-method": "POST",
        "access-control-request-headers": "last-event-id",
    }
    answer = await server.http.options(f"{server.url}/stream", headers=asks)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, FRIEND)
    strange = await server.http.options(f"{server.url}/stream", headers=asks | {"origin": "https://evil.example"})
    assert strange.status_code == 400
