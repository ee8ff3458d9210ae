"""The loaders of one operation: rows by key, and pages of nested connections, each level in one statement.

They know every noun, so they lie above the nouns; batching and the choice of partial rows are `reading/loader.py`.
"""

from asyncio import Future
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any, TypeVar

from app.db import agent, approval, audit, message, session, session_agent, stats, streaming_message, task
from app.db.access.database import Database
from app.db.access.transaction import Viewer
from app.db.reading.loader import BatchReader, DataLoader, Filters
from app.db.reading.nested import Nested
from app.db.reading.page import Slice, Window
from app.db.reading.partial_rows import FULL, PartialRows
from app.db.reading.rows import (
    AgentRow,
    ApprovalRow,
    AuditRow,
    DocumentRow,
    Entity,
    MessageKey,
    MessageRow,
    SessionAgentRow,
    SessionRow,
    StreamingRow,
    TaskRow,
)
from app.db.stats import AgentMetricsRow

R = TypeVar("R", bound=Entity)


class Reader(BatchReader):
    """The batches of nouns that take more than one statement by key."""

    async def session_agents(
        self, agents: DataLoader[str, Any], keys: Sequence[tuple[str, str, str]]
    ) -> list[SessionAgentRow | None]:
        """With the catalogue's agents, put into their loader, if the operation reads them next."""
        joined = self._partial.joined
        statement = session_agent.WITH_AGENTS if joined else session_agent.BY_KEYS
        rows = await self.by_parent(statement, ("session_id", "kind", "key"), keys)
        for row in rows if joined else ():
            if row is not None and row.agent_id is not None:
                agents.prime(row.agent_id, session_agent.joined_agent(row))
        return rows

    async def is_streaming(self, sessions: Sequence[str]) -> list[bool]:
        rows = await self._db.fetch(self._viewer, streaming_message.STREAMING_SESSIONS, ids=sessions)
        found = {row["session_id"] for row in rows}
        return [session in found for session in sessions]


class Loaders:
    """One loader of each kind, alive as long as the operation; `partial` says which rows may be partial."""

    def __init__(self, db: Database, viewer: Viewer, partial: PartialRows = FULL) -> None:
        self._read, self.partial = Reader(db, viewer, partial), partial
        self._nested: dict[Any, DataLoader[Any, Any]] = {}

    @cached_property
    def sessions(self) -> DataLoader[str, SessionRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, session.BY_IDS, "ids", "id"))

    @cached_property
    def sessions_by_key(self) -> DataLoader[str, SessionRow | None]:
        """By the client's key."""
        return DataLoader(partial(self._read.by_column, session.BY_KEYS, "keys", "key"))

    @cached_property
    def agents(self) -> DataLoader[str, AgentRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, agent.BY_IDS, "ids", "id"))

    @cached_property
    def agents_by_key(self) -> DataLoader[str, AgentRow | None]:
        """By the client's key."""
        return DataLoader(partial(self._read.by_column, agent.BY_KEYS, "keys", "key"))

    @cached_property
    def session_agents(self) -> DataLoader[tuple[str, str, str], SessionAgentRow | None]:
        """By (session id, kind, key)."""
        return DataLoader(partial(self._read.session_agents, self.agents))

    @cached_property
    def messages(self) -> DataLoader[MessageKey, MessageRow | None]:
        """By (session id, sequence)."""
        return DataLoader(partial(self._read.by_parent, message.BY_MESSAGE_KEYS, MessageKey._fields))

    @cached_property
    def message_documents(self) -> DataLoader[MessageKey, DocumentRow | None]:
        """Messages with document and blocks, by (session id, sequence)."""
        return DataLoader(partial(self._read.by_parent, message.DOCUMENTS, MessageKey._fields))

    @cached_property
    def streaming_messages(self) -> DataLoader[MessageKey, StreamingRow | None]:
        """Messages with their text so far, by (session id, sequence)."""
        return DataLoader(partial(self._read.by_parent, streaming_message.BY_MESSAGE_KEYS, MessageKey._fields))

    @cached_property
    def session_is_streaming(self) -> DataLoader[str, bool]:
        """True if a message of the session is being written, by the session's id."""
        return DataLoader(self._read.is_streaming)

    @cached_property
    def messages_by_key(self) -> DataLoader[tuple[str, str | None, str], MessageRow | None]:
        """By (session id, agent key, client's key)."""
        return DataLoader(partial(self._read.by_parent, message.BY_CLIENT_KEYS, ("session_id", "agent_key", "key")))

    @cached_property
    def last_messages(self) -> DataLoader[str, MessageRow | None]:
        """The newest message of a session, by the session's id."""
        return DataLoader(partial(self._read.by_parent, message.LAST_OF_SESSIONS, ("session_id",)))

    @cached_property
    def agent_metrics(self) -> DataLoader[str, AgentMetricsRow | None]:
        """The metrics of an agent, by the agent's id."""
        return DataLoader(partial(self._read.by_parent, stats.AGENT_METRICS, ("agent_id",)))

    @cached_property
    def tasks(self) -> DataLoader[str, TaskRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, task.BY_IDS, "ids", "id"))

    @cached_property
    def approvals(self) -> DataLoader[str, ApprovalRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, approval.BY_IDS, "ids", "id"))

    @cached_property
    def audit_events(self) -> DataLoader[str, AuditRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, audit.BY_IDS, "ids", "id"))

    def page(self, nested: Nested[R], parent: Any, window: Window, **filters: Any) -> "Future[Slice[R]]":
        """One page of a nested connection; one statement reads all parents with this window and these filters."""
        kind = (nested, window, tuple(filters.items()))
        loader = self._nested.get(kind)
        if loader is None:
            totals = self._totals(nested, kind[2])
            loader = self._nested[kind] = DataLoader(partial(self._read.pages, totals, *kind))
        return loader.load(parent)

    def total(self, nested: Nested[Any], parent: Any, filters: Filters) -> "Future[int]":
        """The number of rows of a nested connection."""
        return self._totals(nested, filters).load(parent)

    def _totals(self, nested: Nested[Any], filters: Filters) -> DataLoader[Any, int]:
        loader = self._nested.get((nested, filters))
        if loader is None:
            loader = self._nested[nested, filters] = DataLoader(partial(self._read.totals, nested, filters))
        return loader
