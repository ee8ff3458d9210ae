"""A pytest plugin: `InMemoryStore` is the store of a new owner."""

from colloquy.langgraph import ColloquyStore
from langgraph.store import memory
from own_stores import URL, new_owner, token


class NewStore(ColloquyStore):
    def __init__(self) -> None:
        super().__init__(URL, token(new_owner()))


memory.InMemoryStore = NewStore
