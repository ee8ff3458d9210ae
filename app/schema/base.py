"""What types of several nouns share: `Node`, enums with descriptions, types whose sources are rows."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from app.context import Context
from app.schema.descriptions import NODE_ID

Info = strawberry.Info[Context, None]
E = TypeVar("E", bound=type[StrEnum])


@strawberry.interface(description="An object with a globally unique id.")
class Node:
    @strawberry.field(description=NODE_ID)
    def id(self) -> strawberry.ID:
        raise NotImplementedError


def rows_of(*classes: type) -> Callable[[Any, Any], bool]:
    """An `is_type_of` for a type whose sources are rows; compiled operations skip it for exactly these classes."""

    def is_type_of(row: Any, _info: Any) -> bool:
        return isinstance(row, classes)

    is_type_of.accepts = frozenset(classes)  # type: ignore[attr-defined]
    return is_type_of


def enum(description: str, **values: str) -> Callable[[E], E]:
    """Adds a StrEnum to the schema, with a description of the enum and of each value."""

    def describe(cls: E) -> E:
        strawberry.enum(cls, description=description)
        definition: StrawberryEnumDefinition = cls.__strawberry_definition__  # type: ignore[attr-defined]
        for value in definition.values:
            value.description = values[value.name]
        return cls

    return describe


@enum(
    "The direction of an order.",
    ASC="Ascending: the smallest or oldest first.",
    DESC="Descending: the largest or newest first.",
)
class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"
