"""What the process accepts: both address families, and heads up to a limit, on HTTP and WebSocket alike."""

import asyncio
import re
import shlex
import socket
import sys
from pathlib import Path

import httpx2
import pytest

from app.server import MAX_HEAD_BYTES
from tests.support.servers import ServerProcess, server_process
from tests.transport.sample_server import Server

ROOT = Path(__file__).parents[2]
LARGE = "x" * MAX_HEAD_BYTES
SOCKET = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "graphql-transport-ws",
}


async def answered(server: Server, *chunks: bytes) -> bytes:
    """All that a server sends back, until it closes the connection or a second after the last chunk."""
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(server.url).port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.02)
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(server: Server, path: str = "/graphql", **headers: str) -> bytes:
    all_headers = {"host": "here", "connection": "close", "authorization": f"Bearer {server.token}"} | headers
    lines = [f"GET {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in all_headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("upgrade", [{}, SOCKET], ids=["http", "websocket"])
@pytest.mark.parametrize("pieces", [1, 50])
async def test_a_head_over_the_limit_is_431_whole_or_in_pieces(server: Server, upgrade, pieces):
    for too_large in (
        head(server, x=LARGE, **upgrade),
        head(server, f"/graphql?query={LARGE}", **upgrade),
        head(server, **{f"x{n}": "y" * 20 for n in range(2_000)}, **upgrade),
    ):
        size = -(-len(too_large) // pieces)
        chunks = [too_large[at : at + size] for at in range(0, len(too_large), size)]
        assert (await answered(server, *chunks)).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert (await server.query("{ping}")) == {"data": {"ping": "pong"}}


async def test_a_connection_outlives_the_idle_time_of_clients(server: Server):
    request = head(server, "/graphql?query={ping}").replace(b"connection: close\r\n", b"")
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(server.url).port)
    for idle in (6.0, 0.0):  # longer than the 5 s of httpx2 and of uvicorn
        writer.write(request)
        assert (await reader.readuntil(b'{"data":{"ping":"pong"}}')).startswith(b"HTTP/1.1 200 OK")
        await asyncio.sleep(idle)
    writer.close()


async def test_a_head_that_never_ends_is_cut_off(server: Server):
    response = await answered(server, head(server)[:-2], *[b"x: " + b"y" * 9_000 + b"\r\n"] * 60)
    assert response.startswith(b"HTTP/1.1 431 ") or response == b""  # the reset may overtake the response


async def test_pipelined_requests_are_many_small_heads(server: Server):
    one = head(server).replace(b"GET /graphql ", b"GET /graphql?query={ping} ").replace(b"connection: close\r\n", b"")
    many = one * (3 * MAX_HEAD_BYTES // len(one)) + head(server, "/graphql?query={ping}")
    for cut in (len(many) - 7, MAX_HEAD_BYTES + 5, 7):
        response = await answered(server, many[:cut], many[cut:])
        assert response.count(b"HTTP/1.1 200 OK") == many.count(b"GET /")


async def test_a_head_at_the_limit_is_served_and_bodies_do_not_count(server: Server):
    rest = {"authorization": f"Bearer {server.token}", "x": "y" * (MAX_HEAD_BYTES - 1_500)}
    for _ in range(3):  # on one connection
        reply = await server.http.get(server.url, params={"query": "{ping}"}, headers=rest)
        assert reply.json() == {"data": {"ping": "pong"}}
        reply = await server.post({"query": "{ping}", "variables": {"a": "z" * 100_000}})
        assert reply.json() == {"data": {"ping": "pong"}}
    async with server.ready(additional_headers={"x": "y" * 8_000}) as ready:
        await ready.subscribe("{ping}")
        assert (await ready.next())["payload"] == {"data": {"ping": "pong"}}


def port_of(running: ServerProcess) -> str:
    return str(httpx2.URL(running.url).port)


def health_check() -> list[str]:
    """The command of the image, for this machine's Python."""
    [command] = re.findall(
        r"HEALTHCHECK .*?CMD \[(.*?)\]$", (ROOT / "Dockerfile").read_text(), re.DOTALL | re.MULTILINE
    )
    [program, *arguments] = [word.rstrip(",") for word in shlex.split(command)]
    assert program == "python"
    return [sys.executable, *arguments]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")
async def test_a_server_on_all_ipv6_addresses_is_reached_by_ipv4_too(database_url):
    async with server_process(database_url, HOST="::") as running:
        for host in ("127.0.0.1", "[::1]"):
            assert (await running.http.get(f"http://{host}:{port_of(running)}/healthz")).status_code == 200


@pytest.mark.parametrize("host", ["::", "0.0.0.0"])
async def test_the_health_check_of_the_image_passes_on_every_address_for_containers(database_url, host):
    async with server_process(database_url, HOST=host) as running:
        check = await asyncio.create_subprocess_exec(*health_check(), env={"PORT": port_of(running)})
        assert await check.wait() == 0
    check = await asyncio.create_subprocess_exec(
        *health_check(), env={"PORT": port_of(running)}, stderr=asyncio.subprocess.DEVNULL
    )
    assert await check.wait() != 0


async def test_an_address_in_use_is_named(database_url):
    async with server_process(database_url, HOST="::") as running:
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from app.cli import main; main()", "serve"),
            env={"HOST": "::", "PORT": port_of(running), "DATABASE_URL": database_url, "JWT_SECRET": "x" * 32},
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(second.communicate(), 60)
    assert second.returncode == 3
    assert f"PORT={port_of(running)}" in said.decode()
    assert "Address already in use" in said.decode()
