"""Variable coercion that looks up the variables' types once per operation, not once per request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, is_leaf_type, is_non_null_type
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import Undefined

from graphql_compiled.plan import Operation


class VariableCoercion:
    """Coerces the variables of one operation, if all of them are of leaf types."""

    def __init__(self, operation: Operation) -> None:
        nodes = operation.definition.variable_definitions or ()
        leaves = [_leaf(get_variable_signature(operation.schema, node)) for node in nodes]
        self.leaves = [leaf for leaf in leaves if leaf is not None] if None not in leaves else None
        """Each with its signature, its leaf type, and whether null is refused; None if one has no leaf type."""

    def coerce_leaves(self, raw_values: Mapping[str, Any]) -> VariableValues | None:
        """The coerced values; None if one is missing, invalid or not of a leaf type: graphql-core decides then."""
        if self.leaves is None:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for signature, leaf_type, non_null in self.leaves:
            name = signature.name
            value = raw_values.get(name, Undefined)
            if value is Undefined or (value is None and non_null):
                return None
            try:
                coerced[name] = None if value is None else leaf_type.coerce_input_value(value)
            except Exception:
                return None
            if coerced[name] is Undefined:
                return None
            sources[name] = VariableValueSource(signature, value)
        return VariableValues(sources, coerced)


def _leaf(signature: GraphQLVariableSignature | GraphQLError) -> tuple[GraphQLVariableSignature, Any, bool] | None:
    """What `coerce_leaves` needs of one variable; None if its type is none of the leaf types."""
    if isinstance(signature, GraphQLError):
        return None
    non_null = is_non_null_type(signature.type)
    type_: Any = signature.type.of_type if is_non_null_type(signature.type) else signature.type
    return (signature, type_, non_null) if is_leaf_type(type_) else None
