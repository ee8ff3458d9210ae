"""Subscribers that stop reading: the server must cut them off, and no other client may notice."""

import asyncio
import select
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from chaos.client import Client
from chaos.context import Context
from chaos.readers import PROTOCOL, SESSION_EVENTS, send

STALLED = 10
RECEIVE_BUFFER = 4_096  # bytes: the least that the kernel allows for data that a client has not read
TEXT, TEXTS = "x" * 200_000, 60  # far more than kernel and server buffer for one connection
CUT_WITHIN_SECONDS = 60
RSS_LIMIT_MIB = 64


async def stop_reading(context: Context) -> float:
    """Ten at once, all in the session with the most text; returns when the last one was cut off."""
    client, server = context.load.client("silent"), context.servers[0]
    session = (await client.mutate("createSession", "session { id eventCursor }", "silent"))["session"]
    sockets = await asyncio.gather(*(_stalled(client, session) for _ in range(STALLED)))
    before, began = server.rss_mib(), time.monotonic()
    for number in range(TEXTS):
        message = {"role": "ASSISTANT", "text": TEXT}
        await client.mutate("appendMessage", "cursor", f"silent {number}", sessionId=session["id"], message=message)
    slowest, highest = await _until_cut(context, [raw for raw, _ in sockets], began)
    context.counts.note("seconds until the last one was cut off", time.monotonic() - began)
    context.counts.note("MiB that the server grew by", highest - before)
    context.counts.note("seconds until others received a write meanwhile", slowest)
    if highest - before > RSS_LIMIT_MIB:
        context.counts.findings.append(f"the server grew by {highest - before:.0f} MiB")
    context.counts.faults += STALLED - 1
    for _, connection in sockets:
        connection.transport.abort()
    return time.monotonic()


async def _stalled(client: Client, session: dict[str, Any]) -> tuple[socket.socket, Any]:
    """A subscription from which nothing is read any more: its raw socket and its connection."""
    address = urlsplit(client.url)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (address.hostname, address.port))
    connection = await connect(f"ws://{address.netloc}/graphql", sock=raw, subprotocols=[PROTOCOL], max_queue=1)
    await send(connection, "connection_init", {"Authorization": f"Bearer {client.token}"})
    await connection.recv()
    variables = {"session": session["id"], "after": session["eventCursor"]}
    await send(connection, "subscribe", {"query": SESSION_EVENTS, "variables": variables})
    return raw, connection


async def _until_cut(context: Context, sockets: list[socket.socket], began: float) -> tuple[float, float]:
    """The slowest round trip of the probe in seconds, and the server's highest memory in MiB, until all are cut off."""
    slowest, highest = 0.0, 0.0
    while not all(_is_cut(one) for one in sockets):
        sent = time.monotonic()
        await context.probe.round_trip()
        slowest = max(slowest, time.monotonic() - sent)
        highest = max(highest, context.servers[0].rss_mib())
        if time.monotonic() - began > CUT_WITHIN_SECONDS:
            context.counts.findings.append(f"{sum(not _is_cut(one) for one in sockets)} are not cut off")
            break
        await asyncio.sleep(0.2)
    return slowest, highest


def _is_cut(one: socket.socket) -> bool:
    """True if the server has reset the connection, whatever is still unread in it."""
    if one.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(one, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
