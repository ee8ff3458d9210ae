"""Pages for people: GraphiQL, served whole from this package, so that it works without any network."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "font-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""What every page goes out with. Only styles are loose: Monaco writes its own while it runs."""

ASSETS = Path(str(files(__package__))) / "graphiql"
TOUR = Path(str(files(__package__))) / "tour"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Colloquy · GraphiQL</title>
<link rel="icon" href="{assets}/icon.svg">
<link rel="stylesheet" href="{assets}/style.css">
<script type="module" src="{assets}/graphiql.js"></script>
<script type="application/json" id="config">{config}</script>
</head>
<body><div id="graphiql"></div><noscript>GraphiQL needs JavaScript.</noscript></body>
</html>
"""


def graphiql_page(
    *,
    endpoint: str,
    subscription_endpoint: str,
    token: str | None,
    session_id: str | None = None,
    after: str | None = None,
) -> bytes:
    """The page, to be sent with `PAGE_HEADERS`.

    The endpoints are paths on this origin. `token` fills the headers editor and is readable by whoever gets
    the page: a development token or None. `session_id` is a session of that token's owner and `after` its
    `eventCursor`; with them all four tabs run as they are, without them once the first one has run.
    """
    config = {
        "endpoint": endpoint,
        "subscriptionEndpoint": subscription_endpoint,
        "headers": {"Authorization": f"Bearer {token or ''}"},
        "tabs": _tour(session_id or "", after),
        "edition": f"{_digest()} {session_id or ''}",
    }
    return PAGE.format(assets=_address(), config=_embedded(config)).encode()


def static_routes() -> list[Mount]:
    """The built assets. Their address holds a digest of the build, so a browser may keep them for ever."""
    return [Mount(_address(), _Forever(directory=ASSETS))]


class _Forever(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def _tour(session_id: str, after: str | None) -> list[dict[str, str]]:
    said = {"role": "USER", "text": "Hello, what can you do?"}
    variables: dict[str, dict[str, Any]] = {
        "create": {"input": {"title": "My first conversation"}},
        "append": {"input": {"sessionId": session_id, "message": said}},
        "page": {"sessionId": session_id, "last": 10, "before": None},
        "subscribe": {"sessionId": session_id, "after": after},
    }
    return [
        {"query": (TOUR / f"{name}.graphql").read_text("utf-8"), "variables": json.dumps(values, indent=2)}
        for name, values in variables.items()
    ]


def _embedded(value: Any) -> str:
    """JSON inside a script element, where `<` could end the element or open a comment (HTML, 4.12.1.3)."""
    return json.dumps(value).replace("<", "\\u003c")


@cache
def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(ASSETS.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _address() -> str:
    return f"/_web/graphiql-{_digest()}"
