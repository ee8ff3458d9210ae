import pytest
from conversation_stores import new_owner


@pytest.fixture
def owner() -> str:
    return new_owner()
