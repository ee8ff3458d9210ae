"""A subscriber that stops reading: it must be cut off, and nobody else may notice."""

import asyncio
import select
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from chaos.arena import Arena
from chaos.owner import Owner
from chaos.readers import PROTOCOL, SESSION_EVENTS, say

SILENT = 10
RECEIVE_BUFFER = 4_096  # bytes: what the kernel takes for a client that does not read, as little as it allows
TEXT, TEXTS = "x" * 200_000, 60  # far more than kernel and server keep for anybody
CUT_WITHIN_SECONDS = 60
RSS_LIMIT_MIB = 64


async def stop_reading(arena: Arena) -> float:
    """Ten at once, all in the session in which the most is said; returns when the last one was cut off."""
    owner, server = arena.load.owner("silent"), arena.servers[0]
    session = (await owner.does("createSession", "session { id eventCursor }", "silent"))["session"]
    sockets = await asyncio.gather(*(_silent(owner, session) for _ in range(SILENT)))
    before, began = server.rss_mib(), time.monotonic()
    for number in range(TEXTS):
        message = {"role": "ASSISTANT", "text": TEXT}
        await owner.does("appendMessage", "cursor", f"silent {number}", sessionId=session["id"], message=message)
    slowest, highest = await _until_cut(arena, [kept for kept, _ in sockets], began)
    arena.counts.note("seconds until the last one was cut off", time.monotonic() - began)
    arena.counts.note("MiB that the server grew by", highest - before)
    arena.counts.note("seconds until others heard a write meanwhile", slowest)
    if highest - before > RSS_LIMIT_MIB:
        arena.counts.findings.append(f"the server grew by {highest - before:.0f} MiB")
    arena.counts.faults += SILENT - 1
    for _, closing in sockets:
        closing.transport.abort()
    return time.monotonic()


async def _silent(owner: Owner, session: dict[str, Any]) -> tuple[socket.socket, Any]:
    """A subscription from which nothing is read any more."""
    place = urlsplit(owner.url)
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    kept.setblocking(False)
    await asyncio.get_running_loop().sock_connect(kept, (place.hostname, place.port))
    made = await connect(f"ws://{place.netloc}/graphql", sock=kept, subprotocols=[PROTOCOL], max_queue=1)
    await say(made, "connection_init", {"Authorization": f"Bearer {owner.token}"})
    await made.recv()
    variables = {"session": session["id"], "after": session["eventCursor"]}
    await say(made, "subscribe", {"query": SESSION_EVENTS, "variables": variables})
    return kept, made


async def _until_cut(arena: Arena, sockets: list[socket.socket], began: float) -> tuple[float, float]:
    """The slowest probe and the highest memory until then."""
    slowest, highest = 0.0, 0.0
    while not all(_is_cut(one) for one in sockets):
        asked = time.monotonic()
        await arena.probe.heard()
        slowest = max(slowest, time.monotonic() - asked)
        highest = max(highest, arena.servers[0].rss_mib())
        if time.monotonic() - began > CUT_WITHIN_SECONDS:
            arena.counts.findings.append(f"{sum(not _is_cut(one) for one in sockets)} are not cut off")
            break
        await asyncio.sleep(0.2)
    return slowest, highest


def _is_cut(one: socket.socket) -> bool:
    """Whether the other side has reset the connection; what was not read stays unread."""
    if one.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(one, 0)
    return any(what & (select.POLLHUP | select.POLLERR) for _, what in poll.poll(0))
