from collections.abc import Iterator
from uuid import uuid4

import pytest
from colloquy.strands import ColloquySessionRepository
from repositories import repository


@pytest.fixture
def owner() -> str:
    return f"strands-{uuid4().hex}"


@pytest.fixture
def own_repository(owner) -> Iterator[ColloquySessionRepository]:
    with repository(owner) as own:
        yield own
