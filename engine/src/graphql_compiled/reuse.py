"""Response values that are used again: a resolver returns a value that finds and keeps what it was completed to."""

from __future__ import annotations

from typing import Any

from graphql_compiled.plan import PlanNode


class Reusable:
    """A resolved value whose response value may be known. graphql-core completes it as any other value.

    A subclass defines both methods. `node.serial` identifies the selection, and `node.selected_fields` are its fields.
    """

    __slots__ = ()

    def find_completed(self, node: PlanNode) -> Any:
        """The response value for this selection, or an awaitable of it. None: the value is completed."""
        raise NotImplementedError

    def keep_completed(self, node: PlanNode, completed: Any) -> None:
        """Gets what the value was completed to, once the whole operation has ended without an error."""
        raise NotImplementedError
