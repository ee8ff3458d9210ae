"""W1 in process: graphql-core's executor and compiled code over the same schema, rows and loaders in memory.

Run: python -m engine.benchmarks.execution [--uvloop] [--aiodataloader]
Alternating rounds; microseconds of CPU per operation, best and median.
"""

from __future__ import annotations

import asyncio
import enum
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NewType

import graphql.execution as graphql_core
import strawberry
from aiodataloader import DataLoader
from graphql import parse
from graphql_compiled import CompiledOperation, compile_operation
from graphql_compiled.strawberry import Schema
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

DOCUMENT = """
query W1($id: ID!) {
  session(id: $id) {
    id
    title
    messages(last: 50) {
      edges { cursor node { id role text createdAt agent { key agent { id name } } } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""
ROUNDS, TIMES = 15, 40

Moment = NewType("Moment", object)
moment = strawberry.scalar(name="DateTime", serialize=lambda value: value, parse_value=lambda value: value)


class Row(dict[str, Any]):
    """As cheap to read as a row of `app.db`: a property over a key, all in C."""

    def __init_subclass__(cls) -> None:
        for column in vars(cls).get("__annotations__", ()):
            setattr(cls, column, property(itemgetter(column)))


class SessionRow(Row):
    id: str
    title: str


class MessageRow(Row):
    id: str
    role: str
    text: str
    created_at: datetime
    session_agent_id: int


class SessionAgentRow(Row):
    id: str
    key: str
    agent_id: int


class AgentRow(Row):
    id: str
    name: str


def rows_of(kind: type[Row]) -> Callable[..., bool]:
    def is_type_of(obj: object, _info: Any) -> bool:
        return isinstance(obj, kind)

    return is_type_of


@strawberry.enum
class Role(enum.Enum):
    USER = "USER"
    ASSISTANT = "ASSISTANT"


@strawberry.interface
class Node:
    id: strawberry.ID


@strawberry.type
class Agent(Node):
    is_type_of = rows_of(AgentRow)
    name: str


@strawberry.type
class SessionAgent(Node):
    is_type_of = rows_of(SessionAgentRow)
    key: str

    @strawberry.field
    def agent(self, info: Info) -> Agent | None:
        return info.context.agents.load(self.agent_id)  # type: ignore[attr-defined, no-any-return]


@strawberry.type
class Message(Node):
    is_type_of = rows_of(MessageRow)
    role: Role
    text: str
    created_at: Moment

    @strawberry.field
    def agent(self, info: Info) -> SessionAgent | None:
        return info.context.session_agents.load(self.session_agent_id)  # type: ignore[attr-defined, no-any-return]


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class MessageEdge:
    cursor: str
    node: Message


@strawberry.type
class MessageConnection:
    edges: list[MessageEdge]
    page_info: PageInfo


MESSAGES = [
    MessageRow(
        id=f"message-{n}",
        role=("USER", "ASSISTANT")[n % 2],
        text="word " * 40,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        session_agent_id=n % 3,
    )
    for n in range(50)
]


@strawberry.type
class Session(Node):
    is_type_of = rows_of(SessionRow)
    title: str

    @strawberry.field
    async def messages(self, info: Info, first: int | None = None, last: int | None = None) -> MessageConnection:
        rows = await info.context.messages.load(self.id)
        edges = [MessageEdge(cursor=row.id, node=row) for row in rows]
        page_info = PageInfo(
            has_next_page=False, has_previous_page=True, start_cursor=rows[0].id, end_cursor=rows[-1].id
        )
        return MessageConnection(edges=edges, page_info=page_info)


@strawberry.type
class Query:
    @strawberry.field
    def session(self, info: Info, id: strawberry.ID) -> Session | None:
        return info.context.sessions.load(id)  # type: ignore[no-any-return]


class Stub:
    """A loader without its cost: futures, one per key, that are all resolved in the next turn of the loop."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make
        self.known: dict[Any, asyncio.Future[Any]] = {}
        self.waiting: list[tuple[Any, asyncio.Future[Any]]] = []

    def load(self, key: Any) -> asyncio.Future[Any]:
        future = self.known.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self.known[key] = loop.create_future()
            if not self.waiting:
                loop.call_soon(self.dispatch)
            self.waiting.append((key, future))
        return future

    def dispatch(self) -> None:
        waiting, self.waiting = self.waiting, []
        for key, future in waiting:
            future.set_result(self.make(key))


def loader(make: Callable[[Any], Any]) -> Any:
    async def load(keys: list[Any]) -> list[Any]:
        return [make(key) for key in keys]

    return DataLoader(load) if "--aiodataloader" in sys.argv else Stub(make)


class Context:
    def __init__(self) -> None:
        self.sessions = loader(lambda key: SessionRow(id=key, title="A session"))
        self.messages = loader(lambda _key: MESSAGES)
        self.session_agents = loader(lambda key: SessionAgentRow(id=f"sa-{key}", key=f"key-{key}", agent_id=key % 2))
        self.agents = loader(lambda key: AgentRow(id=f"agent-{key}", name=f"Agent {key}"))


schema = Schema(Query, config=StrawberryConfig(scalar_map={Moment: moment}))._schema
document = parse(DOCUMENT)
VARIABLES = {"id": "session-1"}


async def by_graphql_core() -> Any:
    result: Any = graphql_core.execute(
        schema, document, context_value=Context(), variable_values=VARIABLES, is_awaitable=optimized_is_awaitable
    )
    return await result


def by_compiled_code(compiled: CompiledOperation) -> Callable[[], Awaitable[Any]]:
    async def run() -> Any:
        return await compiled.execute(context_value=Context(), variable_values=VARIABLES)  # type: ignore[misc]

    return run


async def cpu(run: Callable[[], Awaitable[Any]]) -> float:
    gc.collect()
    start = time.process_time()
    for _ in range(TIMES):
        await run()
    return (time.process_time() - start) / TIMES * 1e6


async def main() -> None:
    compiled = compile_operation(schema, document)
    assert compiled is not None
    ways = {"graphql-core": by_graphql_core, "compiled": by_compiled_code(compiled)}
    theirs, ours = [await run() for run in ways.values()]
    assert theirs == ours
    assert not ours.errors
    times: dict[str, list[float]] = {name: [] for name in ways}
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    for _ in range(ROUNDS):
        for name, run in ways.items():
            times[name].append(await cpu(run))
    for name, found in times.items():
        print(f"{name:14}{min(found):8.0f} best {statistics.median(found):8.0f} median")
    print(f"{'ratio':14}{statistics.median(times['compiled']) / statistics.median(times['graphql-core']):8.3f}")


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
