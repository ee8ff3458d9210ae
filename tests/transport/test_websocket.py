"""graphql-transport-ws: operations, invalid frames, close codes, and clients that do not read."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from app.auth import mint
from app.settings import Settings
from tests.transport.sample_server import ALLOWED_ORIGIN, SETTINGS, Server, Socket, eventually, serving, token

IDLE = "subscription{count(to:1000,every:60)}"


async def test_a_query_sends_its_result_and_complete(server: Server):
    async with server.ready() as socket:
        await socket.subscribe("query Q($t:String){echo(text:$t)}", id="a", variables={"t": "é"})
        assert await socket.next() == {
            "type": "next",
            "id": "a",
            "payload": {"data": {"echo": {"text": "é"}}},
        }
        assert await socket.next() == {"type": "complete", "id": "a"}


async def test_a_subscription_sends_its_events_in_order_and_complete(server: Server):
    async with server.ready() as socket:
        await socket.subscribe("subscription{count(to:3)}")
        for number in (1, 2, 3):
            assert (await socket.next())["payload"] == {"data": {"count": number}}
        assert await socket.next() == {"type": "complete", "id": "1"}


async def test_every_operation_and_every_event_has_its_own_context(server: Server):
    async with server.ready() as socket:
        for _ in range(2):
            await socket.subscribe("subscription{seen}")
            assert [(await socket.next())["payload"]["data"]["seen"] for _ in range(3)] == [1, 2, 3]
            assert (await socket.next())["type"] == "complete"


async def test_an_operation_that_cannot_start_is_an_error_and_the_socket_stays_open(server: Server):
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


async def test_a_subscription_that_raises_is_an_internal_error_without_details(server: Server):
    async with server.ready() as socket:
        await socket.subscribe("subscription{breaks}")
        assert (await socket.next())["payload"] == {"data": {"breaks": 1}}
        frame = await socket.next()
        assert frame["type"] == "error"
        assert frame["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert "secret" not in json.dumps(frame)
    assert server.resolvers.open == 0


async def test_complete_ends_the_subscription_and_releases_its_id(server: Server):
    async with server.ready() as socket:
        await socket.subscribe(IDLE)
        await socket.until("next")
        await socket.send(id="1", type="complete")
        await eventually(lambda: server.resolvers.open == 0)
        await socket.subscribe("{ping}")
        assert (await socket.next())["payload"] == {"data": {"ping": "pong"}}


async def test_closing_the_socket_ends_all_operations(server: Server):
    async with server.ready() as socket:
        for n in range(10):
            await socket.subscribe(IDLE, id=str(n))
        await eventually(lambda: server.resolvers.open == 10)
        assert server.sockets.running == 10
    await eventually(lambda: server.resolvers.open == 0 and server.sockets.open_sockets == 0)


async def test_a_lost_connection_ends_all_operations(server: Server):
    async with server.ready() as socket:
        await socket.subscribe(IDLE)
        await socket.until("next")
        socket.connection.transport.abort()
        await eventually(lambda: server.resolvers.open == 0 and server.sockets.open_sockets == 0)


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
async def test_an_invalid_first_frame_closes_the_socket(server: Server, frame: Any, code: int):
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
async def test_an_invalid_later_frame_closes_the_socket(server: Server, frame: Any, code: int):
    async with server.ready() as socket:
        await socket.send(**frame)
        found, reason = await socket.closed()
        assert found == code
        assert len((reason or "").encode()) <= 123


async def test_a_long_close_reason_is_cut_between_characters(server: Server):
    name = "ü" * 200
    async with server.ready() as socket:
        await socket.subscribe(IDLE, id=name)
        await socket.subscribe(IDLE, id=name)
        code, reason = await socket.closed()
        assert code == 4409
        assert reason == ("Subscriber for " + name)[: len(reason or "")]
        assert len((reason or "").encode()) in (122, 123)


async def test_a_socket_without_connection_init_is_closed():
    async with serving(init_timeout=0.1) as server, server.socket() as socket:
        assert (await socket.closed())[0] == 4408


async def test_the_token_may_be_in_the_handshake_or_in_the_payload(server: Server):
    options = {"additional_headers": {"authorization": f"Bearer {server.token}"}}
    async with server.socket(**options) as socket:
        await socket.send(type="connection_init")
        assert (await socket.next())["type"] == "connection_ack"
    async with server.socket() as socket:
        await socket.send(type="connection_init", payload={"token": server.token})
        assert (await socket.next())["type"] == "connection_ack"


async def test_a_socket_is_closed_when_its_token_expires(server: Server):
    async with server.ready(token(ttl=1)) as socket:
        await socket.subscribe(IDLE)
        assert await socket.closed() == (4403, "The token has expired")
    await eventually(lambda: server.resolvers.open == 0)


async def test_a_socket_with_a_token_of_the_previous_secret_opens_and_is_closed_when_the_token_expires():
    new = Settings(jwt_secret="n" * 32)
    rotating = Settings(jwt_secret=new.jwt_secret, jwt_secret_previous=SETTINGS.jwt_secret)
    async with serving(settings=rotating) as server:
        async with server.ready(token(ttl=1)) as socket:
            await socket.subscribe(IDLE)
            assert await socket.closed() == (4403, "The token has expired")
        async with server.ready(mint(new, sub="ann", ttl_seconds=60)) as socket:
            await socket.subscribe("{ping}")
            assert (await socket.next())["payload"] == {"data": {"ping": "pong"}}
    async with serving(settings=new) as server, server.socket() as socket:
        await socket.send(type="connection_init", payload={"token": token()})
        assert await socket.closed() == (4403, "The token is not valid.")


async def test_a_token_may_expire_after_the_longest_timer(server: Server):
    async with server.ready(token(ttl=10.0**12)) as socket:
        await socket.send(type="ping")
        assert (await socket.next()) == {"type": "pong"}


async def test_each_operation_kind_requires_its_scope_over_websocket(server: Server):
    before = server.resolvers.total
    for bearer, query in [("chat:read", "mutation{add}"), ("chat:write", IDLE), ("chat:write", "{ping}")]:
        async with server.ready(token(bearer)) as socket:
            await socket.subscribe(query)
            assert (await socket.next())["payload"][0]["extensions"]["code"] == "FORBIDDEN"
    assert server.resolvers.total == before


async def test_only_own_and_allowed_origins_may_connect(server: Server):
    own = server.url.removesuffix("/graphql")
    for origin in (ALLOWED_ORIGIN, own):
        async with server.socket(origin=origin) as socket:
            assert socket.connection.subprotocol == "graphql-transport-ws"
    for origin in ("https://evil.example", "null", own.replace("127.0.0.1", "127.0.0.1.evil.example")):
        with pytest.raises(InvalidStatus, match="403"):
            async with server.socket(origin=origin):
                pass


async def test_another_subprotocol_is_refused(server: Server):
    async with server.socket(subprotocols=None) as socket:
        assert (await socket.closed())[0] == 4406


async def test_the_operations_of_a_socket_are_limited():
    async with serving(max_operations=3) as server, server.ready() as socket:
        for n in range(4):
            await socket.subscribe("{slow(seconds:60)}", id=str(n))
        frame = await socket.next()
        assert (frame["id"], frame["payload"][0]["extensions"]["code"]) == ("3", "RATE_LIMITED")
        await socket.send(id="0", type="complete")
        await eventually(lambda: server.sockets.running == 2)
        await socket.subscribe("{ping}", id="4")
        assert (await socket.next())["payload"] == {"data": {"ping": "pong"}}


async def test_operations_completed_before_they_start_leave_nothing_behind():
    async with serving(max_operations=3) as server, server.ready() as socket:
        for n in range(20):
            await socket.subscribe(IDLE, id=str(n))
            await socket.send(id=str(n), type="complete")
        await socket.send(type="ping")
        await socket.until("pong")
        await eventually(lambda: (server.sockets.running, server.resolvers.open) == (0, 0))
        await socket.subscribe("{ping}")
        assert (await socket.next())["payload"] == {"data": {"ping": "pong"}}


async def test_an_operation_beyond_the_time_limit_is_a_timeout_error():
    async with serving(timeout=0.2) as server, server.ready() as socket:
        for query in ("{slow(seconds:60)}", "subscription{slowStart}"):
            await socket.subscribe(query)
            frame = await socket.next()
            assert frame["payload"][0]["extensions"]["code"] == "TIMEOUT"
        await socket.subscribe("subscription{count(to:20,every:0.05)}")
        await socket.until("complete")


@asynccontextmanager
async def blocked_client(server: Server) -> AsyncIterator[Socket]:
    """A client that requests more than the socket buffers hold, and does not read."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    port = int(server.url.split(":")[2].split("/")[0])
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    async with server.ready(sock=raw, ping_interval=None) as socket:
        socket.connection.transport.pause_reading()
        await socket.subscribe("subscription{flood(size:100000)}")
        await eventually(lambda: server.resolvers.flooded > 0)
        try:
            yield socket
        finally:
            socket.connection.transport.abort()


