"""Argument values of one field: constant when compiled where possible, otherwise completed with variables per run."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLArgument,
    VariableNode,
    get_named_type,
    is_enum_type,
    is_list_type,
    is_non_null_type,
    is_specified_scalar_type,
)
from graphql.execution.values import VariableValues, coerce_argument, get_argument_values
from graphql.pyutils import Undefined

from graphql_compiled.field_access import FieldAccess
from graphql_compiled.literals import NeedsCoercion, ValueBuilder, compile_literal
from graphql_compiled.plan import CollectedField

IMMUTABLE = frozenset({str, int, float, bool, type(None), UUID, datetime, date, time, timedelta, Decimal, bytes})
NO_VARIABLES = VariableValues({}, {})


class FieldArguments:
    """The keyword arguments of one field, sorted by how they come about.

    `constants` is None if only graphql-core can coerce the arguments, at every call. `variables` holds (keyword,
    variable name, whether null is refused); `builders` make values that calls must not share.
    """

    def __init__(self, field: CollectedField, access: FieldAccess) -> None:
        self.definition = field.definition
        self.field_node = field.details[0].node
        self.access = access
        self.constants: dict[str, Any] | None = None
        self.variables: list[tuple[str, str, bool]] = []
        self.builders: dict[str, ValueBuilder] = {}
        try:
            constants = self._classify()
        except Exception:
            return  # `coerce` raises the error again, where the field's path is available
        if constants is not None and shareable(constants):
            self.constants = constants

    def _classify(self) -> dict[str, Any] | None:
        nodes = {argument.name.value: argument for argument in self.field_node.arguments or ()}
        values: dict[str, Any] = {}
        for name, definition in self.definition.args.items():
            node = nodes.get(name)
            if node is not None and isinstance(node.value, VariableNode):
                if not self._add_variable(name, definition, node.value.name.value):
                    return None
                continue
            if node is not None and self.access.convert_ignores_info and not _is_constant(definition):
                self.builders[definition.out_name or name] = compile_literal(node.value, definition.type)
                continue
            found: dict[str, Any] = {}
            coerce_argument(found, self.field_node, name, definition, node, NO_VARIABLES, None)
            if not found or _is_constant(definition) or (node is None and None in found.values()):
                values |= found
            elif node is None and self.access.convert_ignores_info:
                self.builders |= {key: partial(_constant, value) for key, value in found.items()}
            else:
                return None
        return self.access.convert(values, None) if self.access.convert else values

    def _add_variable(self, name: str, definition: GraphQLArgument, variable: str) -> bool:
        passthrough = self.access.passthrough
        keyword = (definition.out_name or name) if passthrough is None else passthrough.get(name)
        type_ = definition.type.of_type if is_non_null_type(definition.type) else definition.type
        if keyword is None or is_list_type(type_):
            return False
        self.variables.append((keyword, variable, is_non_null_type(definition.type)))
        return True

    @property
    def constant_values(self) -> dict[str, Any] | None:
        """The keyword arguments, if no variable changes them."""
        return None if self.variables or self.builders else self.constants

    def bind(self, variable_values: VariableValues) -> dict[str, Any] | None:
        """The keyword arguments; None if graphql-core has to coerce them, as for a null where none is allowed."""
        if self.constants is None:
            return None
        values = self.constants.copy()
        coerced = variable_values.coerced
        for keyword, variable, non_null in self.variables:
            value = coerced.get(variable, Undefined)
            if value is Undefined or (non_null and value is None):
                return None
            values[keyword] = value
        if self.builders and self.access.convert:
            built = {}
            try:
                for name, builder in self.builders.items():
                    built[name] = builder(coerced)
            except NeedsCoercion:
                return None
            values |= self.access.convert(built, None)
        return values

    def coerce(self, variable_values: VariableValues, info: Any, *, hide_suggestions: bool) -> dict[str, Any]:
        """The keyword arguments as graphql-core coerces them. Raises its errors."""
        values = get_argument_values(self.definition, self.field_node, variable_values, None, hide_suggestions)
        return self.access.convert(values, info) if self.access.convert else values


def _constant(value: Any, _variables: Any) -> Any:
    return value


def _is_constant(definition: GraphQLArgument) -> bool:
    """True if a literal means the same each time: none of the schema's own code parses it."""
    type_ = get_named_type(definition.type)
    return is_specified_scalar_type(type_) or is_enum_type(type_)


def shareable(values: dict[str, Any]) -> bool:
    """True if several calls may receive the same values, because none of them can be changed."""
    return all(type(value) in IMMUTABLE or isinstance(value, Enum) for value in values.values())
