"""Units of work: what a use case writes with. Every mutation field gets its own and passes it on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.context import Context
from app.db.access.statement import R, Statement
from app.db.access.transaction import Change, Origin, Tx


class UnitOfWork:
    """The database for one mutation field of one viewer. Each `begin` is a transaction of its own."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.viewer, self.db, self.settings = context.viewer, context.db, context.settings

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction: committed at the end of the block, rolled back if the block raises."""
        role = next(iter(self.viewer.roles), None)
        async with self.db.begin(self.viewer, Origin(self.viewer.actor, role, self.context.trace_id)) as tx:
            yield tx

    @asynccontextmanager
    async def begin_in_session(self, session_id: str) -> AsyncIterator[Tx]:
        """The same for a write in a session: its writers wait in a queue before they take a connection."""
        async with self.db.session_queue(self.viewer, session_id), self.begin() as tx:
            yield tx

    async def one(self, statement: Statement[R], /, **values: Any) -> R | None:
        """The first row of a single statement, which is its own transaction; None without rows."""
        return await self.db.one(self.viewer, statement, **values)

    def record_text_growth(self, session_id: str) -> None:
        """Wakes the readers of a session after `one` has added text to a streaming message in it."""
        self.db.record_text_growth(self.viewer, session_id)


class JoinedUnitOfWork(UnitOfWork):
    """A unit of work inside an open transaction: whatever it writes commits with that transaction."""

    def __init__(self, outer: UnitOfWork, transaction: Tx) -> None:
        super().__init__(outer.context)
        self._transaction = transaction

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """The open transaction."""
        yield self._transaction

    @asynccontextmanager
    async def begin_in_session(self, session_id: str) -> AsyncIterator[Tx]:
        """The open transaction. It has a connection already, so it does not wait in the queue of the session."""
        yield self._transaction

    async def one(self, statement: Statement[R], /, **values: Any) -> R | None:
        """The first row of a statement in the open transaction; None without rows."""
        return await self._transaction.one(statement, **values)

    def record_text_growth(self, session_id: str) -> None:
        """Wakes the readers of the session after the commit."""
        self._transaction.changes.append(Change(session_id, None))
