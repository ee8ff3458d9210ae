import pytest
from own_sessions import new_owner


@pytest.fixture
def owner() -> str:
    return new_owner()
