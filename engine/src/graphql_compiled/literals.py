"""Input literals that contain variables: coerced by graphql-core when compiled, completed with variables per run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    is_enum_type,
    is_input_object_type,
    is_non_null_type,
    is_specified_scalar_type,
)
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

ValueBuilder = Callable[[Mapping[str, Any]], Any]
"""Makes an argument's value from the coerced variables; Undefined if its variable is not provided."""


class NeedsCoercion(Exception):
    """graphql-core has to coerce the literal, for these variables or for any."""


def compile_literal(literal: ValueNode, type_: GraphQLInputType) -> ValueBuilder:
    """The builder of a literal's value. Both this function and the builder may raise NeedsCoercion."""
    non_null = is_non_null_type(type_)
    nullable: Any = type_.of_type if is_non_null_type(type_) else type_
    if isinstance(literal, VariableNode):
        return _variable(literal.name.value, non_null)
    if isinstance(literal, ObjectValueNode) and is_input_object_type(nullable):
        return _input_object(literal, nullable)
    if not (is_specified_scalar_type(nullable) or is_enum_type(nullable)):
        raise NeedsCoercion
    value = coerce_input_literal(literal, type_)
    if value is Undefined:
        raise NeedsCoercion
    return lambda _variables: value


def _variable(name: str, non_null: bool) -> ValueBuilder:
    def build(variables: Mapping[str, Any]) -> Any:
        value = variables.get(name, Undefined)
        if non_null and (value is None or value is Undefined):
            raise NeedsCoercion
        return value

    return build


def _input_object(literal: ObjectValueNode, type_: GraphQLInputObjectType) -> ValueBuilder:
    literals = {field.name.value: field.value for field in literal.fields}
    if type_.is_one_of or "out_type" in vars(type_) or literals.keys() - type_.fields.keys():
        raise NeedsCoercion
    builders: list[tuple[str, ValueBuilder]] = []
    for name, field in type_.fields.items():
        if _has_default(field) or (name not in literals and is_non_null_type(field.type)):
            raise NeedsCoercion
        if name in literals:
            builders.append((field.out_name or name, compile_literal(literals[name], field.type)))

    def build(variables: Mapping[str, Any]) -> dict[str, Any]:
        values = {}
        for name, builder in builders:
            value = builder(variables)
            if value is not Undefined:
                values[name] = value
        return values

    return build


def _has_default(field: GraphQLInputField) -> bool:
    return coerce_default_value(field) is not Undefined
