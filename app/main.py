"""The application: its routes, and what lives as long as it does. Nothing is created at import."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
from graphql_compiled import outcomes
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from app import sweeper, web
from app.auth import Authenticator, Viewer, mint
from app.context import Context
from app.db import search
from app.db.access.database import Database
from app.db.operations import migrate
from app.live.cursors import Position
from app.live.hub import Hub
from app.live.postgres_bus import PostgresBus
from app.live.shared_bus import SharedBus
from app.schema import ids, schema
from app.schema.idempotency import OnlyOnMutations
from app.schema.partial_rows import columns_for
from app.settings import LOOPBACK, Settings, driver_dsn
from app.telemetry import Metrics
from app.transport import (
    PATH,
    DocumentLimits,
    Engine,
    EventStreamEndpoint,
    HTTPEndpoint,
    Limits,
    Operations,
    WebSocketEndpoint,
    routes,
)

DOCUMENTS = 256
DAY_SECONDS = 86_400
HEADERS = [  # that pages of other origins may send
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "traceparent",
    "apollo-require-preflight",
]
DEMO, WELCOME = "demo", "welcome"  # whose session GraphiQL opens on


class Services:
    """What the operations of one process share."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_url  # whoever serves has started the embedded one
        self.settings = settings
        self.metrics = Metrics()
        self.bus = _bus(settings)
        self.db = Database(
            settings.database_url,
            pool_size=settings.pool_size,
            statement_cache=settings.statement_cache > 0,
            # The deadline comes first, at most a quarter late: it says TIMEOUT, a cancelled statement INTERNAL.
            statement_timeout=1.5 * settings.request_timeout_seconds,
            on_commit=self.bus.moved,
        )
        self.hub = Hub(
            self.db,
            self.bus,
            kept=settings.session_purge_days * DAY_SECONDS or None,
            per_viewer=settings.max_subscribers_per_user,
            most=settings.max_subscribers,
        )
        self.authenticator = Authenticator(settings)

    def context(self, viewer: Viewer, **request: Any) -> Context:
        """What one operation of this viewer may touch."""
        return Context(viewer, db=self.db, hub=self.hub, settings=self.settings, columns_for=columns_for, **request)

    def operations(self) -> Operations:
        """The operations of the schema, within the limits of the settings."""
        settings = self.settings
        limits = Limits(
            depth=settings.max_depth,
            fields=settings.max_fields,
            aliases=settings.max_aliases,
            directives=settings.max_directives,
            cost=settings.max_cost,
        )
        engine = Engine(
            schema._schema,
            inspect=DocumentLimits(limits),
            max_tokens=settings.max_tokens,
            cache_size=DOCUMENTS,
            introspection=settings.introspection,
            rules=[OnlyOnMutations],
            pre_execution_hooks={"Viewer.eventCursor": Context.capture_event_cursor},
            on_selection=Context.selecting,
            event_context=Context.fresh,
        )
        return Operations(
            engine,
            self.authenticator,
            self.context,
            timeout=settings.request_timeout_seconds,
            observe=self.metrics.answered,
        )


def _bus(settings: Settings) -> SharedBus:
    if settings.redis_url:
        from app.live.redis_bus import RedisBus  # a start without Redis does without its package too

        return RedisBus(settings.redis_url)
    url = settings.database_direct_url or settings.database_url
    assert url is not None
    return PostgresBus(driver_dsn(url))


class Application(Starlette):
    """Starlette, past whose layers GraphQL goes: they would cost a tenth of a short answer, and a sixth of a socket."""

    direct: Mapping[tuple[str, str | None], ASGIApp] = {}
    """By method, or by the type of what has none, and path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one socket."""
        direct = self.direct.get((scope.get("method", scope["type"]), scope.get("path")))
        await (direct or super().__call__)(scope, receive, send)


