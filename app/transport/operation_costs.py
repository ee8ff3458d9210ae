"""The cost of prepared operations, as `Limits.cost` counts it, with the page sizes that a request sends."""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from graphql import GraphQLSchema
from graphql_compiled.engine import PreparedOperation

from app.limits import MAX_PAGE_SIZE
from app.transport.limits import operation_cost, variable_sizes

MAX_KNOWN = 256
"""Costs kept of one operation, by the page sizes in its variables."""


class OperationCosts:
    """Measures an operation once for each combination of page sizes in its variables."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: WeakKeyDictionary[PreparedOperation, _Costs] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._known)

    def cost(self, prepared: PreparedOperation, variables: Mapping[str, Any]) -> int:
        """The cost with these raw variable values."""
        costs = self._known.get(prepared)
        if costs is None:
            costs = self._known[prepared] = _Costs(self._schema, prepared)
        return costs.cost(variables)


class _Costs:
    """The costs of one operation. Refers to its document only: the engine decides how long an operation is kept."""

    __slots__ = ("_by_sizes", "_definition", "_document", "_names", "_schema")

    def __init__(self, schema: GraphQLSchema, prepared: PreparedOperation) -> None:
        self._schema, self._document, self._definition = schema, prepared.document, prepared.definition
        names: set[str] = set()

        def record(name: str) -> int:
            names.add(name)
            return 1

        smallest = operation_cost(schema, self._document, self._definition, record)
        self._names = tuple(names)
        self._by_sizes = {(1,) * len(names): smallest}

    def cost(self, variables: Mapping[str, Any]) -> int:
        sizes = self._sizes(variables) if self._names else ()
        cost = self._by_sizes.get(sizes)
        if cost is None:
            by_name = dict(zip(self._names, sizes, strict=True))
            cost = operation_cost(self._schema, self._document, self._definition, by_name.__getitem__)
            if len(self._by_sizes) < MAX_KNOWN:
                self._by_sizes[sizes] = cost
        return cost

    def _sizes(self, variables: Mapping[str, Any]) -> tuple[int, ...]:
        size = variable_sizes(self._definition, variables)
        return tuple(max(1, min(MAX_PAGE_SIZE, size(name))) for name in self._names)
