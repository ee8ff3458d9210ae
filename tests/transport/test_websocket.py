"""graphql-transport-ws: two ends that take turns, and what happens when one of them does not."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.transport.server import FRIEND, Server, Socket, eventually, serving, token

QUIET = "subscription{count(to:1000,every:60)}"


async def test_a_query_is_answered_and_completed(server: Server):
    async with server.ready() as socket:
        await socket.subscribe("query Q($t:String){echo(text:$t)}", id="a", variables={"t": "é"})
        assert await socket.next() == {
            "type": "next",
            "id": "a",
            "payload": {"data": {"echo": {"text": "é"}}},
        }
        assert await socket.next() == {"type": "complete", "id": "a"}


async def test_a_subscription_delivers_in_order_and_ends(server: Server):
    async with server.ready() as socket:
        await socket.subscribe("subscription{count(to:3)}")
        for number in (1, 2, 3):
            assert (await socket.next())["payload"] == {"data": {"count": number}}
        assert await socket.next() == {"type": "complete", "id": "1"}


async def test_every_event_and_every_operation_has_a_context_of_its_own(server: Server):
    async with server.ready() as socket:
        for _ in range(2):
            await socket.subscribe("subscription{seen}")
            assert [(await socket.next())["payload"]["data"]["seen"] for _ in range(3)] == [1, 2, 3]
            assert (await socket.next())["type"] == "complete"


async def test_an_operation_that_cannot_start_is_an_error_and_the_socket_stays(server: Server):
    async with server.ready() as socket:
        for query, code in [
            ("{", "BAD_USER_INPUT"),
            ("{nope}", "BAD_USER_INPUT"),
            ("subscription($n:Int!){count(to:$n)}", "BAD_USER_INPUT"),
            ("{" + "ping " * 1_001 + "}", "QUERY_TOO_COMPLEX"),
            ("subscription{absent}", "NOT_FOUND"),
        ]:
            await socket.subscribe(query)
            frame = await socket.next()
            assert (frame["type"], frame["id"]) == ("error", "1")
            assert frame["payload"][0]["extensions"]["code"] == code
        await socket.subscribe("{ping}")
        assert (await socket.next())["payload"] == {"data": {"ping": "pong"}}


async def test_a_stream_that_breaks_says_so_without_saying_why(server: Server):
    async with server.ready() as socket:
        await socket.subscribe("subscription{breaks}")
        assert (await socket.next())["payload"] == {"data": {"breaks": 1}}
        frame = await socket.next()
        assert frame["type"] == "error"
        assert frame["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert "secret" not in json.dumps(frame)
    assert server.ground.open == 0


async def test_completing_stops_the_stream_and_frees_its_id(server: Server):
    async with server.ready() as socket:
        await socket.subscribe(QUIET)
        await socket.until("next")
        await socket.send(id="1", type="complete")
        await eventually(lambda: server.ground.open == 0)
        await socket.subscribe("{ping}")
        assert (await socket.next())["payload"] == {"data": {"ping": "pong"}}


async def test_leaving_stops_everything_that_ran(server: Server):
    async with server.ready() as socket:
        for n in range(10):
            await socket.subscribe(QUIET, id=str(n))
        await eventually(lambda: server.ground.open == 10)
        assert server.sockets.running == 10
    await eventually(lambda: server.ground.open == 0 and server.sockets.sockets == 0)


async def test_a_socket_that_is_torn_off_is_cleaned_up_too(server: Server):
    async with server.ready() as socket:
        await socket.subscribe(QUIET)
        await socket.until("next")
        socket.connection.transport.abort()
        await eventually(lambda: server.ground.open == 0 and server.sockets.sockets == 0)


FRAMES: list[tuple[Any, int]] = [
    ("{oops", 4400),
    ("", 4400),
    ("[]", 4400),
    ("null", 4400),
    (b'{"type":"ping"}', 4400),
    ("[" * 50_000, 4400),
    ("9" * 5_000, 4400),
    ('{"type":"\\ud800"}', 4400),
    ({"type": "x" * 1_000}, 4400),
    ({"type": ["ping"]}, 4400),
    ({"type": "ping", "payload": 5}, 4400),
    ({"type": "connection_init", "payload": []}, 4400),
    ({"type": "connection_init", "payload": {"Authorization": {}}}, 4403),
    ({"type": "connection_init", "payload": {"token": 5}}, 4403),
    ({"type": "connection_init", "payload": {"Authorization": "Bearer \ud800"}}, 4403),
    ({"type": "connection_init"}, 4403),
    ({"type": "subscribe", "id": "1", "payload": {"query": "{ping}"}}, 4401),
    ("x" * 300_000, 1009),
]


@pytest.mark.parametrize(("frame", "code"), FRAMES, ids=lambda value: str(value)[:30])
async def test_a_bad_first_frame_closes_the_socket(server: Server, frame: Any, code: int):
    async with server.socket() as socket:
        await socket.connection.send(json.dumps(frame) if isinstance(frame, dict) else frame)
        assert (await socket.closed())[0] == code


OPERATIONS: list[tuple[Any, int]] = [
    ({"type": "connection_init"}, 4429),
    ({"type": "subscribe", "id": "", "payload": {"query": "{ping}"}}, 4400),
    ({"type": "subscribe", "id": "x" * 300, "payload": {"query": "{ping}"}}, 4400),
    ({"type": "subscribe", "id": [1], "payload": {"query": "{ping}"}}, 4400),
    ({"type": "subscribe", "id": "1", "payload": []}, 4400),
    ({"type": "subscribe", "id": "1", "payload": {"query": "{ping}", "variables": []}}, 4400),
    ({"type": "subscribe", "id": "1", "payload": {"query": "{ping}", "extensions": "x"}}, 4400),
    ({"type": "complete", "id": 1}, 4400),
]


@pytest.mark.parametrize(("frame", "code"), OPERATIONS, ids=lambda value: str(value)[:60])
async def test_a_bad_later_frame_closes_the_socket(server: Server, frame: Any, code: int):
    async with server.ready() as socket:
        await socket.send(**frame)
        found, reason = await socket.closed()
        assert found == code
        assert len((reason or "").encode()) <= 123


async def test_a_long_reason_is_cut_between_characters(server: Server):
    name = "ü" * 200
    async with server.ready() as socket:
        await socket.subscribe(QUIET, id=name)
        await socket.subscribe(QUIET, id=name)
        code, reason = await socket.closed()
        assert code == 4409
        assert reason == ("Subscriber for " + name)[: len(reason or "")]
        assert len((reason or "").encode()) in (122, 123)


async def test_who_says_nothing_is_sent_away():
    async with serving(init_timeout=0.1) as hasty, hasty.socket() as socket:
        assert (await socket.closed())[0] == 4408


async def test_the_token_may_come_with_the_handshake_or_by_itself(server: Server):
    given = {"additional_headers": {"authorization": f"Bearer {server.token}"}}
    async with server.socket(**given) as socket:
        await socket.send(type="connection_init")
        assert (await socket.next())["type"] == "connection_ack"
    async with server.socket() as socket:
        await socket.send(type="connection_init", payload={"token": server.token})
        assert (await socket.next())["type"] == "connection_ack"


async def test_a_socket_ends_with_its_token(server: Server):
    async with server.ready(token(ttl=1)) as socket:
        await socket.subscribe(QUIET)
        assert await socket.closed() == (4403, "The token has expired")
    await eventually(lambda: server.ground.open == 0)


async def test_a_token_may_be_good_for_ages(server: Server):
    async with server.ready(token(ttl=10.0**12)) as socket:
        await socket.send(type="ping")
        assert (await socket.next()) == {"type": "pong"}


async def test_each_kind_needs_its_scope(server: Server):
    before = server.ground.total
    for bearer, query in [("chat:read", "mutation{add}"), ("chat:write", QUIET), ("chat:write", "{ping}")]:
        async with server.ready(token(bearer)) as socket:
            await socket.subscribe(query)
            assert (await socket.next())["payload"][0]["extensions"]["code"] == "FORBIDDEN"
    assert server.ground.total == before


async def test_only_our_own_pages_and_those_of_friends_may_connect(server: Server):
    own = server.url.removesuffix("/graphql")
    for origin in (FRIEND, own):
        async with server.socket(origin=origin) as socket:
            assert socket.connection.subprotocol == "graphql-transport-ws"
    for origin in ("https://evil.example", "null", own.replace("127.0.0.1", "127.0.0.1.evil.example")):
        with pytest.raises(InvalidStatus, match="403"):
            async with server.socket(origin=origin):
                pass


async def test_another_protocol_is_not_spoken(server: Server):
    async with server.socket(subprotocols=None) as socket:
        assert (await socket.closed())[0] == 4406


async def test_a_socket_runs_so_many_operations_and_no_more():
    async with serving(max_operations=3) as small, small.ready() as socket:
        for n in range(4):
            await socket.subscribe("{slow(seconds:60)}", id=str(n))
        frame = await socket.next()
        assert (frame["id"], frame["payload"][0]["extensions"]["code"]) == ("3", "RATE_LIMITED")
        await socket.send(id="0", type="complete")
        await eventually(lambda: small.sockets.running == 2)
        await socket.subscribe("{ping}", id="4")
        assert (await socket.next())["payload"] == {"data": {"ping": "pong"}}


async def test_what_is_given_up_before_it_has_begun_leaves_its_place():
    async with serving(max_operations=3) as small, small.ready() as socket:
        for n in range(20):
            await socket.subscribe(QUIET, id=str(n))
            await socket.send(id=str(n), type="complete")
        await socket.send(type="ping")
        await socket.until("pong")
        await eventually(lambda: (small.sockets.running, small.ground.open) == (0, 0))
        await socket.subscribe("{ping}")
        assert (await socket.next())["payload"] == {"data": {"ping": "pong"}}


async def test_what_takes_too_long_to_begin_or_to_answer_is_ended():
    async with serving(timeout=0.2) as hasty, hasty.ready() as socket:
        for query in ("{slow(seconds:60)}", "subscription{slowStart}"):
            await socket.subscribe(query)
            frame = await socket.next()
            assert frame["payload"][0]["extensions"]["code"] == "TIMEOUT"
        await socket.subscribe("subscription{count(to:20,every:0.05)}")
        await socket.until("complete")


@asynccontextmanager
async def silent(server: Server) -> AsyncIterator[Socket]:
    """A client that asks for more than the wires between us hold, and reads nothing of it."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    port = int(server.url.split(":")[2].split("/")[0])
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    async with server.ready(sock=raw, ping_interval=None) as socket:
        socket.connection.transport.pause_reading()
        await socket.subscribe("subscription{flood(size:100000)}")
        await eventually(lambda: server.ground.flooded > 0)
        try:
            yield socket
        finally:
            socket.connection.transport.abort()


