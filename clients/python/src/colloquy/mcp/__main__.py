"""The command `colloquy-mcp`."""

import argparse
import asyncio
import os
import sys

from colloquy.async_client import AsyncClient
from colloquy.errors import ColloquyError

VARIABLES = ("COLLOQUY_URL", "COLLOQUY_TOKEN")


def main(arguments: list[str] | None = None) -> None:
    """Serves Colloquy's tools over MCP: on stdio, or as streamable HTTP at /mcp."""
    parser = argparse.ArgumentParser(prog="colloquy-mcp", description=main.__doc__)
    parser.add_argument("--http", action="store_true", help="serve streamable HTTP instead of stdio")
    parser.add_argument("--host", default="127.0.0.1", help="every client of this address acts for the token's owner")
    parser.add_argument("--port", type=int, default=8001)
    options = parser.parse_args(arguments)
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing:
        sys.exit(f"{' and '.join(missing)} must be set: the server's address, and a bearer token for it.")
    try:
        from colloquy.mcp.server import serve  # needs the extra

        client = AsyncClient(*(os.environ[name] for name in VARIABLES))
    except (ImportError, ColloquyError) as error:
        sys.exit(str(error))
    asyncio.run(serve(client, (options.host, options.port) if options.http else None))


if __name__ == "__main__":
    main()
