"""Colloquy behind nginx as docs/proxies.md shows it: TLS, a path prefix, compression, buffering."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from harness.nginx import TRUSTED, nginx
from harness.server_settings import settings_for
from tests.support import servers
from tests.support.events import events
from tests.transport.sample_server import Server, serving

PONG = {"data": {"ping": "pong"}}
FIRST_OF_MANY = {"query": "subscription{count(to:1000,every:60)}"}
OWN_BUFFERS = "proxy_ignore_headers X-Accel-Buffering;"


@pytest.fixture(scope="module")
async def behind(server: Server):
    """The URL of the sample server behind nginx."""
    with nginx(server.url.removesuffix("/graphql")) as url:
        yield url


@pytest.fixture
async def http():
    """A client that trusts nginx's certificate and follows no redirect."""
    async with httpx2.AsyncClient(timeout=20, verify=TRUSTED) as client:
        yield client


@pytest.fixture(scope="module")
async def server():
    async with serving() as running:
        yield running


@asynccontextmanager
async def ready(url: str, token: str, **options):
    """A socket of a page of this very host, after `connection_ack`."""
    origin = url.removesuffix("/chat")
    address = url.replace("http", "ws", 1) + "/graphql"
    protocols = [Subprotocol("graphql-transport-ws")]
    async with connect(address, subprotocols=protocols, origin=origin, ssl=TRUSTED, **options) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        yield socket


@pytest.mark.parametrize("end", ["", "/"])
async def test_requests_pass_below_the_prefix_compressed_and_without_a_redirect(behind, server, http, end):
    for method, options in [("POST", {"json": {"query": "{ping}"}}), ("GET", {"params": {"query": "{ping}"}})]:
        url, headers = f"{behind}/graphql{end}", {"authorization": f"Bearer {server.token}"}
        reply = await http.request(method, url, headers=headers, **options)
        assert (reply.status_code, reply.json()) == (200, PONG)
        assert reply.headers["content-encoding"] == "gzip"


async def test_each_event_passes_at_once_through_compression_and_buffering(behind, server, http):
    headers = {"authorization": f"Bearer {server.token}"}
    async with events(http, f"{behind}/graphql/stream", FIRST_OF_MANY, headers) as stream:
        assert (await asyncio.wait_for(anext(stream), 20)).data == {"data": {"count": 1}}
        assert stream.response.headers["content-encoding"] == "gzip"
        assert stream.response.headers["cache-control"] == "no-store, no-transform"


async def test_a_proxy_that_ignores_our_header_holds_events_back(server, http):
    headers = {"authorization": f"Bearer {server.token}"}
    with nginx(server.url.removesuffix("/graphql"), more=OWN_BUFFERS) as url, pytest.raises(TimeoutError):
        async with asyncio.timeout(2), events(http, f"{url}/graphql/stream", FIRST_OF_MANY, headers) as stream:
            await anext(stream)


async def test_a_socket_of_our_own_page_passes(behind, server):
    async with ready(behind, server.token) as socket:
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": FIRST_OF_MANY}))
        frame = json.loads(await asyncio.wait_for(socket.recv(), 20))
        assert frame["payload"] == {"data": {"count": 1}}


async def test_a_prefix_that_stays_in_the_path_is_a_setting(database_url, http):
    async with servers.serving(settings_for(database_url, root_path="/chat")) as running:
        ann = running.user("ann-behind-nginx")
        headers = {"authorization": f"Bearer {ann.token}"}
        with nginx(running.url, keep_prefix=True) as kept, nginx(running.url) as taken:
            for url in (kept, taken, running.url):
                for path in ("/graphql", "/graphql/"):
                    reply = await http.post(f"{url}{path}", json={"query": "{__typename}"}, headers=headers)
                    assert reply.json() == {"data": {"__typename": "Query"}}
                assert (await http.get(f"{url}/healthz")).json() == {"status": "ok"}
                assert (await http.get(f"{url}/")).status_code == 200
            async with ready(kept, ann.token) as socket:
                await socket.send(json.dumps({"type": "ping"}))
                assert json.loads(await socket.recv()) == {"type": "pong"}
        to_the_page = await http.get(f"{running.url}/chat")
        assert (to_the_page.status_code, to_the_page.headers["location"]) == (307, "/chat/")
