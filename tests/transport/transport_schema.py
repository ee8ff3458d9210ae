"""A small schema whose resolvers fail in every way that a resolver can."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from graphql import GraphQLScalarType, GraphQLSchema, build_schema

from app.errors import Absent, BadInput

SDL = """
directive @idempotent(key: String!) on FIELD
scalar JSON
scalar Strict
type Query {
  ping: String!
  echo(json: JSON, text: String, ids: [ID!], page: Int): JSON
  strict(value: Strict!): String
  things(first: Int, after: String, last: Int, before: String): Things!
  thing: Thing
  nodes(ids: [ID!]!): [Thing]!
  refused: String
  broken: String
  wrongType: Int
  missing: String!
  slow(seconds: Float!): String
  extended: String
}
type Things { edges: [Edge!]! nodes: [Thing!]! }
type Edge { cursor: String! node: Thing! }
type Thing { id: ID! name: String things(first: Int, last: Int): Things! self: Thing }
type Mutation { add(amount: Int! = 1): Int! }
type Subscription {
  count(to: Int!, every: Float! = 0.01): Int!
  seen: Int!
  flood(size: Int!): String!
  absent: Int!
  breaks: Int!
  slowStart: Int!
}
"""


class Context:
    """A context that keeps what it was made with, and which event it is for."""

    def __init__(self, viewer: Any, **made_with: Any) -> None:
        self.viewer = viewer
        self.made_with = made_with
        self.extensions: dict[str, Any] = {}
        self.events = 0

    def fresh(self) -> "Context":
        """A context for the next event; its `events` counts from 1."""
        self.events += 1
        other = Context(self.viewer, **self.made_with)
        other.events = self.events
        return other


class Resolvers:
    """Resolvers, and counters that tests read: `open` subscriptions, `flooded` events, the `total` of `add`."""

    def __init__(self) -> None:
        self.total = 0
        self.open = 0
        self.flooded = 0
        self.contexts: list[Context] = []

    async def slow(self, _: Any, info: Any, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    def add(self, _: Any, info: Any, amount: int) -> int:
        self.total += amount
        return self.total

    async def count(self, _: Any, info: Any, to: int, every: float) -> AsyncIterator[int]:
        async with self:
            for number in range(1, to + 1):
                yield number
                await asyncio.sleep(every)

    async def seen(self, _: Any, info: Any) -> AsyncIterator[int]:
        for _number in range(3):
            yield 0

    async def flood(self, _: Any, info: Any, size: int) -> AsyncIterator[str]:
        async with self:
            while True:
                self.flooded += 1
                yield "x" * size

    async def breaks(self, _: Any, info: Any) -> AsyncIterator[int]:
        async with self:
            yield 1
            raise RuntimeError("select secret from vault")

    async def slow_start(self, _: Any, info: Any) -> AsyncIterator[int]:
        await asyncio.sleep(60)
        raise AssertionError

    async def __aenter__(self) -> None:
        self.open += 1

    async def __aexit__(self, *_: object) -> None:
        self.open -= 1


def refuse(*_: Any, **__: Any) -> Any:
    raise BadInput("first must be at least 1.")


def absent(*_: Any) -> Any:
    raise Absent("No such session.")


def crash(*_: Any) -> Any:
    raise RuntimeError("select secret from vault")


def extend(_: Any, info: Any) -> str:
    info.context.extensions["idempotency"] = {"replayed": True}
    return "yes"


def parse_strict(value: Any) -> Any:
    if isinstance(value, int) and abs(value) >= 2**63:
        raise BadInput("An integer beyond 64 bits.")
    raise ValueError("never right")


def build_sample_schema(resolvers: Resolvers) -> GraphQLSchema:
    """The schema with these resolvers."""
    schema: Any = build_schema(SDL)
    thing = {"id": "t", "name": None}
    query = schema.query_type.fields
    query["ping"].resolve = lambda *_: "pong"
    query["echo"].resolve = lambda _, info, **arguments: arguments
    query["things"].resolve = lambda *_, **__: {"nodes": [thing], "edges": []}
    schema.type_map["Thing"].fields["things"].resolve = query["things"].resolve
    query["thing"].resolve = lambda *_: thing
    query["refused"].resolve = refuse
    query["broken"].resolve = crash
    query["wrongType"].resolve = lambda *_: "seven"
    query["slow"].resolve = resolvers.slow
    query["extended"].resolve = extend
    schema.mutation_type.fields["add"].resolve = resolvers.add
    live = schema.subscription_type.fields
    for name in ("count", "seen", "flood", "breaks"):
        live[name].subscribe = getattr(resolvers, name)
        live[name].resolve = lambda event, _info, **__: event
    live["seen"].resolve = lambda _event, info: info.context.events
    live["absent"].subscribe = absent
    live["slowStart"].subscribe = resolvers.slow_start
    strict = schema.type_map["Strict"]
    assert isinstance(strict, GraphQLScalarType)
    strict.coerce_input_value = parse_strict
    return schema
