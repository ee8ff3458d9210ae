"""How a field gets its value: the cheapest call that does what `field_def.resolve` would do.

Strawberry wraps every resolver. Where its wrapper adds nothing that anyone could see (no extensions, no
permissions, no exception handlers), the generated code reads the attribute or calls the function itself.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from graphql import GraphQLField, default_field_resolver
from strawberry.relay import GlobalID
from strawberry.schema.compat import is_scalar
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver
from strawberry.types.info import Info

from graphql_compiled.input_conversion import Inputs
from graphql_compiled.plan import Field

STRAWBERRY = "strawberry-definition"
CONVERTER = "strawberry.schema.schema_converter"

Convert = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Access:
    """How to get at a field's value.

    `kind`: "event" (the source is the value), "attribute" (of the source, by `name`), "read" (by
    `function(source, name)`), "call" (Strawberry's own function) or "resolve" (graphql-core's protocol).
    """

    kind: str
    name: str = ""
    function: Callable[..., Any] | None = None
    source_as: str | None = None
    """Keyword for the source; empty: first argument; None: not passed."""
    info_as: str | None = None
    """Keyword for the info; empty: second argument; None: not passed."""
    context_only: bool = False
    """Of the info nothing but `context` is ever read."""
    info_class: Any = None
    convert: Convert | None = None
    quick: bool = False
    """Whether `convert` looks at the values only, never at the info."""
    plain: dict[str, str] | None = None
    """The parameters of arguments that need no conversion; None: graphql-core's protocol, none does."""


def access(field: Field, default: Callable[..., Any] | None) -> Access:
    definition = field.definition
    resolve = definition.resolve
    if resolve is None:
        return Access("resolve", function=default or default_field_resolver)
    if _is_from(resolve, "GraphQLCoreConverter.from_field.<locals>.<lambda>"):
        return Access("event")
    known = definition.extensions.get(STRAWBERRY)
    if isinstance(known, StrawberryField) and type(known).get_result is StrawberryField.get_result:
        return _strawberry_access(known, definition) or Access("resolve", function=resolve)
    return Access("resolve", function=resolve)


def _strawberry_access(field: StrawberryField, definition: GraphQLField) -> Access | None:
    resolve, place = definition.resolve, "GraphQLCoreConverter.from_resolver.<locals>."
    if _is_from(resolve, place + "_get_basic_result"):
        if _cells(resolve).get("field") is not field:
            return None
        if field.default_resolver is getattr:
            return Access("attribute", field.python_name)
        return Access("read", field.python_name, field.default_resolver)
    if not (_is_from(resolve, place + "_resolver") or _is_from(resolve, place + "_async_resolver")):
        return None
    cells = _cells(resolve)
    inner = _cells(cells.get("_strawberry_info_from_graphql"))
    if cells.get("field_exception_handlers", True) or inner.get("field") is not field or field.extensions:
        return None
    return _call(field, inner["self"])


def _call(field: StrawberryField, converter: Any) -> Access | None:
    resolver = field.base_resolver
    if type(resolver) is not StrawberryResolver or not callable(resolver.wrapped_func):
        return None
    named = resolver.parent_parameter or resolver.root_parameter
    if named and resolver.self_parameter:
        return None

    quick = Inputs(converter).arguments(field.arguments)

    def convert(values: dict[str, Any], info: Any) -> dict[str, Any]:
        if quick is not None:
            return quick(values)
        return convert_arguments(values, field.arguments, converter.scalar_registry, converter.config, info)

    return Access(
        "call",
        function=resolver.wrapped_func,
        source_as=named.name if named else "" if resolver.self_parameter else None,
        info_as=_info_as(resolver),
        context_only=converter.config.info_class.context is Info.context and _asks_for_context_only(resolver),
        info_class=converter.config.info_class,
        convert=convert,
        quick=quick is not None,
        plain={
            converter.config.name_converter.from_argument(argument): argument.python_name
            for argument in field.arguments
            if _is_plain(argument.type, converter)
        },
    )


def _info_as(resolver: StrawberryResolver[Any]) -> str | None:
    info = resolver.info_parameter
    if info is None:
        return None
    function: Any = resolver.wrapped_func
    plain = inspect.isfunction(function) and not hasattr(function, "__wrapped__")
    second = plain and resolver.self_parameter and function.__code__.co_varnames[1:2] == (info.name,)
    return "" if second and function.__code__.co_argcount > 1 else info.name


def _asks_for_context_only(resolver: StrawberryResolver[Any]) -> bool:
    function: Any = resolver.wrapped_func
    if resolver.info_parameter is None or not inspect.isfunction(function) or hasattr(function, "__wrapped__"):
        return False
    name = resolver.info_parameter.name
    steps = list(dis.get_instructions(function))
    return name not in function.__code__.co_cellvars and all(
        step.opname.startswith("LOAD_FAST")
        and step.argval == name
        and (after.opname, after.argval) == ("LOAD_ATTR", "context")
        for step, after in pairwise(steps)
        if step.argval == name or (isinstance(step.argval, tuple) and name in step.argval)
    )


def _is_plain(type_: Any, converter: Any) -> bool:
    """Whether Strawberry hands a value of this type on as graphql-core coerced it."""
    if type(type_) is StrawberryOptional:
        type_ = type_.of_type
    if type_ is GlobalID:
        return False
    return isinstance(type_, StrawberryEnumDefinition) or is_scalar(type_, converter.scalar_registry)


def _is_from(function: Any, qualified_name: str) -> bool:
    return inspect.isfunction(function) and function.__module__ == CONVERTER and function.__qualname__ == qualified_name


def _cells(function: Any) -> dict[str, Any]:
    if not inspect.isfunction(function):
        return {}
    cells = (cell.cell_contents for cell in function.__closure__ or ())
    return dict(zip(function.__code__.co_freevars, cells, strict=True))


def ignores_info(function: Any) -> bool:
    """Whether a plain function (source, info, …) never looks at its second parameter."""
    if inspect.ismethod(function):
        function, place = function.__func__, 2
    else:
        place = 1
    if not inspect.isfunction(function) or function.__code__.co_argcount <= place:
        return False
    name = function.__code__.co_varnames[place]
    return name not in function.__code__.co_cellvars and not any(
        step.argval == name for step in dis.get_instructions(function) if "FAST" in step.opname
    )
