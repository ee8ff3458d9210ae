"""The Python client of Colloquy: `Client` for threads and `AsyncClient` for asyncio.

`colloquy.errors` has the exceptions, `colloquy.results` the types of results, `colloquy.live` the events.
`colloquy.strands` and `colloquy.mcp` need the extras of the same names.
"""

import logging

from colloquy.async_client import AsyncClient
from colloquy.client import Client
from colloquy.errors import ColloquyError
from colloquy.operation import UNSET

__all__ = ["UNSET", "AsyncClient", "Client", "ColloquyError"]

# Without a handler of the application, Python would print warnings of this library to stderr.
logging.getLogger(__name__).addHandler(logging.NullHandler())
