"""Variable coercion that looks up the variables' types once per operation, not once per request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, is_leaf_type, is_non_null_type
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_input_value

from graphql_compiled.plan import Operation


class VariableCoercion:
    """Coerces the variables of one operation, if all of them are of leaf types."""

    def __init__(self, operation: Operation) -> None:
        nodes = operation.definition.variable_definitions or ()
        found = [get_variable_signature(operation.schema, node) for node in nodes]
        signatures = [signature for signature in found if not isinstance(signature, GraphQLError)]
        self.signatures = signatures if len(signatures) == len(found) else None

    def coerce_leaves(self, raw_values: Mapping[str, Any]) -> VariableValues | None:
        """The coerced values; None if one is missing, invalid or not of a leaf type: graphql-core decides then."""
        if self.signatures is None:
            return None
        values = VariableValues({}, {})
        for signature in self.signatures:
            value = raw_values.get(signature.name, Undefined)
            type_ = signature.type.of_type if is_non_null_type(signature.type) else signature.type
            if value is Undefined or not is_leaf_type(type_):
                return None
            coerced = coerce_input_value(value, signature.type)
            if coerced is Undefined:
                return None
            values.sources[signature.name] = VariableValueSource(signature, value)
            values.coerced[signature.name] = coerced
        return values
