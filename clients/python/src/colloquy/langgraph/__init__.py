"""Stores for LangGraph (https://langchain-ai.github.io/langgraph/): a checkpointer and a long-term memory."""

from colloquy.extras import extra

with extra("langgraph"):
    import langgraph.checkpoint.base  # noqa: F401 - its absence must name the extra

from colloquy.langgraph.saver import ColloquySaver
from colloquy.langgraph.store import ColloquyStore

__all__ = ["ColloquySaver", "ColloquyStore"]
