"""GraphQL over HTTP, graphql-transport-ws and server-sent events, as plain ASGI applications."""

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


def routes(http: HTTPEndpoint, sockets: WebSocketEndpoint, streams: EventStreamEndpoint) -> list[BaseRoute]:
    """HTTP and websockets at PATH, event streams at PATH/stream.

    Event streams need a path of their own: a client that accepts both media types would get the wrong one.
    """
    return [Route(PATH, http), WebSocketRoute(PATH, sockets), Route(f"{PATH}/stream", streams)]
