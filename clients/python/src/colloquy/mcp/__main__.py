"""The command `colloquy-mcp`."""

import argparse
import asyncio
import os
import sys
from typing import Any

from colloquy.async_client import AsyncClient
from colloquy.errors import ColloquyError

VARIABLES = ("COLLOQUY_URL", "COLLOQUY_TOKEN")
OAUTH = ("resource", "issuer", "jwks_url")


def main(arguments: list[str] | None = None) -> None:
    """Serves Colloquy's tools over MCP: on stdio, or as streamable HTTP at /mcp."""
    parser = _parser()
    options = parser.parse_args(arguments)
    oauth = {name: value for name in OAUTH if (value := getattr(options, name)) is not None}
    if oauth and (len(oauth) < len(OAUTH) or not options.http):
        parser.error("--resource, --issuer and --jwks-url go together, and with --http")
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing:
        sys.exit(f"{' and '.join(missing)} must be set: the server's address, and a bearer token for it.")
    try:
        asyncio.run(_serve((options.host, options.port) if options.http else None, oauth))
    except (ImportError, ColloquyError, ValueError) as error:
        sys.exit(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="colloquy-mcp", description=main.__doc__)
    parser.add_argument("--http", action="store_true", help="serve streamable HTTP instead of stdio")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    oauth = parser.add_argument_group(
        "OAuth",
        "With these, a request needs a token of the authorization server, and the tools act for the token's subject; "
        "COLLOQUY_TOKEN needs the scope chat:act. Without them every client acts for the owner of COLLOQUY_TOKEN.",
    )
    oauth.add_argument("--resource", help="the public URL of /mcp: the audience of the tokens")
    oauth.add_argument("--issuer", help="the authorization server, as tokens name it")
    oauth.add_argument("--jwks-url", help="the address of its keys")
    return parser


async def _serve(address: tuple[str, int] | None, oauth: dict[str, Any]) -> None:
    from colloquy.mcp.authorization import Authorization, subject  # these need the extra
    from colloquy.mcp.server import serve

    authorization = Authorization(**oauth) if oauth else None
    client = AsyncClient(*(os.environ[name] for name in VARIABLES), owner=subject if authorization else None)
    await serve(client, address, authorization)


if __name__ == "__main__":
    main()
