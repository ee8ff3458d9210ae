"""Variable values, coerced without asking the schema each time what the types are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, is_leaf_type, is_non_null_type
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_input_value

from graphql_compiled.plan import Operation


class Variables:
    """The variables of one operation. Only those whose values are leaves have a quick way."""

    def __init__(self, operation: Operation) -> None:
        nodes = operation.node.variable_definitions or ()
        found = [get_variable_signature(operation.schema, node) for node in nodes]
        signatures = [one for one in found if not isinstance(one, GraphQLError)]
        self.signatures = signatures if len(signatures) == len(found) else None

    def quick(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Coerced values; None if one of them is missing, invalid or no leaf, and graphql-core shall see to it."""
        if self.signatures is None:
            return None
        values = VariableValues({}, {})
        for signature in self.signatures:
            value = given.get(signature.name, Undefined)
            type_ = signature.type.of_type if is_non_null_type(signature.type) else signature.type
            if value is Undefined or not is_leaf_type(type_):
                return None
            coerced = coerce_input_value(value, signature.type)
            if coerced is Undefined:
                return None
            values.sources[signature.name] = VariableValueSource(signature, value)
            values.coerced[signature.name] = coerced
        return values
