"""Run a request on graphql-core and on compiled code, in virtual time, and compare what they answer."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import graphql.execution as graphql_core
import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLSchema
from graphql_compiled import graphql_core_executor
from strawberry.execution import optimized_is_awaitable


class VirtualTime(asyncio.SelectorEventLoop):
    """An event loop that never sleeps: when nothing is ready its clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__(_Impatient(self))
        self.now = 0.0
        self.timers = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        """Timers of one moment fire in the order in which they were set."""
        self.timers += 1
        return super().call_at(when + self.timers * 1e-9, *args, **options)


class _Impatient(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    def __init__(self, loop: VirtualTime) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("deadlock: nothing is ready and no timer is set")
        self.loop.now += max(timeout, 0)
        return super().select(0)


@dataclass(frozen=True)
class Answer:
    """`data` as JSON text, keys in their order; errors as a set; what the resolvers left in the context."""

    data: str
    errors: frozenset[str]
    effects: str


def spelled(value: Any) -> str:
    """A leaf that JSON does not know: what orjson makes of it, or how Python shows it."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
    except TypeError:
        return repr(value)
    return text.strip('"') if isinstance(value, datetime) else text  # a light row has a time's text


def answer(result: ExecutionResult, effects: Any) -> Answer:
    errors = [
        json.dumps([error.message, error.path, error.locations, error.extensions], default=repr)
        for error in result.errors or ()
    ]
    return Answer(json.dumps(result.data, default=spelled), frozenset(errors), repr(effects))


def raced(theirs: Answer, ours: Answer) -> bool:
    """Whether two answers differ only in which of the errors beneath one null were heard.

    Fields run at the same time; when several fail under a required field, the specification wants one of their
    errors. Everything else must be equal: the data, the places of the nulls, and every error that stayed put.
    """
    if (theirs.data, theirs.effects) != (ours.data, ours.effects):
        return False
    data = json.loads(theirs.data)
    return _nulls(data, theirs.errors) == _nulls(data, ours.errors)


def _nulls(data: Any, errors: frozenset[str]) -> set[str]:
    """Errors that stayed where they happened; of those that climbed, or lie beneath, only where the null is."""
    found = set()
    for text in errors:
        path = json.loads(text)[1] or []
        place = _landing(data, path)
        found.add(text if place == path else json.dumps(place))
    return found


def _landing(data: Any, path: list[str | int]) -> list[str | int]:
    for depth, key in enumerate(path):
        if data is None:
            return path[:depth]
        data = data[key]
    return path


@dataclass(frozen=True)
class Case:
    schema: GraphQLSchema
    context: Callable[[], Any]
    effects: Callable[[Any], Any]

    def answers(self, loop: VirtualTime, document: DocumentNode, variables: dict[str, Any]) -> tuple[Answer, Answer]:
        """graphql-core's and ours."""
        theirs = loop.run_until_complete(self.run(graphql_core.execute, document, variables))
        ours = loop.run_until_complete(self.run(graphql_core_executor.execute, document, variables))
        return theirs, ours

    async def run(self, execute: Any, document: DocumentNode, variables: dict[str, Any]) -> Answer:
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
        return answer(result, self.effects(context))

    async def events(self, subscribe: Any, document: DocumentNode, variables: dict[str, Any]) -> list[Answer]:
        context = self.context()
        stream = subscribe(self.schema, document, context_value=context, variable_values=variables)
        if asyncio.iscoroutine(stream):
            stream = await stream
        if isinstance(stream, ExecutionResult):
            return [answer(stream, None)]
        return [answer(result, None) async for result in stream]
