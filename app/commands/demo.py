"""`colloquy demo`: example conversations through the public API."""

import asyncio

from app import demo
from app.auth import mint
from app.commands import DAY_SECONDS, DEMO_OWNER, CommandError, load_settings
from app.settings import Settings


def fill(url: str) -> None:
    """Add the conversations to the server at `url`."""
    settings = load_settings()
    try:
        asyncio.run(fill_server(url, settings))
    except (demo.Unreachable, RuntimeError) as error:
        raise CommandError(f"The example conversations could not be sent to {url}: {error}") from None
    print("Three example conversations are there.")


async def fill_server(url: str, settings: Settings) -> None:
    """The same for a caller with a running loop."""
    await demo.fill(url, mint(settings, sub=DEMO_OWNER, ttl_seconds=DAY_SECONDS))
