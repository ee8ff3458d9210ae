"""What one operation may touch."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import copy
from typing import Any, NamedTuple

from app.auth import Viewer
from app.db.access.database import Database
from app.db.access.statement import R, Statement
from app.db.access.transaction import Change, Origin, Tx
from app.db.loaders import Loaders
from app.db.reading.partial_rows import FULL, PartialRows
from app.live.cursors import ViewerCursor
from app.live.hub import Hub
from app.settings import Settings

Selected = frozenset[tuple[str, str]]
"""Fields, as (type, field)."""


class Once(NamedTuple):
    """An idempotency key, and the hash of what it stands for."""

    key: str
    hash: bytes


class Context:
    """The viewer, the database through loaders or bound to the viewer, the live feed."""

    def __init__(
        self,
        viewer: Viewer,
        *,
        db: Database,
        hub: Hub,
        settings: Settings,
        columns_for: Callable[[Selected], PartialRows] = lambda _: FULL,
        request_id: str = "",
        trace_id: str | None = None,
        idempotency_key: str | None = None,
        resume_after: str | None = None,
    ) -> None:
        self.viewer, self.db, self.hub, self.settings = viewer, db, hub, settings
        self._columns_for = columns_for
        self.request_id, self.trace_id, self.idempotency_key = request_id, trace_id, idempotency_key
        self.resume_after = resume_after
        self.extensions: dict[str, Any] = {}
        self.loaders = Loaders(db, viewer)
        self.once: Once | None = None
        self.horizon: ViewerCursor | None = None
        self._tx: Tx | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """The transaction of the mutation under way: whatever it does is done together."""
        if self._tx is not None:
            yield self._tx
            return
        role = next(iter(self.viewer.roles), None)
        async with self.db.begin(self.viewer, Origin(self.viewer.subject, role, self.trace_id)) as tx:
            self._tx = tx
            try:
                yield tx
            finally:
                self._tx = None

    @asynccontextmanager
    async def writing(self, session_id: str) -> AsyncIterator[Tx]:
        """The same for a write in a session, whose writers queue here before they take a connection."""
        if self._tx is not None:
            yield self._tx
            return
        async with self.db.session_queue(self.viewer, session_id), self.begin() as tx:
            yield tx

    async def capture_event_cursor(self) -> None:
        """Captures the event cursor before any read, so a subscription from it has no gap."""
        self.horizon = await self.hub.viewer_cursor(self.viewer)

    async def one(self, statement: Statement[R], /, **values: Any) -> R | None:
        """The first row of a mutation that is one statement: in the transaction under way, if a key has begun one."""
        if self._tx is not None:
            return await self._tx.one(statement, **values)
        return await self.db.one(self.viewer, statement, **values)

    def record_text_growth(self, session_id: str) -> None:
        """Such a statement has added text to a stream in this session."""
        if self._tx is not None:
            self._tx.changes.append(Change(session_id, None))
        else:
            self.db.record_text_growth(self.viewer, session_id)

    def selecting(self, selected: Selected) -> None:
        """Which fields the query that begins selects, as (type, field): its rows need hold no more."""
        self.loaders = Loaders(self.db, self.viewer, self._columns_for(selected))

    def forget(self) -> None:
        """Loads anew from here on: each mutation field shows what the one before has left."""
        self.loaders = Loaders(self.db, self.viewer)

    def fresh(self) -> "Context":
        """The same context for one event of a subscription, with nothing loaded."""
        event = copy(self)
        event.forget()
        return event
