import pytest
from data_layers import new_owner


@pytest.fixture
def owner() -> str:
    return new_owner()
