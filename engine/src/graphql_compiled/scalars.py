"""Leaf values: how generated code recognises the common case, and what serialises all others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
)
from graphql.execution import Executor
from strawberry.schema.schema_converter import CustomGraphQLEnumType

INT = "type({value}) is int and -2147483648 <= {value} <= 2147483647"
FLOAT = "type({value}) is float and -INFINITY < {value} < INFINITY"
BUILT_IN = {
    GraphQLString.name: (GraphQLString, "type({value}) is str"),
    GraphQLID.name: (GraphQLID, "type({value}) is str"),
    GraphQLBoolean.name: (GraphQLBoolean, "type({value}) is bool"),
    GraphQLInt.name: (GraphQLInt, INT),
    GraphQLFloat.name: (GraphQLFloat, FLOAT),
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """`test`: an expression under which a value is its own serialisation. Otherwise one of these serialises it:
    `table`, an enum's names by value, for values of exactly the types `keys`; or the scalar's own `function`."""

    test: str = ""
    table: dict[Any, str] = field(default_factory=dict)
    keys: tuple[type, ...] = ()
    function: Callable[[Any], Any] | None = None


def leaf(type_: GraphQLOutputType) -> Leaf:
    if isinstance(type_, GraphQLScalarType):
        built_in, test = BUILT_IN.get(type_.name, (None, ""))
        if built_in and built_in.coerce_output_value == type_.coerce_output_value:
            return Leaf(test)
    if type(type_) is GraphQLEnumType:
        table = {
            value: name
            for value, name in type_._value_lookup.items()
            if type(value) in (str, int) or isinstance(value, Enum)
        }
        return Leaf(table=table, keys=tuple({type(value) for value in table}) or (str,))
    if type(type_) is CustomGraphQLEnumType:
        return _strawberry_enum(type_)
    return Leaf(function=type_.coerce_output_value)  # type: ignore[union-attr]


def _strawberry_enum(type_: CustomGraphQLEnumType) -> Leaf:
    table = {value: name for value, name in type_._value_lookup.items() if type(value) is str}
    members: list[Any] = list(type_.wrapped_cls)
    for member in members:
        try:
            table[member] = type_.coerce_output_value(member)
        except Exception:  # noqa: S112  (a member the schema does not show: refused when it is met)
            continue
    return Leaf(table=table, keys=(str, type_.wrapped_cls))


def serialiser(type_: Any) -> Callable[[Any, Any, Any], Any]:
    """Serialises any value as graphql-core does, with its words for what cannot be."""

    def serialise(_run: Any, value: Any, _path: Any) -> Any:
        return Executor.complete_leaf_value(type_, value)

    return serialise
