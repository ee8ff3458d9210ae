"""Executors that are wrong on purpose: proof that the comparisons can fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from graphql_compiled import plan, runtime


@contextmanager
def executor(how: str) -> Iterator[None]:
    """`nulls`: errors of required fields stay where they are. `alias`: an aliased field answers by its own name."""
    with {"nulls": without_propagation, "alias": without_aliases}[how]():
        yield


@contextmanager
def without_propagation() -> Iterator[None]:
    def failed(self: Any, slot: Any, path: Any, raw: Exception) -> None:
        keys = runtime.keys_of(path, slot.keys)
        self.note(runtime.located_error(raw, slot.field.nodes, keys), tuple(keys))

    nowhere = property(lambda _slot: 0)
    with patch.object(runtime.Run, "failed", failed), patch.object(plan.Slot, "climb", nowhere):
        yield


@contextmanager
def without_aliases() -> Iterator[None]:
    original = plan._Planner.slot

    def slot(self: Any, field: Any, parent: Any, key: Any, type_: Any) -> Any:
        return original(self, field, parent, key and field.field_name, type_)

    with patch.object(plan._Planner, "slot", slot):
        yield