async def test_who_does_not_read_waits_alone_and_is_cut_off_in_the_end():
    async with serving(send_timeout=1.0) as patient, silent(patient), patient.ready() as other:
        await other.subscribe("subscription{count(to:20)}")
        await other.until("complete")
        await eventually(lambda: patient.ground.open == 0)
        await eventually(lambda: patient.sockets.sockets == 1)
        await other.subscribe("{ping}")
        assert (await other.next())["payload"] == {"data": {"ping": "pong"}}


async def test_a_client_that_is_behind_costs_one_message_and_not_a_queue():
    async with serving() as patient, silent(patient), patient.ready() as other:
        await other.subscribe("subscription{count(to:100)}")
        await other.until("complete")
        produced = patient.ground.flooded
        await other.subscribe("subscription{count(to:100)}")
        await other.until("complete")
        assert patient.ground.flooded == produced


async def test_a_client_that_says_goodbye_but_reads_nothing_does_not_keep_the_server_from_stopping():
    async with serving() as stopping, silent(stopping) as deaf:
        deaf.connection.protocol.send_close(1000)
        deaf.connection.send_data()
        await eventually(lambda: stopping.sockets.sockets == 0)
        stopping.stop()


async def test_stopping_the_server_says_so_and_ends_what_runs():
    async with serving() as stopping, stopping.ready() as socket:
        await socket.subscribe(QUIET)
        await socket.until("next")
        stopping.stop()
        assert (await socket.closed())[0] == 1012
        await eventually(lambda: stopping.ground.open == 0)


async def test_operations_on_sockets_are_counted(server: Server):
    server.observed.clear()
    async with server.ready() as socket:
        for query in ("{ping}", "subscription{count(to:1)}", "{"):
            await socket.subscribe(query)
            while (await socket.next())["type"] not in ("complete", "error"):
                pass
        await socket.subscribe(QUIET)
        await socket.until("next")
        await socket.send(id="1", type="complete")
        await eventually(lambda: len(server.observed) == 4)
    assert [fact[:2] for fact in server.observed] == [
        ("query", "OK"),
        ("subscription", "OK"),
        ("unknown", "BAD_USER_INPUT"),
        ("subscription", "OK"),
    ]
