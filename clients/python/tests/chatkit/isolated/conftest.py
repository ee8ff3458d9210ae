import pytest
from chatkit_stores import new_owner


@pytest.fixture
def owner() -> str:
    return new_owner()
