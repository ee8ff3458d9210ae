"""A plugin: the tests of one xdist group run in one process, also with a pytest that xdist does not know yet."""

import pytest
from _pytest.nodeid import NodeId


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Names each item as xdist wants it, with its group: xdist 3.8 sets `_nodeid`, which pytest 9.2 does not read."""
    for item in items:
        if name := vars(item).get("_nodeid"):
            item._id = NodeId.parse(name)
