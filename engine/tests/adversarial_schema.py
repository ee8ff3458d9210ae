"""A schema with every kind of type, whose resolvers fail, delay, and return null where the type forbids it.

A field's result depends only on the number `n` of its object, so two executions of one document see the same failures.
Delays differ from field to field, so the order of errors does not depend on chance.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import enum
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import strawberry
from aiodataloader import DataLoader
from graphql import GraphQLError
from graphql_compiled.strawberry import Schema
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info


@strawberry.enum
class Colour(enum.Enum):
    RED = "red"
    GREEN = 2
    BLUE = strawberry.enum_value("blue", name="AZURE")


@strawberry.enum
class Size(enum.StrEnum):
    SMALL = "SMALL"
    LARGE = "LARGE"


def shout(value: object) -> str | None:
    if value == "error":
        raise ValueError("cannot be written in capitals")
    return None if value == "null" else str(value).upper()


Shout = strawberry.scalar(name="Shout", serialize=shout, parse_value=lambda value: str(value).lower())
SHOUT: Any = type("SHOUT", (str,), {})


class Failure(Exception):
    extensions = {"code": "FAILURE", "n": 1}


class Context:
    def __init__(self) -> None:
        self.things = DataLoader(batch_load_fn=self.load)
        self.batches: list[list[int]] = []
        self.notes: list[str] = []

    async def load(self, numbers: list[int]) -> list[Any]:
        self.batches.append(list(numbers))
        return [load(n) for n in numbers]


def load(n: int) -> Any:
    return {3: Failure(f"thing {n} is missing"), 5: None}.get(n % 7, make(n))


def make(n: int) -> Thing | Other:
    return Other(n=n) if n % 3 == 1 else Thing(n=n)


class NotLocked(BasePermission):
    message = "locked"

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        return source is None or source.n % 4 != 0


class Repeat(FieldExtension):
    def resolve(self, next_: Any, source: Any, info: Info, **kwargs: Any) -> Any:
        return next_(source, info, **kwargs) * 2


class AsyncPassThrough(FieldExtension):
    async def resolve_async(self, next_: Any, source: Any, info: Info, **kwargs: Any) -> Any:
        return await next_(source, info, **kwargs)


@strawberry.input
class Inner:
    word: str = "word"
    colour: Colour = Colour.RED
    numbers: list[int | None] | None = None


@strawberry.input
class Outer:
    id: strawberry.ID
    inner: Inner | None = None
    maybe: strawberry.Maybe[int | None]
    certain: strawberry.Maybe[str]
    many: list[Inner] = strawberry.field(default_factory=list)
    at: datetime.date | None = None


@strawberry.interface
class Numbered:
    n: int

    @strawberry.field
    def path(self, info: Info) -> str:
        return "/".join(map(str, info.path.as_list())) + f" {info.path.typename} {info.field_name}"


def text_values(n: int) -> Any:
    return [None, "a", ["x"], Failure("no text"), 5, True, 2.5, {"k": 1}, b"raw"][n % 9]


@strawberry.type
class Scalars:
    n: strawberry.Private[int]

    @strawberry.field
    def string(self) -> str | None:
        return text_values(self.n)

    @strawberry.field
    def required_string(self) -> str:
        return text_values(self.n + 1)

    @strawberry.field
    def integer(self) -> int | None:
        return [None, 1, 2**31, "12", 3.0, 3.5, True, "x", Failure("no number")][self.n % 9]

    @strawberry.field
    def float(self) -> float | None:
        return [None, 1, 2.5, "3.5", "x", False, float("nan"), float("inf"), 2**70][self.n % 9]

    @strawberry.field
    def boolean(self) -> bool | None:
        return [None, True, False, 0, 1, 2.0, "true", [], Failure("no boolean")][self.n % 9]

    @strawberry.field
    def id(self) -> strawberry.ID | None:
        return [None, "id", 7, 7.0, 7.5, True, uuid.UUID(int=self.n), [], Failure("no id")][self.n % 9]

    @strawberry.field
    def colour(self) -> Colour | None:
        return [None, Colour.RED, "red", 2, "AZURE", "blue", Colour.BLUE, [], Size.SMALL][self.n % 9]

    @strawberry.field
    def size(self) -> Size:
        return [Size.LARGE, "SMALL", Size.SMALL, "huge"][self.n % 4]

    @strawberry.field
    async def slow_string(self) -> str:
        await asyncio.sleep(0.0131)
        return text_values(self.n)

    @strawberry.field
    async def date(self) -> datetime.date | None:
        return [datetime.date(2026, 1, 1), None, "2026"][self.n % 3]

    @strawberry.field
    def at(self) -> datetime.datetime:
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    @strawberry.field
    def price(self) -> decimal.Decimal | None:
        return [decimal.Decimal("12.50"), None][self.n % 2]

    @strawberry.field
    def shout(self) -> SHOUT | None:
        return ["a", "null", "error", None, Failure("no text to shout")][self.n % 5]

    @strawberry.field
    def key(self) -> uuid.UUID:
        return uuid.UUID(int=self.n)

    @strawberry.field
    def strings(self) -> list[str]:
        return [["a", "b"], ["a", None], ("c",), {"d": 1}, "e", [], [Failure("in a list"), "f"], None][self.n % 8]

    @strawberry.field
    def matrix(self) -> list[list[int | None]] | None:
        return [[[1, 2], [None]], [[1], None], [["x"], [3]], [], [3], [(1, 2)]][self.n % 6]

    @strawberry.field
    def generated(self) -> list[int | None]:
        def generate() -> Iterator[Any]:
            yield 1
            yield "2"
            if self.n % 2:
                raise Failure("generator broke")
            yield None

        return generate()  # type: ignore[return-value]


@strawberry.type
class Thing(Numbered):
    name: str = "thing"

    @strawberry.field
    def scalars(self) -> Scalars:
        return Scalars(n=self.n)

    @strawberry.field
    async def slow_scalars(self) -> Scalars | None:
        await asyncio.sleep(0.0173)
        return None if self.n % 5 == 0 else Scalars(n=self.n * 2)

    @strawberry.field
    def next(self, step: int = 1) -> Thing | None:
        return None if (self.n + step) % 6 == 0 else Thing(n=self.n + step)

    @strawberry.field
    def required(self) -> Thing:
        if self.n % 5 == 2:
            raise Failure(f"no required thing after {self.n}")
        return None if self.n % 5 == 3 else Thing(n=self.n * 2 + 1)  # type: ignore[return-value]

    @strawberry.field
    async def slow_required(self) -> Thing:
        await asyncio.sleep(0.0197)
        return None if self.n % 4 == 3 else Thing(n=self.n * 2 + 2)  # type: ignore[return-value]

    @strawberry.field
    async def failing_required(self) -> Thing:
        if self.n % 4 == 1:
            raise GraphQLError("early failure", extensions={"code": "EARLY"})
        return Thing(n=self.n + 3)

    @strawberry.field
    def loaded(self, info: Info) -> Either | None:
        return info.context.things.load(self.n + 1)

    @strawberry.field
    def loaded_required(self, info: Info) -> Numbered:
        return info.context.things.load(self.n + 2)

    @strawberry.field
    async def awaited(self, info: Info) -> Either | None:
        return await info.context.things.load(self.n + 4)

    @strawberry.field
    def things(self, first: int = 2) -> list[Thing]:
        return [Thing(n=self.n + i) for i in range(min(first, 3))]

    @strawberry.field
    def nullable_items(self) -> list[Thing | None] | None:
        return [Thing(n=self.n), None, Failure("no item"), Thing(n=self.n + 1)]  # type: ignore[list-item]

    @strawberry.field
    def non_null_items(self) -> list[Thing] | None:
        return [Thing(n=self.n), None if self.n % 2 else Thing(n=self.n + 5)]  # type: ignore[list-item]

    @strawberry.field
    def loaded_items(self, info: Info) -> list[Numbered | None]:
        return [info.context.things.load(self.n + i) for i in range(3)]

    @strawberry.field
    def loaded_non_null_items(self, info: Info) -> list[Numbered] | None:
        return [info.context.things.load(self.n + i) for i in range(2)]

    @strawberry.field
    async def async_items(self) -> list[Thing]:
        async def generate() -> AsyncIterator[Any]:
            yield Thing(n=self.n)
            yield Thing(n=self.n + 1)
            if self.n % 5 == 4:
                raise Failure("stream broke")

        return generate()  # type: ignore[return-value]

    @strawberry.field
    def either(self) -> Either | None:
        return [make(self.n), None, Scalars(n=1), 5][self.n % 4]  # type: ignore[return-value]

    @strawberry.field
    def numbered(self) -> Numbered:
        return [make(self.n), make(self.n + 1), Scalars(n=1), None][self.n % 4]  # type: ignore[return-value]

    @strawberry.field
    def wrong(self) -> Other | None:
        return [Other(n=1), Thing(n=1), None, "other"][self.n % 4]  # type: ignore[return-value]

    @strawberry.field(permission_classes=[NotLocked])
    def guarded(self) -> str:
        return "open"

    @strawberry.field(permission_classes=[NotLocked])
    async def guarded_thing(self) -> Thing | None:
        return Thing(n=self.n + 1)

    @strawberry.field(extensions=[Repeat()])
    def doubled(self, word: str = "w") -> str:
        return word + str(self.n)

    @strawberry.field(extensions=[AsyncPassThrough()])
    async def extended(self) -> Thing:
        return Thing(n=self.n + 1)

    @strawberry.field
    def echo(self, info: Info, outer: Outer | None = None, colours: list[Colour] | None = None) -> str:
        if outer and outer.many:
            outer.many.append(outer.many[0])
        return f"{outer} {colours} {sorted(info.variable_values)} {info.context is not None}"

    @strawberry.field
    async def same(root) -> int:  # noqa: N805
        return root.n

    @strawberry.field
    def of(parent: strawberry.Parent[Thing], factor: int = 2) -> int:  # noqa: N805
        return parent.n * factor


@strawberry.type
class Other(Numbered):
    label: str | None = None

    @strawberry.field
    async def thing(self) -> Thing | None:
        await asyncio.sleep(0.0071)
        return Thing(n=self.n + 1)

    @strawberry.field
    async def boom(self) -> str:
        await asyncio.sleep(0.0113)
        raise Failure("boom")

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, Other)


Either = Annotated[Thing | Other, strawberry.union("Either")]


@strawberry.type
class Query:
    @strawberry.field
    def thing(self, n: int = 1) -> Thing | None:
        return Thing(n=n % 1000)

    @strawberry.field
    async def slow_thing(self, n: int) -> Thing:
        await asyncio.sleep(0.0029)
        return Thing(n=n % 1000)

    @strawberry.field
    def either(self, n: int = 3) -> Either:
        return make(n % 1000)

    @strawberry.field
    async def many(self, ns: list[int]) -> list[Thing]:
        return [Thing(n=n % 1000) for n in ns[:3]]

    @strawberry.field
    async def stream(self, n: int = 0) -> list[Thing | None]:
        async def generate() -> AsyncIterator[Thing | None]:
            for i in range(3):
                yield Thing(n=(n + i) % 1000)

        return generate()  # type: ignore[return-value]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def note(self, info: Info, word: str, wait: bool = False) -> int:
        if wait:
            await asyncio.sleep(0.005)
        info.context.notes.append(word)
        return len(info.context.notes)

    @strawberry.mutation
    def change(self, info: Info, input: Outer) -> Thing | None:
        info.context.notes.append(str(input.id))
        return Thing(n=len(info.context.notes))

    @strawberry.mutation
    async def refuse(self, info: Info) -> Thing:
        info.context.notes.append("refused")
        raise Failure("refused")


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int = 3) -> AsyncIterator[Thing]:
        for n in range(to):
            yield Thing(n=n)


CONFIG = StrawberryConfig(scalar_map={SHOUT: Shout})
schema = Schema(Query, Mutation, Subscription, types=[Thing, Other], config=CONFIG)
