"""Arguments as Strawberry converts them, of what graphql-core has coerced; how is decided once, not once a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any

from strawberry import Some
from strawberry.relay import GlobalID
from strawberry.schema.compat import is_scalar
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

Convert = Callable[[Any], Any]


class Unknown(Exception):
    """A type whose values are Strawberry's own to convert."""


class Inputs:
    """How values of each type are converted; None: they are taken as they are."""

    def __init__(self, converter: Any) -> None:
        self.registry, self.names = converter.scalar_registry, converter.config.name_converter
        self.objects: dict[Any, Convert] = {}

    def arguments(self, arguments: list[StrawberryArgument]) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """What `convert_arguments` does with coerced values; None if that has to be asked."""
        try:
            table = [(self.names.from_argument(one), one.python_name, self.of(one.type)) for one in arguments]
        except Unknown:
            return None
        return lambda values: converted(values, table, {})

    def of(self, type_: Any) -> Convert | None:
        if isinstance(type_, StrawberryMaybe):
            return self.maybe(type_)
        if isinstance(type_, StrawberryOptional):
            return self.of(type_.of_type)
        if isinstance(type_, StrawberryList):
            return listed(self.of(type_.of_type))
        if type_ is GlobalID:
            raise Unknown
        if isinstance(type_, StrawberryEnumDefinition) or is_scalar(type_, self.registry):
            return None
        if isinstance(type_, LazyType):
            return self.of(type_.resolve_type())
        return None if has_enum_definition(type_) else self.object(type_)

    def maybe(self, type_: StrawberryMaybe) -> Convert:
        if not isinstance(type_.of_type, StrawberryOptional):
            raise Unknown  # refuses null in its own words
        convert = self.of(type_.of_type)
        return Some if convert is None else lambda value: Some(convert(value))

    def object(self, type_: Any) -> Convert:
        if type_ in self.objects:
            return self.objects[type_]
        definition = type_.__strawberry_definition__ if has_object_definition(type_) else None
        if definition is None or definition.from_input is not None or not definition.is_input:
            raise Unknown
        table: list[tuple[str, str, Convert | None]] = []
        unset = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }

        def make(value: Any) -> Any:
            return value if value is None or value is UNSET else type_(**converted(value, table, unset))

        self.objects[type_] = make  # before its fields: one of them may lead back here
        for field in definition.fields:
            convert = self.of(field.resolve_type(type_definition=definition))
            table.append((self.names.from_field(field), field.python_name, convert))
        return make


def converted(
    values: dict[str, Any], table: list[tuple[str, str, Convert | None]], unset: dict[str, None]
) -> dict[str, Any]:
    """The values there are, by Python's names, beside those that are not."""
    found: dict[str, Any] = unset.copy()
    for name, parameter, convert in table:
        if name in values:
            found[parameter] = values[name] if convert is None else convert(values[name])
    return found


def listed(convert: Convert | None) -> Convert:
    """A new list each time: graphql-core hands out the same default again and again."""

    def make(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        return list(value) if convert is None else [convert(item) for item in value]

    return make
