"""A real server of the small schema, on a port of its own, in the tests' loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.auth import Authenticator, mint
from app.server import Server as Process
from app.settings import Settings
from app.transport import (
    DocumentLimits,
    Engine,
    EventStreamEndpoint,
    HTTPEndpoint,
    Limits,
    Operations,
    WebSocketEndpoint,
    routes,
)
from tests.support.events import events
from tests.transport.adversarial_inputs import Context, Ground, build

SETTINGS = Settings(jwt_secret="a secret of this test suite, long enough", port=0, _env_file=None)
FRIEND = "https://friend.example"


def token(scope: str = "chat:read chat:write", ttl: float = 3600) -> str:
    return mint(SETTINGS, sub="ann", ttl_seconds=ttl, scopes=scope.split())


class Server:
    """One running server, and everything that a test asks of it."""

    def __init__(
        self,
        ground: Ground,
        url: str,
        sockets: WebSocketEndpoint,
        streams: EventStreamEndpoint,
        seen: list[Any],
        process: Process,
    ) -> None:
        self.ground = ground
        self.sockets, self.streams = sockets, streams
        self.observed = seen
        self._process = process
        self.url = f"{url}/graphql"
        self.ws_url = self.url.replace("http", "ws", 1)
        self.token = token()
        self.http = httpx2.AsyncClient(timeout=20)

    def stop(self) -> None:
        """As SIGTERM does."""
        self._process.should_exit = True

    def headers(self, **more: str) -> dict[str, str]:
        given = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return given | {name.replace("_", "-"): value for name, value in more.items()}

    async def post(self, body: Any, **headers: str) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(self.url, content=content, headers=self.headers(**headers))

    async def query(self, query: str, **variables: Any) -> Any:
        return (await self.post({"query": query, "variables": variables})).json()

    async def get(self, *, headers: dict[str, str] | None = None, **params: str) -> httpx2.Response:
        given = self.headers(apollo_require_preflight="1") if headers is None else headers
        return await self.http.get(self.url, params=params, headers=given)

    def stream(self, query: str, *, bearer: str | None = None, method: str = "POST", **headers: str) -> Any:
        """The events of an operation."""
        given = {"authorization": f"Bearer {bearer or self.token}", **headers}
        return events(self.http, f"{self.url}/stream", {"query": query}, given, method)

    @asynccontextmanager
    async def socket(self, **kwargs: Any) -> AsyncIterator["Socket"]:
        given = {"subprotocols": [Subprotocol("graphql-transport-ws")], "max_size": None} | kwargs
        async with connect(self.ws_url, **given) as connection:
            yield Socket(connection)

    @asynccontextmanager
    async def ready(self, bearer: str | None = None, **kwargs: Any) -> AsyncIterator["Socket"]:
        async with self.socket(**kwargs) as socket:
            await socket.send(type="connection_init", payload={"Authorization": f"Bearer {bearer or self.token}"})
            assert await socket.next() == {"type": "connection_ack"}
            yield socket


class Socket:
    """A client that speaks in frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def subscribe(self, query: str, id: str = "1", **payload: Any) -> None:
        await self.send(id=id, type="subscribe", payload={"query": query, **payload})

    async def next(self) -> Any:
        return json.loads(await asyncio.wait_for(self.connection.recv(), 20))

    async def until(self, type: str) -> Any:
        while (frame := await self.next())["type"] != type:
            pass
        return frame

    async def closed(self) -> tuple[int | None, str | None]:
        await asyncio.wait_for(self.connection.wait_closed(), 20)
        return self.connection.close_code, self.connection.close_reason


async def eventually(true: Callable[[], bool]) -> None:
    """Wait until something that must become true is."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(
    *, introspection: bool = True, page: bytes | None = None, timeout: float = 20.0, streams: Any = None, **sockets: Any
) -> AsyncIterator[Server]:
    ground, seen = Ground(), []
    engine = Engine(
        build(ground),
        inspect=DocumentLimits(Limits()),
        max_tokens=2000,
        cache_size=64,
        introspection=introspection,
        event_context=Context.fresh,
    )

    def make_context(viewer: Any, **made_with: Any) -> Context:
        ground.contexts.append(Context(viewer, **made_with))
        return ground.contexts[-1]

    operations = Operations(
        engine, Authenticator(SETTINGS), make_context, timeout=timeout, observe=lambda *fact: seen.append(fact)
    )
    endpoint = WebSocketEndpoint(operations, **({"origins": [FRIEND]} | sockets))
    http = HTTPEndpoint(operations, max_body=256 * 1024, page=HTMLResponse(page) if page else None)
    cors = Middleware(CORSMiddleware, allow_origins=[FRIEND], allow_methods=["POST"], allow_headers=["*"])
    event_streams = EventStreamEndpoint(operations, max_body=256 * 1024, **(streams or {}))
    app = Starlette(routes=routes(http, endpoint, event_streams), middleware=[cors])
    app.state.leave = event_streams.leave
    server = Process(app, SETTINGS)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    client = Server(ground, server.address(), endpoint, event_streams, seen, server)
    try:
        yield client
    finally:
        await client.http.aclose()
        server.should_exit = True
        await asyncio.wait_for(running, 20)
