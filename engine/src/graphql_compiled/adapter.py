"""What the compiler must know about the library that built a schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLOutputType, GraphQLSchema
from graphql.execution.execute import assume_not_awaitable
from graphql.pyutils import is_awaitable

from graphql_compiled.field_access import FieldAccess, ignores_info, resolver_access
from graphql_compiled.plan import CollectedField
from graphql_compiled.resolve_info import resolve_info
from graphql_compiled.scalars import LeafSerializer, leaf_serializer

EXTENSION_KEY = "graphql_compiled"
"""Where a schema's `extensions` hold its adapter."""


class SchemaAdapter:
    """Knowledge about the library that built a schema; this base class assumes graphql-core alone.

    An adapter makes code faster, never different: without it, everything goes through `resolve`.
    """

    awaitable_checks: tuple[Callable[..., Any], ...] = (is_awaitable, assume_not_awaitable)
    """The functions that, given as option `is_awaitable`, compiled code can stand in for."""

    def field_access(self, field: CollectedField, field_resolver: Callable[..., Any] | None) -> FieldAccess:
        """The cheapest call that does what `field.definition.resolve` does."""
        return resolver_access(field.definition.resolve, field_resolver)

    def leaf_serializer(self, type_: GraphQLOutputType) -> LeafSerializer:
        return leaf_serializer(type_)

    def type_check_info(self, type_: Any, function: Callable[..., Any] | None) -> Callable[..., Any] | None:
        """Makes the info for `is_type_of` or `resolve_type` from (state, node, path); None if it is never read."""
        return None if ignores_info(function) else resolve_info


GRAPHQL_CORE = SchemaAdapter()


def adapter_of(schema: GraphQLSchema) -> SchemaAdapter:
    """The adapter in the schema's `extensions`, or graphql-core's own."""
    adapter = schema.extensions.get(EXTENSION_KEY, GRAPHQL_CORE)
    assert isinstance(adapter, SchemaAdapter)
    return adapter
