from collections.abc import Iterator

import pytest
from colloquy.langgraph import ColloquySaver, ColloquyStore
from own_stores import new_owner, saver, store


@pytest.fixture
def owner() -> str:
    return new_owner()


@pytest.fixture
def own_saver(owner) -> Iterator[ColloquySaver]:
    with saver(owner) as own:
        yield own


@pytest.fixture
def own_store(owner) -> Iterator[ColloquyStore]:
    with store(owner) as own:
        yield own
