"""Executes a request on graphql-core and on compiled code, in virtual time, and compares the responses."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import graphql.execution as graphql_core
import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLSchema
from graphql_compiled.graphql_core_executor import CompiledExecutor, CompiledSubscriptionExecutor
from graphql_compiled.tiered_operation import OperationCache
from strawberry.execution import optimized_is_awaitable


class EagerExecutor(CompiledExecutor):
    """Compiles at the first execution."""

    operations = OperationCache(threshold=1)


class EagerSubscriptionExecutor(CompiledSubscriptionExecutor):
    operations = OperationCache(threshold=1)


execute_compiled = partial(graphql_core.execute, executor_class=EagerExecutor)
subscribe_compiled = partial(graphql_core.subscribe, executor_class=EagerSubscriptionExecutor)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that never sleeps: when nothing is ready, its clock moves on to the next timer."""

    def __init__(self) -> None:
        super().__init__(_VirtualTimeSelector(self))
        self.now = 0.0
        self.timers = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        """Timers of one moment fire in the order in which they were set."""
        self.timers += 1
        return super().call_at(when + self.timers * 1e-9, *args, **options)


class _VirtualTimeSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("deadlock: nothing is ready and no timer is set")
        self.loop.now += max(timeout, 0)
        return super().select(0)


@dataclass(frozen=True)
class Response:
    """`data` as JSON text, keys in their order; errors as a set; `effects`: what the resolvers left in the context."""

    data: str
    errors: frozenset[str]
    effects: str

    @classmethod
    def of(cls, result: ExecutionResult, effects: Any) -> Response:
        errors = [
            json.dumps([error.message, error.path, error.locations, error.extensions], default=repr)
            for error in result.errors or ()
        ]
        return cls(json.dumps(result.data, default=_leaf_text), frozenset(errors), repr(effects))


def _leaf_text(value: Any) -> str:
    """The text of a leaf that JSON does not have: orjson's, or else Python's."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
    except TypeError:
        return repr(value)
    return text.strip('"') if isinstance(value, datetime) else text  # a partial row has a time as text


def differs_only_by_race(expected: Response, actual: Response) -> bool:
    """True if two responses differ only in which errors below one null are reported.

    Fields execute concurrently; when several fail below a position that becomes null, the specification requires one
    of their errors. Everything else must be equal: the data, the nulls, and every error that does not propagate.
    """
    if (expected.data, expected.effects) != (actual.data, actual.effects):
        return False
    data = json.loads(expected.data)
    return _null_causes(data, expected.errors) == _null_causes(data, actual.errors)


def _null_causes(data: Any, errors: frozenset[str]) -> set[str]:
    """Errors at the position of their null; for an error that propagated, only the position of the null."""
    found = set()
    for text in errors:
        path = json.loads(text)[1] or []
        position = _null_position(data, path)
        found.add(text if position == path else json.dumps(position))
    return found


def _null_position(data: Any, path: list[str | int]) -> list[str | int]:
    for depth, key in enumerate(path):
        if data is None:
            return path[:depth]
        data = data[key]
    return path


@dataclass(frozen=True)
class Comparison:
    """A schema, how to make a context, and how to read the effects of resolvers from it."""

    schema: GraphQLSchema
    context: Callable[[], Any]
    effects: Callable[[Any], Any]

    def both(
        self, loop: VirtualTimeLoop, document: DocumentNode, variables: dict[str, Any]
    ) -> tuple[Response, Response]:
        """The responses of graphql-core and of compiled code."""
        expected = loop.run_until_complete(self.run(graphql_core.execute, document, variables))
        actual = loop.run_until_complete(self.run(execute_compiled, document, variables))
        return expected, actual

    async def run(self, execute: Any, document: DocumentNode, variables: dict[str, Any]) -> Response:
        context = self.context()
        result = execute(
            self.schema,
            document,
            context_value=context,
            variable_values=variables,
            is_awaitable=optimized_is_awaitable,
        )
        if not isinstance(result, ExecutionResult):
            result = await result
        return Response.of(result, self.effects(context))

    async def events(self, subscribe: Any, document: DocumentNode, variables: dict[str, Any]) -> list[Response]:
        context = self.context()
        stream = subscribe(self.schema, document, context_value=context, variable_values=variables)
        if asyncio.iscoroutine(stream):
            stream = await stream
        if isinstance(stream, ExecutionResult):
            return [Response.of(stream, None)]
        return [Response.of(result, None) async for result in stream]
