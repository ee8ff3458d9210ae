"""Run a request on graphql-core and on compiled code, in virtual time, and compare what they answer."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import graphql.execution as graphql_core
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, OperationDefinitionNode
from strawberry.execution import optimized_is_awaitable

from app.execution import dropin


class VirtualTime(asyncio.SelectorEventLoop):
    """An event loop that never sleeps: when nothing is ready its clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__(_Impatient(self))
        self.now = 0.0

    def time(self) -> float:
        return self.now


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


def answer(result: ExecutionResult, effects: Any) -> Answer:
    errors = [
        json.dumps([error.message, error.path, error.locations, error.extensions], default=repr)
        for error in result.errors or ()
    ]
    return Answer(json.dumps(result.data, default=repr), frozenset(errors), repr(effects))


@dataclass(frozen=True)
class Case:
    schema: GraphQLSchema
    context: Callable[[], Any]
    effects: Callable[[Any], Any]

    def answers(self, loop: VirtualTime, document: DocumentNode, variables: dict[str, Any]) -> tuple[Answer, Answer]:
        """graphql-core's and ours."""
        theirs = loop.run_until_complete(self.run(graphql_core.execute, document, variables))
        ours = loop.run_until_complete(self.run(dropin.execute, document, variables))
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


def is_query(document: DocumentNode) -> bool:
    first = document.definitions[0]
    return isinstance(first, OperationDefinitionNode) and first.operation.value == "query"
