"""The application: its routes, and what lives as long as it does. Nothing is created at import."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from graphql_compiled import outcomes
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from app import sweeper, web
from app.auth import Authenticator, Viewer, mint
from app.context import Context
from app.db.access.database import Database
from app.db.access.standbys import Standbys
from app.db.operations import readiness
from app.db.reading.session_cache import SessionCache
from app.live.cursors import SessionCursor
from app.live.hub import Hub
from app.live.postgres_bus import PostgresBus
from app.live.shared_bus import SharedBus
from app.live.tuning import LiveTuning
from app.origins import Origins
from app.schema import ids, schema
from app.schema.idempotency import OnlyOnMutations
from app.schema.partial_rows import columns_for
from app.settings import LOOPBACK, Settings
from app.structured_log import get_logger
from app.telemetry import Metrics
from app.tracing import parts_of
from app.transport import (
    PATH,
    Budgets,
    CrossOrigin,
    DocumentLimits,
    Documents,
    Engine,
    EventStreamEndpoint,
    EventStreams,
    HTTPEndpoint,
    Limits,
    OperationCosts,
    Operations,
    ProcessSpending,
    Spending,
    TrustedProxies,
    WebSocketEndpoint,
    named_hosts,
    read_manifests,
    routes,
)

log = get_logger("colloquy.server")
DOCUMENTS = 256  # kept of each kind
DAY_SECONDS = 86_400
INSTEAD = "Put a token into the headers editor below."
DEMO, WELCOME = "demo", "welcome"  # the owner and the session that GraphiQL opens with


class Services:
    """Services that all operations of one process share."""

    def __init__(self, settings: Settings, tuning: LiveTuning | None = None, workers: Path | None = None) -> None:
        assert settings.database_url  # the command has started the embedded one
        self.settings = settings
        self.parts = parts_of(settings)
        self.metrics = Metrics(workers)
        tuning = tuning or LiveTuning()
        self.bus = _bus(settings, tuning)
        self.session_cache = SessionCache(settings.session_cache_bytes) if settings.session_cache_bytes else None
        self.bus.observer = self.session_cache
        self.db = Database(
            settings.database_url,
            on_commit=self.parts.on_commit(self.bus),
            statements=self.parts.statements,
            **settings.database_options,
        )
        self.standbys = _standbys(settings, self.db, self.session_cache) if settings.database_replica_urls else None
        self.hub = Hub(
            self.db,
            self.bus,
            tuning,
            tombstone_seconds=settings.tombstone_days * DAY_SECONDS,
            max_per_owner=settings.max_subscribers_per_user,
            max_subscriptions=settings.max_subscribers,
            make_channel=self.parts.channel,
        )
        self.authenticator = Authenticator(settings)
        self.budgets = _budgets(settings) if settings.budget_cost else None

    def context(self, viewer: Viewer, **request: Any) -> Context:
        """The context of one operation of this viewer."""
        return Context(
            viewer,
            db=self.db,
            hub=self.hub,
            settings=self.settings,
            reads=self.standbys.reads() if self.standbys else None,
            columns_for=columns_for,
            session_cache=self.session_cache,
            **request,
        )

    def operations(self) -> Operations:
        """Executes the schema's operations within the limits of the settings."""
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
        documents = Documents(
            engine,
            trusted=read_manifests(settings.trusted_documents) if settings.trusted_documents else {},
            only_trusted=settings.trusted_documents_mode == "only",
            max_bytes=settings.max_document_bytes,
            cache_size=DOCUMENTS,
        )
        operations: Operations = self.parts.operations(
            engine,
            documents,
            self.authenticator,
            self.context,
            timeout=settings.request_timeout_seconds,
            observe=self.metrics.record_request,
            budgets=self.budgets,
        )
        return operations


def _bus(settings: Settings, tuning: LiveTuning) -> SharedBus:
    if settings.redis_url:
        from app.live.redis_bus import RedisBus  # without Redis its package is not loaded

        return RedisBus(settings.redis_url, tuning)
    url = settings.database_direct_url or settings.database_url
    assert url is not None
    return PostgresBus(url, tuning)


def _standbys(settings: Settings, db: Database, cache: SessionCache | None) -> Standbys:
    return Standbys(
        db,
        settings.database_replica_urls,
        timeout=settings.request_timeout_seconds / 3,
        on_timeline=cache.clear if cache else lambda: None,
        **settings.database_options,
    )


