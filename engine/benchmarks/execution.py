"""CPU time of one operation on graphql-core, on Strawberry, and on compiled code: same types, rows and loaders.

Run: python -m engine.benchmarks.execution
The operation reads a page of 50 messages with their authors from memory. Alternating rounds; microseconds of CPU per
operation, best and median round, and the ratios of the medians.
"""

from __future__ import annotations

import asyncio
import enum
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NewType

import graphql.execution as graphql_core
import strawberry
from graphql import parse
from graphql_compiled import CompiledOperation, compile_operation
from graphql_compiled.strawberry import Schema
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

DOCUMENT = """
query Page($id: ID!) {
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
VARIABLES = {"id": "session-1"}
ROUNDS, EXECUTIONS = 15, 40

Timestamp = NewType("Timestamp", object)
TIMESTAMP = strawberry.scalar(name="DateTime", serialize=lambda value: value, parse_value=lambda value: value)


class Row(dict[str, Any]):
    """A database row: an attribute is an item, read without Python code."""

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


def accepts_rows(row_class: type[Row]) -> Callable[..., bool]:
    def is_type_of(obj: object, _info: Any) -> bool:
        return isinstance(obj, row_class)

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
    is_type_of = accepts_rows(AgentRow)
    name: str


@strawberry.type
class SessionAgent(Node):
    is_type_of = accepts_rows(SessionAgentRow)
    key: str

    @strawberry.field
    def agent(self, info: Info) -> Agent | None:
        return info.context.agents.load(self.agent_id)  # type: ignore[attr-defined, no-any-return]


@strawberry.type
class Message(Node):
    is_type_of = accepts_rows(MessageRow)
    role: Role
    text: str
    created_at: Timestamp

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
    is_type_of = accepts_rows(SessionRow)
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


class Loader:
    """The least that a data loader can cost: a future per key, all resolved in the next turn of the event loop."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make
        self.futures: dict[Any, asyncio.Future[Any]] = {}
        self.queue: list[tuple[Any, asyncio.Future[Any]]] = []

    def load(self, key: Any) -> asyncio.Future[Any]:
        future = self.futures.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self.futures[key] = loop.create_future()
            if not self.queue:
                loop.call_soon(self.dispatch)
            self.queue.append((key, future))
        return future

    def dispatch(self) -> None:
        queue, self.queue = self.queue, []
        for key, future in queue:
            future.set_result(self.make(key))


class Context:
    def __init__(self) -> None:
        self.sessions = Loader(lambda key: SessionRow(id=key, title="A session"))
        self.messages = Loader(lambda _key: MESSAGES)
        self.session_agents = Loader(lambda key: SessionAgentRow(id=f"sa-{key}", key=f"key-{key}", agent_id=key % 2))
        self.agents = Loader(lambda key: AgentRow(id=f"agent-{key}", name=f"Agent {key}"))


config = StrawberryConfig(scalar_map={Timestamp: TIMESTAMP})
stock_schema, compiled_schema = strawberry.Schema(Query, config=config), Schema(Query, config=config)
document = parse(DOCUMENT)


async def run_graphql_core() -> Any:
    result: Any = graphql_core.execute(
        compiled_schema._schema,
        document,
        context_value=Context(),
        variable_values=VARIABLES,
        is_awaitable=optimized_is_awaitable,
    )
    return await result


def run_compiled(operation: CompiledOperation) -> Callable[[], Awaitable[Any]]:
    async def run() -> Any:
        return await operation.execute(context_value=Context(), variable_values=VARIABLES)  # type: ignore[misc]

    return run


def run_strawberry(schema: strawberry.Schema) -> Callable[[], Awaitable[Any]]:
    async def run() -> Any:
        return await schema.execute(DOCUMENT, context_value=Context(), variable_values=VARIABLES)

    return run


async def cpu_time(run: Callable[[], Awaitable[Any]]) -> float:
    gc.collect()
    start = time.process_time()
    for _ in range(EXECUTIONS):
        await run()
    return (time.process_time() - start) / EXECUTIONS * 1e6


async def measure(runs: dict[str, Callable[[], Awaitable[Any]]]) -> dict[str, list[float]]:
    results = [await run() for run in runs.values() for _ in range(3)]
    assert all(result.data == results[0].data and not result.errors for result in results)
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(await cpu_time(run))
    return times


async def main() -> None:
    times = await measure(
        {
            "graphql-core": run_graphql_core,
            "compiled": run_compiled(compile_operation(compiled_schema._schema, document)),
            "strawberry.Schema": run_strawberry(stock_schema),
            "compiled Schema": run_strawberry(compiled_schema),
        }
    )
    for name, found in times.items():
        print(f"{name:18}{min(found):8.0f} best {statistics.median(found):8.0f} median")
    medians = {name: statistics.median(found) for name, found in times.items()}
    print(f"execution: compiled / graphql-core       {medians['compiled'] / medians['graphql-core']:.3f}")
    print(f"request: compiled Schema / Schema        {medians['compiled Schema'] / medians['strawberry.Schema']:.3f}")


if __name__ == "__main__":
    asyncio.run(main())
