"""GraphQL over HTTP, in parts too, graphql-transport-ws and server-sent events, as plain ASGI applications."""

from graphql_compiled.engine import Engine
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from app.transport.budgets import Budgets
from app.transport.cross_origin import CrossOrigin
from app.transport.documents import Documents
from app.transport.event_streams import EventStreams
from app.transport.forwarded import TrustedProxies, named_hosts
from app.transport.http import HTTPEndpoint
from app.transport.limits import DocumentLimits, Limits
from app.transport.operation_costs import OperationCosts
from app.transport.operations import Operations
from app.transport.spending import ProcessSpending, Spending
from app.transport.sse import EventStreamEndpoint
from app.transport.trusted_documents import InvalidManifests, read_manifests
from app.transport.websocket import WebSocketEndpoint

PATH = "/graphql"

__all__ = [
    "PATH",
    "Budgets",
    "CrossOrigin",
    "DocumentLimits",
    "Documents",
    "Engine",
    "EventStreamEndpoint",
    "EventStreams",
    "HTTPEndpoint",
    "InvalidManifests",
    "Limits",
    "OperationCosts",
    "Operations",
    "ProcessSpending",
    "Spending",
    "TrustedProxies",
    "WebSocketEndpoint",
    "named_hosts",
    "read_manifests",
    "routes",
]


def routes(http: ASGIApp, sockets: WebSocketEndpoint, streams: EventStreamEndpoint) -> list[BaseRoute]:
    """HTTP and websockets at PATH, event streams at PATH/stream, each with and without a slash at its end.

    A redirect to the other spelling would name the scheme and the host that the proxy used, not the browser.
    Event streams need a path of their own: a client that accepts both media types would get the wrong one.
    """
    return [
        route
        for end in ("", "/")
        for route in (
            Route(PATH + end, http),
            WebSocketRoute(PATH + end, sockets),
            Route(f"{PATH}/stream{end}", streams),
        )
    ]
