"""A pytest plugin: langgraph's fixtures give the stores of a new owner in place of those in memory.

Only the tests that ask for one of these stores are run.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from own_stores import saver, store

STORES = {
    "sync_checkpointer": "memory",
    "async_checkpointer": "memory",
    "sync_store": "in_memory",
    "async_store": "in_memory",
}


@contextmanager
def new_checkpointer() -> Iterator:
    with saver() as own:
        yield own


@contextmanager
def new_store() -> Iterator:
    with store() as own:
        yield own


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    from tests import conftest  # of langgraph

    conftest._checkpointer_memory = new_checkpointer
    conftest._store_memory = new_store
    chosen = [item for item in items if _asks_for_ours(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def _asks_for_ours(item: pytest.Item) -> bool:
    params = item.callspec.params if hasattr(item, "callspec") else {}
    asked = {fixture: name for fixture, name in params.items() if fixture in STORES}
    return bool(asked) and all(STORES[fixture] == name for fixture, name in asked.items())
