"""Executes requests on a stock Strawberry schema and on the same schema compiled, and compares the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql_compiled import outcomes
from graphql_compiled.strawberry import Schema

from engine.tests import sample_schema

RUNS = 3
"""A document is cached at its second execution and compiled at its third."""


@dataclass
class Pair:
    """Two schemas with equal types, and how to make a context for each. Resolvers may change variable values: copied."""

    stock: strawberry.Schema
    compiled: strawberry.Schema
    stock_context: Callable[..., Any]
    compiled_context: Callable[..., Any]

    @classmethod
    def of_library(cls, schema_class: type[Schema] = Schema, **options: Any) -> Pair:
        """Both built from the sample schema; an option that is a list is copied."""
        one, other = sample_schema.load(), sample_schema.load()
        stock_class = next(base for base in schema_class.__mro__ if not issubclass(base, Schema))
        stock, compiled = one.build(stock_class, **options), other.build(schema_class, **options)
        return cls(stock, compiled, one.make_context, other.make_context)

    async def execute(self, query: str, *, user: str = "member", **options: Any) -> tuple[Any, Counter[str]]:
        """Execute three times on each; the results must be equal. Returns the last one and its outcomes."""
        for _ in range(RUNS):
            expected = await self.stock.execute(query, context_value=self.stock_context(user), **deepcopy(options))
            before = outcomes.copy()
            actual = await self.compiled.execute(query, context_value=self.compiled_context(user), **deepcopy(options))
            assert shown(actual) == shown(expected)
        return actual, outcomes - before

    def execute_sync(self, query: str, *, user: str = "member", **options: Any) -> tuple[Any, Counter[str]]:
        for _ in range(RUNS):
            expected = self.stock.execute_sync(query, context_value=self.stock_context(user), **deepcopy(options))
            before = outcomes.copy()
            actual = self.compiled.execute_sync(query, context_value=self.compiled_context(user), **deepcopy(options))
            assert shown(actual) == shown(expected)
        return actual, outcomes - before

    async def subscribe(self, query: str, *, user: str = "member", **options: Any) -> tuple[list[Any], Counter[str]]:
        for _ in range(RUNS):
            expected = await results(self.stock, query, self.stock_context(user), **options)
            before = outcomes.copy()
            actual = await results(self.compiled, query, self.compiled_context(user), **options)
            assert [shown(result) for result in actual] == [shown(result) for result in expected]
        return actual, outcomes - before


async def results(schema: strawberry.Schema, query: str, context: Any, **options: Any) -> list[Any]:
    return [result async for result in await schema.subscribe(query, context_value=context, **options)]


def shown(result: Any) -> Any:
    """What a client can see of a result."""
    errors = [error.formatted for error in result.errors or ()]
    return type(result).__name__, result.data, errors, result.extensions
