"""A store for ChatKit servers (https://github.com/openai/chatkit-python)."""

from colloquy.extras import extra

with extra("chatkit"):
    from colloquy.chatkit.store import ColloquyStore

__all__ = ["ColloquyStore"]
