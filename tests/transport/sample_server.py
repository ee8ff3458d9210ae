"""A real server of the sample schema, on a free port, in the tests' event loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.auth import Authenticator, mint
from app.origins import Origins
from app.server import Server as Process
from app.settings import Settings
from app.transport import (
    Budgets,
    CrossOrigin,
    DocumentLimits,
    Documents,
    Engine,
    EventStreamEndpoint,
    EventStreams,
    HTTPEndpoint,
    Limits,
    Operations,
    TrustedProxies,
    WebSocketEndpoint,
    routes,
)
from tests.support.events import events
from tests.transport.transport_schema import Context, Resolvers, build_sample_schema

SETTINGS = Settings(jwt_secret="a secret of this test suite, long enough", port=0, _env_file=None)  # type: ignore[call-arg]
ALLOWED_ORIGIN = "https://friend.example"
MAX_BODY = 256 * 1024
MAX_DOCUMENT = 32 * 1024
LIMITS = Limits(depth=15, fields=1_000, aliases=100, directives=50, cost=25_000)


def token(scope: str = "chat:read chat:write", ttl: float = 3600) -> str:
    return mint(SETTINGS, sub="ann", ttl_seconds=ttl, scopes=scope.split())


class Server:
    """A running server, and clients of it."""

    def __init__(
        self,
        resolvers: Resolvers,
        url: str,
        sockets: WebSocketEndpoint,
        streams: EventStreams,
        observed: list[Any],
        process: Process,
    ) -> None:
        self.resolvers = resolvers
        self.sockets, self.streams = sockets, streams
        self.observed = observed
        self._process = process
        self.url = f"{url}/graphql"
        self.ws_url = self.url.replace("http", "ws", 1)
        self.token = token()
        self.http = httpx2.AsyncClient(timeout=20)

    def stop(self) -> None:
        """Stops the server as SIGTERM does."""
        self._process.should_exit = True

    def headers(self, **more: str) -> dict[str, str]:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return headers | {name.replace("_", "-"): value for name, value in more.items()}

    async def post(self, body: Any, **headers: str) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(self.url, content=content, headers=self.headers(**headers))

    async def query(self, query: str, **variables: Any) -> Any:
        return (await self.post({"query": query, "variables": variables})).json()

    async def get(self, *, headers: dict[str, str] | None = None, **params: str) -> httpx2.Response:
        sent = {"authorization": f"Bearer {self.token}"} if headers is None else headers
        return await self.http.get(self.url, params=params, headers=sent)

    def stream(self, request: Any, *, bearer: str | None = None, method: str = "POST", **headers: str) -> Any:
        """The event stream of a request, or of the operation of a document."""
        sent = {"authorization": f"Bearer {bearer or self.token}", **headers}
        body = {"query": request} if isinstance(request, str) else request
        return events(self.http, f"{self.url}/stream", body, sent, method)

    @asynccontextmanager
    async def socket(self, **kwargs: Any) -> AsyncIterator["Socket"]:
        options = {"subprotocols": [Subprotocol("graphql-transport-ws")], "max_size": None} | kwargs
        async with connect(self.ws_url, **options) as connection:
            yield Socket(connection)

    @asynccontextmanager
    async def ready(self, bearer: str | None = None, **kwargs: Any) -> AsyncIterator["Socket"]:
        async with self.socket(**kwargs) as socket:
            await socket.send(type="connection_init", payload={"Authorization": f"Bearer {bearer or self.token}"})
            assert await socket.next() == {"type": "connection_ack"}
            yield socket


class Socket:
    """A client that sends and receives frames of graphql-transport-ws."""

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


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits until the condition is true."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def operations_of(
    resolvers: Resolvers,
    observed: list[Any],
    timeout: float,
    *,
    trusted: Mapping[str, str],
    only_trusted: bool,
    budgets: Budgets | None,
    settings: Settings,
) -> Operations:
    """The operations of the sample schema; contexts and outcomes are kept for the test."""
    inspect = DocumentLimits(LIMITS)
    engine = Engine(
        build_sample_schema(resolvers),
        inspect=inspect,
        max_tokens=2000,
        cache_size=64,
        event_context=Context.fresh,
    )
    documents = Documents(engine, trusted=trusted, only_trusted=only_trusted, max_bytes=MAX_DOCUMENT, cache_size=4)

    def make_context(viewer: Any, **made_with: Any) -> Context:
        resolvers.contexts.append(Context(viewer, **made_with))
        return resolvers.contexts[-1]

    def observe(*operation: Any) -> None:
        observed.append(operation)

    return Operations(
        engine, documents, Authenticator(settings), make_context, timeout=timeout, observe=observe, budgets=budgets
    )


@asynccontextmanager
async def serving(
    *,
    page: bytes | None = None,
    timeout: float = 20.0,
    streams: Any = None,
    origins: Sequence[str] = (ALLOWED_ORIGIN,),
    proxies: Sequence[str] = (),
    trusted: Mapping[str, str] | None = None,
    only_trusted: bool = False,
    budgets: Budgets | None = None,
    settings: Settings = SETTINGS,
    **sockets: Any,
) -> AsyncIterator[Server]:
    """A server; `streams` and `sockets` are options of event streams and of the endpoint of sockets."""
    resolvers, observed = Resolvers(), []
    documents: Any = {"trusted": trusted or {}, "only_trusted": only_trusted}
    operations = operations_of(resolvers, observed, timeout, **documents, budgets=budgets, settings=settings)
    allowed = Origins(origins)
    socket_options = {"init_timeout": 5.0, "max_operations": 100} | sockets
    endpoint = WebSocketEndpoint(operations, origins=allowed, proxies=TrustedProxies(proxies), **socket_options)
    event_streams = EventStreams(operations, **(streams or {}))
    http = HTTPEndpoint(event_streams, max_body=MAX_BODY, page=HTMLResponse(page) if page else None)
    cors = Middleware(CrossOrigin, origins=allowed)
    app = Starlette(
        routes=routes(http, endpoint, EventStreamEndpoint(event_streams, max_body=MAX_BODY)), middleware=[cors]
    )
    app.state.stop_streams = event_streams.stop
    server = Process(app, SETTINGS)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    client = Server(resolvers, server.address(), endpoint, event_streams, observed, server)
    try:
        yield client
    finally:
        await client.http.aclose()
        server.should_exit = True
        await asyncio.wait_for(running, 20)
