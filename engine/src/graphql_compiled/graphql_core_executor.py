"""graphql-core's `execute`, `execute_sync` and `subscribe`: same parameters, compiled where possible.

For tests and tools; a server keeps its `Compiled` operations itself. A document must not be changed after
its first execution.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import graphql.execution as graphql_core
from graphql import DocumentNode, ExecutionResult, GraphQLSchema
from graphql.execution.execute import assume_not_async_iterable, assume_not_awaitable
from graphql.pyutils import is_awaitable
from graphql.pyutils.is_awaitable import is_async_iterable
from strawberry.execution import optimized_is_awaitable

from graphql_compiled.compiled import Compiled, Events, Result, compile_operation, outcomes

MAX_KNOWN = 256
"""Operations the drop-ins remember."""

ORDINARY = {
    "is_awaitable": (is_awaitable, optimized_is_awaitable, assume_not_awaitable),
    "is_async_iterable": (is_async_iterable, assume_not_async_iterable),
    "check_sync": (True, False),
}
OPTIONS = (*ORDINARY, "middleware", "executor_class", "abort_signal", "hooks")
"""Options that compiled code does not know, but for their ordinary values."""

_execute = graphql_core.execute
_execute_sync = graphql_core.execute_sync
_subscribe = graphql_core.subscribe
_known: OrderedDict[tuple[Any, ...], tuple[GraphQLSchema, DocumentNode, Compiled | None]] = OrderedDict()


def execute(*args: Any, **options: Any) -> Result:
    given = _arguments(_execute, args, options)
    compiled = _compiled(given)
    if compiled is None:
        return _execute(*args, **options)
    return compiled.execute(
        **_passed(given),
        synchronous=given.get("is_awaitable") is assume_not_awaitable,
        fall_back=lambda: _execute(*args, **options),
    )


def execute_sync(*args: Any, **options: Any) -> ExecutionResult:
    given = _arguments(_execute_sync, args, options)
    compiled = _compiled(given)
    if compiled is None:
        return _execute_sync(*args, **options)
    result = compiled.execute(
        **_passed(given),
        synchronous=not given.get("check_sync"),
        fall_back=lambda: _execute_sync(*args, **options),
    )
    if isinstance(result, ExecutionResult):
        return result
    if inspect.iscoroutine(result):
        result.close()
    raise RuntimeError("GraphQL execution failed to complete synchronously.")


def subscribe(*args: Any, **options: Any) -> Events | Awaitable[Events]:
    given = _arguments(_subscribe, args, options)
    compiled = _compiled(given)
    if compiled is None or compiled.operation.node.operation.value != "subscription":
        return _subscribe(*args, **options)
    return compiled.subscribe(**_passed(given), subscribe_field_resolver=given.get("subscribe_field_resolver"))


def _arguments(function: Callable[..., Any], args: Any, options: Any) -> dict[str, Any]:
    bound = inspect.signature(function).bind(*args, **options).arguments
    return {**bound, **bound.pop("custom_context_args", {})}


def _passed(given: dict[str, Any]) -> dict[str, Any]:
    names = ("root_value", "context_value", "variable_values", "max_coercion_errors", "hide_suggestions")
    return {name: given[name] for name in names if name in given}


def _compiled(given: dict[str, Any]) -> Compiled | None:
    for name in OPTIONS:
        if given.get(name) is not None and given[name] not in ORDINARY.get(name, ()):
            outcomes[name] += 1
            return None
    names = ("operation_name", "field_resolver", "type_resolver")
    options = tuple(given.get(name) for name in names)
    schema, document = given["schema"], given["document"]
    key = (id(schema), id(document), *options)
    if key not in _known:
        _known[key] = schema, document, compile_operation(schema, document, *options)
        if len(_known) > MAX_KNOWN:
            _known.popitem(last=False)
    return _known[key][2]
