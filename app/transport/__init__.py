"""GraphQL over HTTP, graphql-transport-ws and server-sent events: plain ASGI, written for this server."""

from graphql_compiled.engine import Engine
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.transport.http import HTTPEndpoint
from app.transport.limits import DocumentLimits, Limits
from app.transport.operations import Operations
from app.transport.sse import EventStreamEndpoint
from app.transport.websocket import WebSocketEndpoint

PATH = "/graphql"

__all__ = [
    "PATH",
    "DocumentLimits",
    "Engine",
    "EventStreamEndpoint",
    "HTTPEndpoint",
    "Limits",
    "Operations",
    "WebSocketEndpoint",
    "routes",
]


def routes(
    http: HTTPEndpoint, sockets: WebSocketEndpoint, streams: EventStreamEndpoint, *, path: str = PATH
) -> list[BaseRoute]:
    """Requests and sockets on one path, event streams below it: a client that takes either would get the wrong one."""
    return [Route(path, http), WebSocketRoute(path, sockets), Route(f"{path}/stream", streams)]
