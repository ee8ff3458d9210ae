"""CORS (Fetch standard §3.2): which responses the pages of other origins may read, and which requests they may send.

A browser sends no credential of its own accord: tokens are bearer tokens, and there are no cookies. So a page of an
allowed origin may send any header. Tools add theirs to every request (tracing, error reports, GraphQL clients), and a
list of them would never be complete.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.origins import Origins

Headers = list[tuple[bytes, bytes]]

EXPOSED = (
    b"access-control-expose-headers",
    b"X-Request-Id, Retry-After, WWW-Authenticate, RateLimit, RateLimit-Policy",
)
VARY = (b"vary", b"origin")
PREFLIGHT_HEADERS: Headers = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-max-age", b"7200"),
    (b"vary", b"access-control-request-headers"),
    VARY,
]
REFUSED = b"CORS_ORIGINS does not allow this origin.\n"
REFUSED_HEADERS: Headers = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"%d" % len(REFUSED)),
    VARY,
]


class CrossOrigin:
    """ASGI middleware: lets the pages of `origins` read the responses of `app`, and answers their preflights."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app, self._origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; a WebSocket passes, its endpoint checks the origin."""
        origin = _header(scope, b"origin") if scope["type"] == "http" else None
        if origin is None:
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and _header(scope, b"access-control-request-method") is not None:
            await self._answer_preflight(origin, _header(scope, b"access-control-request-headers"), send)
        else:
            allowed = self._allowed(origin)
            await self._app(scope, receive, _Sender(send, [*allowed, EXPOSED, VARY] if allowed else [VARY]))

    def _allowed(self, origin: bytes) -> Headers:
        if not self._origins.allow(origin.decode("latin-1")):
            return []
        return [(b"access-control-allow-origin", b"*" if self._origins.any else origin)]

    async def _answer_preflight(self, origin: bytes, requested: bytes | None, send: Send) -> None:
        if allowed := self._allowed(origin):
            headers = [(b"access-control-allow-headers", requested)] if requested else []
            await _respond(send, 204, [*allowed, *headers, *PREFLIGHT_HEADERS], b"")
        else:
            await _respond(send, 403, REFUSED_HEADERS, REFUSED)


class _Sender:
    """Sends with more headers."""

    __slots__ = ("_headers", "_send")

    def __init__(self, send: Send, headers: Headers) -> None:
        self._send, self._headers = send, headers

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *self._headers]}
        await self._send(message)


async def _respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for found, value in scope["headers"] if found == name), None)
