import pytest
from adk_services import new_owner


@pytest.fixture
def owner() -> str:
    return new_owner()
