"""Reads that wait for a database that is unavailable: a subscription outlives it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from app.errors import Unavailable
from app.structured_log import get_logger

log = get_logger("colloquy.live")
T = TypeVar("T")
RETRY_SECONDS = 1.0


async def when_available(read: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of `read`, which is repeated while it raises Unavailable."""
    while True:
        try:
            return await read()
        except Unavailable as error:
            log.warning("live.read_failed", error=repr(error.__cause__ or error))
        await asyncio.sleep(RETRY_SECONDS)
