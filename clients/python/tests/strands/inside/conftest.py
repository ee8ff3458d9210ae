from collections.abc import Iterator
from uuid import uuid4

import pytest
from colloquy.strands import ColloquySessionRepository
from owners import repository


@pytest.fixture
def owner() -> str:
    return f"strands-{uuid4().hex}"


@pytest.fixture
def mine(owner) -> Iterator[ColloquySessionRepository]:
    with repository(owner) as open_one:
        yield open_one
