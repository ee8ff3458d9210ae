"""GraphQL over HTTP and over graphql-transport-ws: plain ASGI, written for this server."""

from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.execution.engine import Engine
from app.transport.http import HTTPEndpoint
from app.transport.limits import DocumentLimits, Limits
from app.transport.operation import Operations
from app.transport.websocket import WebSocketEndpoint

__all__ = [
    "DocumentLimits",
    "Engine",
    "HTTPEndpoint",
    "Limits",
    "Operations",
    "WebSocketEndpoint",
    "routes",
]


def routes(http: HTTPEndpoint, sockets: WebSocketEndpoint, *, path: str = "/graphql") -> list[BaseRoute]:
    """Both endpoints on one path."""
    return [Route(path, http), WebSocketRoute(path, sockets)]