def create_app(settings: Settings) -> Application:
    """One process's application; needs `settings.database_url`."""
    services = Services(settings)
    operations = services.operations()
    http = HTTPEndpoint(
        operations,
        max_body=settings.max_body_bytes,
        page=request_response(partial(_graphiql, services)) if settings.graphiql else None,
    )
    sockets = WebSocketEndpoint(
        operations,
        origins=settings.cors_origins,
        init_timeout=settings.socket_init_seconds,
        max_operations=settings.max_operations_per_socket,
    )
    streams = EventStreamEndpoint(operations, max_body=settings.max_body_bytes)
    _measure(services, sockets, streams)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=HEADERS,
    )
    app = Application(
        routes=[
            *routes(http, sockets, streams),
            *_pages(services),
            Route("/healthz", _alive),
            Route("/readyz", partial(_ready, services)),
            Route("/metrics", partial(_metrics, services)),
        ],
        middleware=[cors] if settings.cors_origins else [],
        lifespan=partial(_lifespan, services),
    )
    app.state.leave = streams.leave
    # What browsers of other origins ask must pass the CORS layer; a socket is asked for its origin by itself.
    app.direct = {("websocket", PATH): sockets} | ({} if settings.cors_origins else {("POST", PATH): http})
    return app


def _measure(services: Services, sockets: WebSocketEndpoint, streams: EventStreamEndpoint) -> None:
    metrics, pool = services.metrics, services.db.pool
    metrics.sockets.set_function(lambda: sockets.sockets)
    metrics.streams.set_function(lambda: streams.streams)
    metrics.subscribers.set_function(lambda: services.hub.streams)
    bus = services.bus
    metrics.bus.set_function(lambda: bus.healthy)
    metrics.watch_counts("colloquy_executions", "Operations run, compiled or why not.", "way", lambda: outcomes)
    metrics.watch_counts(
        "colloquy_wakeups", "Hints that a session moved.", "way", lambda: {"sent": bus.sent, "received": bus.received}
    )
    metrics.watch_counts(
        "colloquy_bus", "Connections that carry wake-ups.", "what", lambda: {"found": bus.found, "lost": bus.lost}
    )
    metrics.watch_pool(idle=lambda: pool.idle, busy=lambda: pool.busy)


@asynccontextmanager
async def _lifespan(services: Services, _app: Starlette) -> AsyncIterator[None]:
    await services.bus.start()
    sweeping = sweeper.run(services.db, sweeper.ages(services.settings), services.metrics.swept)
    tasks = [asyncio.create_task(work) for work in (sweeping, services.hub.poll())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await services.bus.stop()
        await services.db.close()


async def _alive(_request: Request) -> Response:
    """The process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def _ready(services: Services, _request: Request) -> Response:
    """The process can do its work; if not, why: 503. What makes it slower does not stop it."""
    database = await migrate.unready(services.db)
    words = await search.unready(services.db, services.settings.search_config)
    reasons = [reason for reason in (database, words) if reason]
    bus = services.bus
    degraded = [] if bus.healthy else [f"wake-ups: {bus.name} is out of reach; live readers poll"]
    body = orjson.dumps({"status": "unready" if reasons else "ready", "reasons": reasons, "degraded": degraded})
    return Response(body, 503 if reasons else 200, media_type="application/json")


async def _metrics(services: Services, _request: Request) -> Response:
    return Response(services.metrics.page(), headers={"content-type": services.metrics.content_type})


def _pages(services: Services) -> list[BaseRoute]:
    """The sidebar in development, and what the pages are made of."""
    settings = services.settings
    builds = [
        *([web.GRAPHIQL] if settings.graphiql else []),
        *([] if settings.production else [web.SIDEBAR]),
    ]
    pages = [] if settings.production else [Route("/", partial(_sidebar, services))]
    return [*pages, *web.static_routes(*builds)]


async def _sidebar(services: Services, request: Request) -> Response:
    return web.sidebar_page(endpoint="/graphql", token=_token(services.settings, request))


async def _graphiql(services: Services, request: Request) -> Response:
    """GraphiQL; in development with a token and the demo's first session."""
    token, session = _token(services.settings, request), None
    if token:
        viewer = await services.authenticator.viewer(token)
        session = await services.context(viewer).loaders.sessions_by_key.load(WELCOME)
    return web.graphiql_page(
        endpoint="/graphql",
        subscription_endpoint="/graphql",
        token=token,
        session_id=ids.session(session.id) if session else None,
        after=str(Position.at(session.id, session.head)) if session else None,
        sidebar=None if services.settings.production else "/",
    )


def _token(settings: Settings, request: Request) -> str | None:
    """A development token of the demo's owner, for a page.

    It is not for a page of another site whose name resolves to this machine: it comes with that name.
    """
    if settings.production or not settings.jwt_secret or request.url.hostname not in LOOPBACK:
        return None
    return mint(settings, sub=DEMO, ttl_seconds=DAY_SECONDS)