def _budgets(settings: Settings) -> Budgets:
    limit, seconds = settings.budget_cost, settings.budget_seconds
    spending: Spending = ProcessSpending(limit, seconds)
    if settings.redis_url:
        from app.transport.redis_spending import RedisSpending

        spending = RedisSpending(settings.redis_url, limit, seconds)
    return Budgets(spending, OperationCosts(schema._schema), limit=limit, seconds=seconds)


class Application(Starlette):
    """Starlette with a bypass: its layers cost a tenth of a short response and a sixth of a WebSocket."""

    root_path = ""
    """A prefix that a proxy may leave in the path."""
    _direct: Mapping[tuple[str, str | None], ASGIApp] = {}
    """Applications by (method or, without one, scope type; path)."""

    def serve_directly(self, posts: ASGIApp, sockets: ASGIApp) -> None:
        """POST and WebSockets of the GraphQL URL pass by the layers."""
        paths: set[str | None] = {PATH, self.root_path + PATH}
        self._direct = {("POST", path): posts for path in paths} | {("websocket", path): sockets for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        path = scope.get("path")
        if direct := self._direct.get((scope.get("method", scope["type"]), path)):
            await direct(scope, receive, send)
            return
        if self.root_path and path and path.startswith(f"{self.root_path}/"):
            scope = {**scope, "path": path.removeprefix(self.root_path)}
        await super().__call__(scope, receive, send)


def create_app(
    settings: Settings, tuning: LiveTuning | None = None, *, workers_directory: Path | None = None
) -> Application:
    """The application of one process; needs `settings.database_url`. Raises InvalidManifests, NotInstalled.

    The workers of one server add up their metrics in `workers_directory`.
    """
    services = Services(settings, tuning, workers_directory)
    operations = services.operations()
    origins = Origins(settings.cors_origins)
    page = request_response(partial(_graphiql, services)) if settings.graphiql else None
    streams = EventStreams(operations)
    http = services.parts.endpoint(HTTPEndpoint(streams, max_body=settings.max_body_bytes, page=page), PATH)
    sockets = WebSocketEndpoint(
        operations,
        origins=origins,
        proxies=TrustedProxies(settings.forwarded_allow_ips),
        init_timeout=settings.socket_init_seconds,
        max_operations=settings.max_operations_per_socket,
    )
    _observe(services, sockets, streams)
    app = Application(
        routes=[
            *routes(http, sockets, EventStreamEndpoint(streams, max_body=settings.max_body_bytes)),
            *_pages(services),
            Route("/healthz", _alive),
            Route("/readyz", partial(_ready, services)),
            Route("/metrics", partial(_metrics, services)),
        ],
        middleware=[Middleware(CrossOrigin, origins=origins)] if origins else [],
        lifespan=partial(_lifespan, services),
    )
    app.router.redirect_slashes = False  # the address would have the scheme and the host that the proxy used
    app.state.stop_streams = streams.stop
    app.root_path = settings.root_path
    app.serve_directly(CrossOrigin(http, origins) if origins else http, sockets)
    return app


def _observe(services: Services, sockets: WebSocketEndpoint, streams: EventStreams) -> None:
    metrics, pool = services.metrics, services.db.pool
    metrics.sockets.set_function(lambda: sockets.open_sockets)
    metrics.event_streams.set_function(lambda: streams.open_streams)
    metrics.subscribers.set_function(lambda: services.hub.subscriptions)
    for step, _ in sweeper.retention(services.settings).steps():
        metrics.record_sweep(step.name, 0, 0)  # an alert sees the first failure only if there was a 0 before it
    metrics.observe_counts(
        "colloquy_executions",
        "Operations by way of execution: compiled, or the reason why not.",
        "way",
        lambda: outcomes,
    )
    metrics.observe_bus(services.bus)
    metrics.observe_counts(
        "colloquy_slow_statements",
        "Database statements that took SLOW_STATEMENT_SECONDS or more.",
        "statement",
        lambda: services.db.slow.counts,
    )
    metrics.observe_pool(idle=lambda: pool.idle, busy=lambda: pool.busy)
    metrics.pool_waiting.set_function(lambda: pool.waiting)
    metrics.observe_standbys(services.standbys.outcomes if services.standbys else {"standby": 0})
    metrics.citus_nodes.set_function(lambda: len(pool.database_engine.nodes) if pool.database_engine else 0)
    if budgets := services.budgets:
        metrics.observe_budgets(lambda: budgets.spending.healthy, lambda: budgets.counts)
    if cache := services.session_cache:
        metrics.observe_session_cache(lambda: cache.bytes, lambda: cache.counts)


@asynccontextmanager
async def _lifespan(services: Services, _app: Starlette) -> AsyncIterator[None]:
    services.parts.start(services.metrics.registry)
    await services.bus.start()
    sweeping = sweeper.run(services.db, sweeper.retention(services.settings), services.metrics.record_sweep)
    running = [sweeping, services.hub.poll(), services.metrics.share(), _log_unready(services)]
    if services.standbys:
        running.append(services.standbys.watch())
    tasks = [asyncio.create_task(work) for work in running]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await services.bus.stop()
        if services.budgets:
            await services.budgets.spending.close()
        await services.db.close()
        await services.parts.stop()


async def _alive(_request: Request) -> Response:
    """Liveness: the process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def _unready(services: Services) -> list[str]:
    """Why this process cannot serve; empty if it can."""
    database = await readiness.unready(services.db)
    words = await readiness.unknown_search_config(services.db, services.settings.search_config)
    standbys = services.standbys.unusable if services.standbys else None
    return [reason for reason in (database, words, standbys) if reason]


async def _log_unready(services: Services) -> None:
    """Logs at the start what `/readyz` answers from then on: the log is where an operator looks first."""
    if reasons := await _unready(services):
        log.warning("server.unready", reasons=reasons)


async def _ready(services: Services, _request: Request) -> Response:
    """Readiness: 200, or 503 with the reasons. `degraded` lists what makes the process slower but not unready."""
    reasons, bus = await _unready(services), services.bus
    read_only = await readiness.degraded(services.db)
    polling = None if bus.healthy else f"wake-ups: {bus.name} {bus.trouble}; live readers poll"
    degraded = [what for what in (read_only, polling) if what]
    degraded += services.standbys.degraded if services.standbys else []
    if services.budgets and not services.budgets.spending.healthy:
        degraded.append("budgets: Redis is out of reach; each process counts for itself")
    engine = services.db.engine
    answer = {
        "status": "unready" if reasons else "ready",
        "reasons": reasons,
        "degraded": degraded,
        "engine": {"name": engine.name, "nodes": engine.nodes} if engine else None,
    }
    return Response(orjson.dumps(answer), 503 if reasons else 200, media_type="application/json")


async def _metrics(services: Services, _request: Request) -> Response:
    return Response(services.metrics.render(), headers={"content-type": services.metrics.content_type})


def _pages(services: Services) -> list[BaseRoute]:
    """The sidebar in development, and the static files of both pages."""
    settings = services.settings
    builds = [
        *([web.GRAPHIQL] if settings.graphiql else []),
        *([] if settings.production else [web.SIDEBAR]),
    ]
    pages = [] if settings.production else [Route("/", partial(_sidebar, services))]
    if settings.root_path and pages:  # the page's own addresses are relative to its directory
        pages.append(Route(settings.root_path, RedirectResponse(f"{settings.root_path}/")))
    return [*pages, *web.static_routes(*builds)]


async def _sidebar(services: Services, request: Request) -> Response:
    return web.sidebar_page(root="./", token=_token(services.settings, request))


async def _graphiql(services: Services, request: Request) -> Response:
    """The GraphiQL page; in development with a token and the demo's first session."""
    token, session = _token(services.settings, request), None
    if token:
        viewer = await services.authenticator.viewer(token)
        session = await services.context(viewer).loaders.sessions_by_key.load(WELCOME)
    return web.graphiql_page(
        root="../" if request.scope["path"].endswith("/") else "./",
        token=token,
        notice=_why_no_token(services.settings, request),
        session_id=ids.session(session.id) if session else None,
        after=str(SessionCursor.at(session.id, session.head)) if session else None,
        with_sidebar=not services.settings.production,
    )


def _token(settings: Settings, request: Request) -> str | None:
    """A development token of the demo's owner for a page served on a loopback name; otherwise None."""
    if _why_no_token(settings, request):
        return None
    return mint(settings, sub=DEMO, ttl_seconds=DAY_SECONDS)


def _why_no_token(settings: Settings, request: Request) -> str:
    """Why a page gets no token; empty if it gets one.

    A page of another site whose name resolves to this machine (DNS rebinding) has another host name, and so has a page
    that a proxy serves to others.
    """
    if not settings.jwt_secret:
        return f"The issuer of JWKS_URL signs the tokens. {INSTEAD}"
    if settings.production:
        return f"A production server puts no token into a page. {INSTEAD}"
    if named_hosts(dict(request.scope["headers"])) <= LOOPBACK:
        return ""
    return (
        "A page has a token only under a host name of this machine, such as 127.0.0.1 or localhost, and not behind a "
        f"proxy. {INSTEAD} `colloquy token --sub {DEMO}` prints one."
    )
