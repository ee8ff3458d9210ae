"""Stores for Strands agents (https://strandsagents.com): a session repository and a storage of bytes."""

from colloquy.extras import extra

with extra("strands"):
    import strands  # noqa: F401 - its absence must name the extra

from colloquy.strands.repository import ColloquySessionRepository
from colloquy.strands.storage import ColloquyStorage

__all__ = ["ColloquySessionRepository", "ColloquyStorage"]
