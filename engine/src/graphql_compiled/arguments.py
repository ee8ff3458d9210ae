"""A field's arguments, coerced by graphql-core and converted by Strawberry, as seldom as can be."""

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

from graphql_compiled.field_access import Access
from graphql_compiled.literals import Fill, Unfit, literal
from graphql_compiled.plan import Field

IMMUTABLE = frozenset({str, int, float, bool, type(None), UUID, datetime, date, time, timedelta, Decimal, bytes})
NOTHING = VariableValues({}, {})


class Arguments:
    """`constants`, `made` anew each time, and `passed` (parameter, variable, whether null is refused).

    Where that is not all there is to it, whatever graphql-core and Strawberry make of the nodes, for every call.
    """

    def __init__(self, field: Field, how: Access) -> None:
        self.definition = field.definition
        self.node = field.details[0].node
        self.how = how
        self.constants: dict[str, Any] | None = None
        self.passed: list[tuple[str, str, bool]] = []
        self.made: dict[str, Fill] = {}
        try:
            constants = self.sort()
        except Exception:
            return  # refused again, with its path, whenever the field is reached
        if constants is not None and shareable(constants):
            self.constants = constants

    def sort(self) -> dict[str, Any] | None:
        nodes = {argument.name.value: argument for argument in self.node.arguments or ()}
        values: dict[str, Any] = {}
        for name, definition in self.definition.args.items():
            node = nodes.get(name)
            if node is not None and isinstance(node.value, VariableNode):
                if not self.pass_on(name, definition, node.value.name.value):
                    return None
                continue
            if node is not None and self.how.quick and not is_constant(definition):
                self.made[definition.out_name or name] = literal(node.value, definition.type)
                continue
            found: dict[str, Any] = {}
            coerce_argument(found, self.node, name, definition, node, NOTHING, None)
            if not found or is_constant(definition) or (node is None and None in found.values()):
                values |= found
            elif node is None and self.how.quick:
                self.made |= {key: partial(same, value) for key, value in found.items()}
            else:
                return None
        return self.how.convert(values, None) if self.how.convert else values

    def pass_on(self, name: str, definition: GraphQLArgument, variable: str) -> bool:
        plain = self.how.plain
        parameter = (definition.out_name or name) if plain is None else plain.get(name)
        type_ = definition.type.of_type if is_non_null_type(definition.type) else definition.type
        if parameter is None or is_list_type(type_):
            return False
        self.passed.append((parameter, variable, is_non_null_type(definition.type)))
        return True

    @property
    def fixed(self) -> dict[str, Any] | None:
        return None if self.passed or self.made else self.constants

    def quick(self, variables: VariableValues) -> dict[str, Any] | None:
        """The arguments, unless a variable is missing or null where it must not be."""
        if self.constants is None:
            return None
        values = self.constants.copy()
        coerced = variables.coerced
        for parameter, variable, required in self.passed:
            value = coerced.get(variable, Undefined)
            if value is Undefined or (required and value is None):
                return None
            values[parameter] = value
        if self.made and self.how.convert:
            try:
                made = {name: fill(coerced) for name, fill in self.made.items()}
            except Unfit:
                return None
            values |= self.how.convert(made, None)
        return values

    def slow(self, variables: VariableValues, info: Any, *, hide_suggestions: bool) -> dict[str, Any]:
        values = get_argument_values(self.definition, self.node, variables, None, hide_suggestions)
        return self.how.convert(values, info) if self.how.convert else values


def same(value: Any, _variables: Any) -> Any:
    return value


def is_constant(definition: GraphQLArgument) -> bool:
    """Whether a literal for it means the same each time: no code of the schema's own parses it."""
    type_ = get_named_type(definition.type)
    return is_specified_scalar_type(type_) or is_enum_type(type_)


def shareable(values: dict[str, Any]) -> bool:
    return all(type(value) in IMMUTABLE or isinstance(value, Enum) for value in values.values())
