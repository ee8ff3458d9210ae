"""Executors that are wrong on purpose: proof that the comparisons can fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from graphql import located_error
from graphql_compiled import plan, runtime
from graphql_compiled.response_path import response_path


@contextmanager
def broken(defect: str) -> Iterator[None]:
    """`nulls`: a null never propagates. `alias`: an aliased field has its own name as response key."""
    with {"nulls": without_propagation, "alias": without_aliases}[defect]():
        yield


@contextmanager
def without_propagation() -> Iterator[None]:
    def handle_field_error(self: Any, node: Any, path: Any, raw_error: Exception) -> None:
        keys = response_path(path, node.keys)
        self.add_error(located_error(raw_error, node.field.nodes, keys), tuple(keys))

    zero = property(lambda _node: 0)
    with (
        patch.object(runtime.ExecutionState, "handle_field_error", handle_field_error),
        patch.object(plan.PlanNode, "propagation_depth", zero),
    ):
        yield


@contextmanager
def without_aliases() -> Iterator[None]:
    original = plan._PlanBuilder.node

    def node(self: Any, field: Any, parent: Any, key: Any, type_: Any) -> Any:
        return original(self, field, parent, key and field.field_name, type_)

    with patch.object(plan._PlanBuilder, "node", node):
        yield