async def test_a_blocked_socket_delays_no_other_and_is_aborted_after_the_send_timeout():
    async with serving(send_timeout=1.0) as server, blocked_client(server), server.ready() as other:
        await other.subscribe("subscription{count(to:20)}")
        await other.until("complete")
        await eventually(lambda: server.resolvers.open == 0)
        await eventually(lambda: server.sockets.open_sockets == 1)
        await other.subscribe("{ping}")
        assert (await other.next())["payload"] == {"data": {"ping": "pong"}}


async def test_nothing_is_queued_for_a_blocked_socket():
    async with serving() as server, blocked_client(server), server.ready() as other:
        await other.subscribe("subscription{count(to:100)}")
        await other.until("complete")
        produced = server.resolvers.flooded
        await other.subscribe("subscription{count(to:100)}")
        await other.until("complete")
        assert server.resolvers.flooded == produced


async def test_a_client_that_closes_but_does_not_read_does_not_delay_the_servers_stop():
    async with serving() as server, blocked_client(server) as blocked:
        blocked.connection.protocol.send_close(1000)
        blocked.connection.send_data()
        await eventually(lambda: server.sockets.open_sockets == 0)
        server.stop()


async def test_a_stopping_server_closes_sockets_with_1012():
    async with serving() as server, server.ready() as socket:
        await socket.subscribe(IDLE)
        await socket.until("next")
        server.stop()
        assert (await socket.closed())[0] == 1012
        await eventually(lambda: server.resolvers.open == 0)


async def test_operations_of_sockets_are_counted(server: Server):
    server.observed.clear()
    async with server.ready() as socket:
        for query in ("{ping}", "subscription{count(to:1)}", "{"):
            await socket.subscribe(query)
            while (await socket.next())["type"] not in ("complete", "error"):
                pass
        await socket.subscribe(IDLE)
        await socket.until("next")
        await socket.send(id="1", type="complete")
        await eventually(lambda: len(server.observed) == 4)
    assert [operation[:2] for operation in server.observed] == [
        ("query", "OK"),
        ("subscription", "OK"),
        ("unknown", "BAD_USER_INPUT"),
        ("subscription", "OK"),
    ]
