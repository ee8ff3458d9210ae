"""GraphiQL and the example sidebar, served entirely from this package: the browser loads nothing from other hosts.

All addresses in the pages are relative, so that a proxy may serve them under any prefix. `root` leads from the page to
the prefix: `./`, or `../` from a page whose own path ends with a slash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from textwrap import wrap
from typing import Any

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

HERE = Path(str(files(__package__)))
TOUR = HERE / "tour"
COMMENT_WIDTH = 46  # of the editor in a small window
ENDPOINT = "graphql"
HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{assets}/icon.svg">
<link rel="stylesheet" href="{assets}/style.css">
<script type="module" src="{assets}/{name}.js"></script>
<script type="application/json" id="config">{config}</script>
</head>
<body><div id="{name}"></div><noscript>This page needs JavaScript.</noscript></body>
</html>
"""


@dataclass(frozen=True)
class Build:
    """A built page in the directory of its name; `styles` is the `style-src` of its Content-Security-Policy."""

    name: str
    title: str
    styles: str

    @property
    def assets(self) -> Path:
        """The directory of the built files."""
        return HERE / self.name

    @cached_property
    def digest(self) -> str:
        """The hash of all files."""
        digest = hashlib.sha256()
        for path in sorted(self.assets.iterdir()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()[:12]

    @property
    def address(self) -> str:
        """The URL path of the files. It changes with each build, so browsers may cache them forever."""
        return f"/_web/{self.name}-{self.digest}"

    def page(self, root: str, config: dict[str, Any]) -> Response:
        """The HTML page; its script reads `config`."""
        assets = root + self.address.removeprefix("/")
        body = HTML.format(name=self.name, title=self.title, assets=assets, config=_embedded(config))
        return Response(body, headers=HEADERS | {"content-security-policy": f"{POLICY}; style-src {self.styles}"})


POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
GRAPHIQL = Build("graphiql", "Colloquy · GraphiQL", "'self' 'unsafe-inline'")  # Monaco adds styles at run time
SIDEBAR = Build("sidebar", "Colloquy", "'self'")


def sidebar_page(*, root: str, token: str | None) -> Response:
    """The example sidebar.

    Every visitor can read `token`: it is a development token or None, and then the page asks for one.
    """
    return SIDEBAR.page(root, {"endpoint": root + ENDPOINT, "token": token})


def graphiql_page(
    *,
    root: str,
    token: str | None,
    notice: str = "",
    session_id: str | None = None,
    after: str | None = None,
    with_sidebar: bool = False,
) -> Response:
    """GraphiQL.

    `token` fills the headers editor, and every visitor can read it: a development token or None. `notice` begins each
    tab, as a comment. `session_id` is a
    session of the token's owner and `after` its `eventCursor`: with them all four tabs run at once, otherwise after the
    first one has run. `with_sidebar` links to the sidebar.
    """
    return GRAPHIQL.page(
        root,
        {
            "endpoint": root + ENDPOINT,
            "subscriptionEndpoint": root + ENDPOINT,
            "headers": {"Authorization": f"Bearer {token or ''}"},
            "tabs": _tour(notice, session_id or "", after),
            "sidebar": root if with_sidebar else None,
            "edition": f"{GRAPHIQL.digest} {session_id or ''}",
        },
    )


def static_routes(*builds: Build) -> list[Mount]:
    """Routes of the built files."""
    return [Mount(build.address, _CachedForever(directory=build.assets)) for build in builds]


class _CachedForever(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def _tour(notice: str, session_id: str, after: str | None) -> list[dict[str, str]]:
    comment = "".join(f"# {line}\n" for line in wrap(notice, COMMENT_WIDTH)) + ("\n" if notice else "")
    message = {"role": "USER", "text": "Hello, what can you do?"}
    variables: dict[str, dict[str, Any]] = {
        "create": {"input": {"title": "My first conversation"}},
        "append": {"input": {"sessionId": session_id, "message": message}},
        "page": {"sessionId": session_id, "last": 10, "before": None},
        "subscribe": {"sessionId": session_id, "after": after},
    }
    return [
        {"query": comment + (TOUR / f"{name}.graphql").read_text("utf-8"), "variables": json.dumps(values, indent=2)}
        for name, values in variables.items()
    ]


def _embedded(value: Any) -> str:
    """JSON for a script element, in which `<` could end the element or open a comment (HTML, 4.12.1.3)."""
    return json.dumps(value).replace("<", "\\u003c")
