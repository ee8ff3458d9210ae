"""How generated code obtains a field's value."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from graphql import default_field_resolver

AccessKind = Literal["source", "attribute", "getter", "call", "resolve"]
Convert = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class FieldAccess:
    """The cheapest way to a field's value.

    `kind` is "source" (the source is the value), "attribute" (`source.name`), "getter" (`function(source, name)`),
    "call" (`function` with the parameters below) or "resolve" (graphql-core's protocol: source, ResolveInfo and
    arguments). Only "resolve" is slow.
    """

    kind: AccessKind
    name: str = ""
    function: Callable[..., Any] | None = None
    source_parameter: str | None = None
    """Keyword of the source; empty: the first positional argument; None: not passed."""
    info_parameter: str | None = None
    """Keyword of the info object; empty: the second positional argument; None: not passed."""
    reads_only_context: bool = False
    """The function reads nothing but `context` of the info object."""
    make_info: Callable[..., Any] | None = None
    """Makes the info object from (state, node, path)."""
    convert: Convert | None = None
    """Turns coerced argument values by name into keyword arguments; the second parameter is the info object."""
    convert_ignores_info: bool = False
    passthrough: dict[str, str] | None = None
    """Keywords of the arguments whose values need no conversion; None: no argument needs any."""


def resolver_access(resolve: Callable[..., Any] | None, field_resolver: Callable[..., Any] | None) -> FieldAccess:
    """The access that graphql-core itself uses."""
    return FieldAccess("resolve", function=resolve or field_resolver or default_field_resolver)


def ignores_info(function: Any) -> bool:
    """True if a Python function (source, info, …) never reads its second parameter."""
    if inspect.ismethod(function):
        function, position = function.__func__, 2
    else:
        position = 1
    if not inspect.isfunction(function) or function.__code__.co_argcount <= position:
        return False
    name = function.__code__.co_varnames[position]
    return name not in function.__code__.co_cellvars and not any(
        instruction.argval == name for instruction in dis.get_instructions(function) if "FAST" in instruction.opname
    )
