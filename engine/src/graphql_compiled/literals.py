"""Object literals with variables in them: what graphql-core's coercion makes of them, with only the gaps to fill in."""

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

Fill = Callable[[Mapping[str, Any]], Any]


class Unfit(Exception):
    """A literal, or variables for it, that graphql-core shall see to."""


def literal(node: ValueNode, type_: GraphQLInputType) -> Fill:
    """Makes the value from the variables; Undefined for one that is not set. Both this and that may raise `Unfit`."""
    required = is_non_null_type(type_)
    inner: Any = type_.of_type if is_non_null_type(type_) else type_
    if isinstance(node, VariableNode):
        return variable(node.name.value, required)
    if isinstance(node, ObjectValueNode) and is_input_object_type(inner):
        return fields(node, inner)
    if not (is_specified_scalar_type(inner) or is_enum_type(inner)):
        raise Unfit
    value = coerce_input_literal(node, type_)
    if value is Undefined:
        raise Unfit
    return lambda _variables: value


def variable(name: str, required: bool) -> Fill:
    def fill(variables: Mapping[str, Any]) -> Any:
        value = variables.get(name, Undefined)
        if required and (value is None or value is Undefined):
            raise Unfit
        return value

    return fill


def fields(node: ObjectValueNode, type_: GraphQLInputObjectType) -> Fill:
    nodes = {field.name.value: field.value for field in node.fields}
    if type_.is_one_of or "out_type" in vars(type_) or nodes.keys() - type_.fields.keys():
        raise Unfit
    parts: list[tuple[str, Fill]] = []
    for name, field in type_.fields.items():
        if has_default(field) or (name not in nodes and is_non_null_type(field.type)):
            raise Unfit
        if name in nodes:
            parts.append((field.out_name or name, literal(nodes[name], field.type)))

    def fill(variables: Mapping[str, Any]) -> dict[str, Any]:
        values = ((name, part(variables)) for name, part in parts)
        return {name: value for name, value in values if value is not Undefined}

    return fill


def has_default(field: GraphQLInputField) -> bool:
    return coerce_default_value(field) is not Undefined
