"""Leaf values: how generated code recognises the common case, and the function that serializes every other value."""

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

INT_TEST = "type({value}) is int and -2147483648 <= {value} <= 2147483647"
FLOAT_TEST = "type({value}) is float and -INFINITY < {value} < INFINITY"
BUILT_IN = {
    GraphQLString.name: (GraphQLString, "type({value}) is str"),
    GraphQLID.name: (GraphQLID, "type({value}) is str"),
    GraphQLBoolean.name: (GraphQLBoolean, "type({value}) is bool"),
    GraphQLInt.name: (GraphQLInt, INT_TEST),
    GraphQLFloat.name: (GraphQLFloat, FLOAT_TEST),
}


@dataclass(frozen=True, slots=True)
class LeafSerializer:
    """The fast path of one leaf type, in one of three forms.

    `identity_test`: an expression that is true for values that serialize to themselves. `names`: the name of each enum
    value, for values of exactly the types `value_types`. `function`: the scalar's own serializer, which returns values
    of exactly the types `unchanged` as they are.
    """

    identity_test: str = ""
    names: dict[Any, str] = field(default_factory=dict)
    value_types: tuple[type, ...] = ()
    function: Callable[[Any], Any] | None = None
    unchanged: frozenset[type] = frozenset()


def leaf_serializer(type_: GraphQLOutputType) -> LeafSerializer:
    if isinstance(type_, GraphQLScalarType):
        built_in, test = BUILT_IN.get(type_.name, (None, ""))
        if built_in and built_in.coerce_output_value == type_.coerce_output_value:
            return LeafSerializer(test)
    if type(type_) is GraphQLEnumType:
        names = {
            value: name
            for value, name in type_._value_lookup.items()
            if type(value) in (str, int) or isinstance(value, Enum)
        }
        return LeafSerializer(names=names, value_types=tuple({type(value) for value in names}) or (str,))
    function = type_.coerce_output_value  # type: ignore[union-attr]
    return LeafSerializer(function=function, unchanged=frozenset(getattr(function, "unchanged", ())))


def leaf_completer(type_: Any) -> Callable[[Any, Any, Any], Any]:
    """Serializes any value as graphql-core does, with the same error messages."""

    def complete(_state: Any, value: Any, _path: Any) -> Any:
        return Executor.complete_leaf_value(type_, value)

    return complete
