"""A conversation store for pydantic-ai (https://ai.pydantic.dev/)."""

from colloquy.extras import extra

with extra("pydantic-ai"):
    from colloquy.pydantic_ai.store import ColloquyConversationStore

__all__ = ["ColloquyConversationStore"]
