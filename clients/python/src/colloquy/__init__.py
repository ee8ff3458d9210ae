"""Colloquy for Python programs: `Client` and `AsyncClient`; `colloquy.strands` and `colloquy.mcp` stand on them."""

from colloquy.async_client import AsyncClient
from colloquy.call import UNSET
from colloquy.client import Client
from colloquy.errors import ColloquyError

__all__ = ["UNSET", "AsyncClient", "Client", "ColloquyError"]
