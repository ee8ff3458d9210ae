"""SocketProtocol: pings of silent sockets, frames, and the small queue and latch of each socket."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from websockets.frames import Frame, Opcode

from app.transport.websocket_protocol import Inbox, Latch, frame_head
from harness.subscribers import PING, Subscriber
from tests.transport.sample_server import Server, eventually, serving

IDLE, BUSY = "subscription{count(to:1000,every:60)}", "subscription{count(to:100000,every:0.01)}"


class Client(Subscriber):
    """Counts its events and the pings that it receives, and answers pings only if `answers`."""

    pings = events = 0
    answers = True

    def _receive(self, opcode, payload):
        self.pings += opcode == PING
        if opcode != PING or self.answers:
            super()._receive(opcode, payload)

    def count(self, *_):
        self.events += 1

    async def next_event(self):
        """Returns after the next event."""
        before = self.events
        await eventually(lambda: self.events > before)


@asynccontextmanager
async def client(server: Server, query: str):
    """A client that has received the first event of its subscription."""
    port = int(server.url.split(":")[2].split("/")[0])
    loop, made = asyncio.get_running_loop(), []

    def make():
        made.append(Client("/graphql", f"127.0.0.1:{port}", server.token, {"query": query}, lambda *_: made[0].count()))
        made[0].caught_up.add_done_callback(lambda future: future.exception())
        return made[0]

    transport, one = await loop.create_connection(make, "127.0.0.1", port)
    try:
        await one.next_event()
        yield one
    finally:
        transport.abort()


def socket_of(server: Server):
    """The server's protocol of its only socket."""
    [socket] = [each for each in server._process.server_state.connections if hasattr(each, "check")]
    return socket


async def test_only_a_client_that_has_sent_nothing_is_pinged(server: Server):
    async with client(server, IDLE) as one:
        socket = socket_of(server)
        socket.check()  # it has sent its subscription
        socket.check()  # the server has sent an event
        one._send({"type": "pong"})
        await eventually(lambda: socket._received)
        socket.check()
        socket.check()
        await eventually(lambda: one.pings == 1)
        await eventually(lambda: socket._received)
        for _ in range(2):
            socket.check()
        await eventually(lambda: one.pings == 2)
        assert not one.lost


async def test_a_client_that_only_receives_is_pinged_in_every_fourth_interval(server: Server):
    async with client(server, BUSY) as one:
        socket = socket_of(server)
        pings = []
        for _ in range(9):
            await one.next_event()
            received = socket._received
            socket.check()
            if not received and socket._pinged:
                await eventually(lambda: socket._received)
            pings.append(one.pings)
        assert pings == [0, 0, 0, 0, 1, 1, 1, 1, 1]


async def test_a_client_that_answers_no_ping_is_lost(monkeypatch):
    monkeypatch.setattr("app.server.PING_SECONDS", 0.2)
    async with serving() as server, client(server, IDLE) as answering, client(server, IDLE) as silent:
        silent.answers = False
        await eventually(lambda: silent.lost and server.sockets.open_sockets == 1)
        await eventually(lambda: answering.pings > 1)
        assert not answering.lost


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_the_head_of_a_frame_is_that_of_the_library(size):
    assert frame_head(size) + bytes(size) == Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)


async def test_an_inbox_returns_messages_in_their_order_and_survives_a_cancelled_reader():
    inbox = Inbox()
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    for message in (1, 2):
        inbox.put_nowait(message)
    assert [await reader, await inbox.get(), inbox.empty()] == [1, 2, True]


async def test_a_cancelled_wait_at_a_latch_cancels_no_other():
    latch = Latch()
    await latch.wait()
    latch.clear()
    waits = [asyncio.create_task(latch.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    waits[0].cancel()
    await asyncio.gather(waits[0], return_exceptions=True)
    assert not waits[1].done()
    latch.set()
    await waits[1]
    assert latch.is_set()
