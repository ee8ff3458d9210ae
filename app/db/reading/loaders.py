"""Loaders: what one operation reads by key, in one statement a level. They live as long as their operation."""

from asyncio import Future, get_running_loop
from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property, partial
from typing import Any, TypeVar

import aiodataloader

from app.db import agent, approval, audit, message, session, session_agent, stats, streaming_message, task
from app.db.access.database import Database, Statement, Viewer
from app.db.reading.page import Nested, Slice, Window, for_one, parent_arrays
from app.db.reading.partial_rows import FULL, PartialRows
from app.db.reading.rows import (
    AgentRow,
    ApprovalRow,
    AuditRow,
    DocumentRow,
    Entity,
    MessageRow,
    SessionAgentRow,
    SessionRow,
    StreamingRow,
    TaskRow,
)
from app.db.stats import AgentMetricsRow

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R", bound=Entity)
Filters = tuple[tuple[str, Any], ...]


class DataLoader(aiodataloader.DataLoader[K, V]):
    """aiodataloader's, with one task and one turn of the loop a batch instead of two, and a short way to known keys."""

    def __init__(self, batch: Callable[[list[K]], Coroutine[Any, Any, list[V]]]) -> None:
        self.loop, self.batch_load_fn = get_running_loop(), batch
        self._cache = {}
        self._waiting: list[tuple[K, Future[V]]] = []

    def get_cache_key(self, key: K) -> K:
        """A key is its own."""
        return key

    def load(self, key: K) -> "Future[V]":
        """What `key` names, with all that is loaded until the loop's next turn."""
        known = self._cache.get(key)
        if known is None:
            known = self._cache[key] = self.loop.create_future()
            if not self._waiting:
                self.loop.call_soon(self._dispatch)
            self._waiting.append((key, known))
        return known

    def _dispatch(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.loop.create_task(self._answer(waiting))

    async def _answer(self, waiting: "list[tuple[K, Future[V]]]") -> None:
        """A batch that fails is not remembered."""
        try:
            values = await self.batch_load_fn([key for key, _ in waiting])
            for (_, future), value in zip(waiting, values, strict=True):
                if not future.done():
                    future.set_result(value)
        except Exception as error:
            for key, future in waiting:
                self.clear(key)
                if not future.done():
                    future.set_exception(error)


class Reader:
    """What the loaders ask the database. It knows none of them, so that they go with their operation: a cycle would
    keep their rows until the collector comes."""

    def __init__(self, db: Database, viewer: Viewer, partial: PartialRows) -> None:
        self._db, self._viewer, self._partial = db, viewer, partial

    async def pages(
        self, totals: DataLoader[Any, int], nested: Nested[R], window: Window, filters: Filters, parents: Sequence[Any]
    ) -> list[Slice[R]]:
        named = nested.order.bounds(window) | dict(filters)
        if len(parents) == 1:
            rows = [await self._rows(nested.for_one(window.backward), **named, **for_one(nested.names, parents[0]))]
        else:
            rows = [[] for _ in parents]
            for row in await self._rows(nested.page(window.backward), **named, **parent_arrays(nested.names, parents)):
                rows[row.parent - 1].append(row)
        return [
            Slice.of(mine, window, partial(totals.load, parent)) for mine, parent in zip(rows, parents, strict=True)
        ]

    async def totals(self, nested: Nested[Any], filters: Filters, parents: Sequence[Any]) -> list[int]:
        named = dict(filters) | parent_arrays(nested.names, parents)
        totals = {row.parent: row.total for row in await self._db.fetch(self._viewer, nested.count, **named)}
        return [totals[place] for place in range(1, len(parents) + 1)]

    async def parts(
        self, agents: DataLoader[str, Any], keys: Sequence[tuple[str, str, str]]
    ) -> list[SessionAgentRow | None]:
        """With the catalogue's entries, where they will be asked for next."""
        joined = self._partial.joined
        wanted = session_agent.WITH_AGENTS if joined else session_agent.BY_IDENTITIES
        parts = await self.by_place(wanted, ("session_id", "kind", "key"), keys)
        for part in parts if joined else ():
            if part is not None and part.agent_id is not None:
                agents.prime(part.agent_id, session_agent.beside(part))
        return parts

    async def streaming(self, sessions: Sequence[str]) -> list[bool]:
        running = {
            row["session_id"] for row in await self._db.fetch(self._viewer, streaming_message.RUNNING, ids=sessions)
        }
        return [session in running for session in sessions]

    async def by_column(self, wanted: Statement[R], parameter: str, column: str, keys: Sequence[str]) -> list[R | None]:
        rows = await self._rows(wanted, **{parameter: keys})
        found = {row[column]: row for row in rows}
        return [found.get(key) for key in keys]

    async def by_place(self, wanted: Statement[R], names: Sequence[str], keys: Sequence[Any]) -> list[R | None]:
        found: list[R | None] = [None] * len(keys)
        for row in await self._rows(wanted, **parent_arrays(names, keys)):
            found[row.parent - 1] = row
        return found

    async def _rows(self, wanted: Statement[R], **values: Any) -> list[R]:
        chosen = wanted.partial if wanted.row in self._partial.rows else wanted
        return await self._db.fetch(self._viewer, chosen, **values)


class Loaders:
    """Rows by key, and pages of nested connections; one of each kind per operation. Some may come light."""

    def __init__(self, db: Database, viewer: Viewer, partial: PartialRows = FULL) -> None:
        self._read, self.partial = Reader(db, viewer, partial), partial
        self._nested: dict[Any, DataLoader[Any, Any]] = {}

    @cached_property
    def sessions(self) -> DataLoader[str, SessionRow | None]:
        """By server id."""
        return DataLoader(partial(self._read.by_column, session.BY_IDS, "ids", "id"))

    @cached_property
    def sessions_by_key(self) -> DataLoader[str, SessionRow | None]:
        """By the client's own key."""
        return DataLoader(partial(self._read.by_column, session.BY_KEYS, "keys", "key"))

    @cached_property
    def agents(self) -> DataLoader[str, AgentRow | None]:
        """By server id."""
        return DataLoader(partial(self._read.by_column, agent.BY_IDS, "ids", "id"))

    @cached_property
    def agents_by_key(self) -> DataLoader[str, AgentRow | None]:
        """By the client's own key."""
        return DataLoader(partial(self._read.by_column, agent.BY_KEYS, "keys", "key"))

    @cached_property
    def session_agents(self) -> DataLoader[tuple[str, str, str], SessionAgentRow | None]:
        """By (session id, kind, key)."""
        return DataLoader(partial(self._read.parts, self.agents))

    @cached_property
    def messages(self) -> DataLoader[tuple[str, int], MessageRow | None]:
        """By (session id, sequence)."""
        return DataLoader(partial(self._read.by_place, message.BY_PLACES, ("session_id", "sequence")))

    @cached_property
    def documents(self) -> DataLoader[tuple[str, int], DocumentRow | None]:
        """A message with its document and blocks, by (session id, sequence)."""
        return DataLoader(partial(self._read.by_place, message.DOCUMENTS, ("session_id", "sequence")))

    @cached_property
    def written(self) -> DataLoader[tuple[str, int], StreamingRow | None]:
        """A message that is being written, with its text so far, by (session id, sequence)."""
        return DataLoader(partial(self._read.by_place, streaming_message.BY_PLACES, ("session_id", "sequence")))

    @cached_property
    def streaming(self) -> DataLoader[str, bool]:
        """Whether a message of a session is being written, by the session's id."""
        return DataLoader(self._read.streaming)

    @cached_property
    def messages_by_key(self) -> DataLoader[tuple[str, str | None, str], MessageRow | None]:
        """By (session id, agent key, key)."""
        return DataLoader(partial(self._read.by_place, message.BY_KEYS, ("session_id", "agent_key", "key")))

    @cached_property
    def last_messages(self) -> DataLoader[str, MessageRow | None]:
        """The newest message of a session, by its id."""
        return DataLoader(partial(self._read.by_place, message.LAST, ("session_id",)))

    @cached_property
    def agent_metrics(self) -> DataLoader[str, AgentMetricsRow | None]:
        """What an agent has done, by its id."""
        return DataLoader(partial(self._read.by_place, stats.METRICS, ("agent_id",)))

    @cached_property
    def tasks(self) -> DataLoader[str, TaskRow | None]:
        """By server id."""
        return DataLoader(partial(self._read.by_column, task.BY_IDS, "ids", "id"))

    @cached_property
    def approvals(self) -> DataLoader[str, ApprovalRow | None]:
        """By server id."""
        return DataLoader(partial(self._read.by_column, approval.BY_IDS, "ids", "id"))

    @cached_property
    def audit_events(self) -> DataLoader[str, AuditRow | None]:
        """By server id."""
        return DataLoader(partial(self._read.by_column, audit.BY_IDS, "ids", "id"))

    def page(self, nested: Nested[R], parent: Any, window: Window, **filters: Any) -> "Future[Slice[R]]":
        """One page of a nested connection; the same window and filters of all parents are read together."""
        kind = (nested, window, tuple(filters.items()))
        loader = self._nested.get(kind)
        if loader is None:
            totals = self._totals(nested, kind[2])
            loader = self._nested[kind] = DataLoader(partial(self._read.pages, totals, *kind))
        return loader.load(parent)

    def total(self, nested: Nested[Any], parent: Any, filters: Filters) -> "Future[int]":
        """How many rows a nested connection holds."""
        return self._totals(nested, filters).load(parent)

    def _totals(self, nested: Nested[Any], filters: Filters) -> DataLoader[Any, int]:
        loader = self._nested.get((nested, filters))
        if loader is None:
            loader = self._nested[nested, filters] = DataLoader(partial(self._read.totals, nested, filters))
        return loader
