"""The context of one operation: the viewer, and what the operation may read with."""

from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Any

from app.auth import Viewer
from app.db.access.database import Database
from app.db.access.reads import Reads
from app.db.loaders import Loaders
from app.db.reading.partial_rows import FULL, PartialRows
from app.db.reading.session_cache import SessionCache
from app.live.cursors import ViewerCursor
from app.live.hub import Hub
from app.settings import Settings

Selected = frozenset[tuple[str, str]]
"""Fields, as (type, field)."""


class Context:
    """The viewer of the token, loaders bound to this viewer, and the hub of live events.

    Only queries read from `session_cache` and with `reads`, which may lead to a standby: a mutation and an event read
    after a change, which the cache cannot have, and with `db`.
    `idempotency_key` and `resume_after` are headers of the request, `trace_id` is from its `traceparent`.
    """

    def __init__(
        self,
        viewer: Viewer,
        *,
        db: Database,
        hub: Hub,
        settings: Settings,
        reads: Reads | None = None,
        columns_for: Callable[[Selected], PartialRows] = lambda _: FULL,
        session_cache: SessionCache | None = None,
        request_id: str = "",
        trace_id: str | None = None,
        idempotency_key: str | None = None,
        resume_after: str | None = None,
    ) -> None:
        self.viewer, self.db, self.hub, self.settings = viewer, db, hub, settings
        self.reads = reads or db
        self._columns_for, self._session_cache = columns_for, session_cache
        self.request_id, self.trace_id, self.idempotency_key = request_id, trace_id, idempotency_key
        self.resume_after = resume_after
        self.extensions: dict[str, Any] = {}
        self.horizon: ViewerCursor | None = None

    @cached_property
    def loaders(self) -> Loaders:
        """Made at the first use: the usual mutation reads nothing with them."""
        return Loaders(self.reads, self.viewer, cache=self._session_cache)

    async def capture_event_cursor(self) -> None:
        """Captures the viewer's event cursor before any read, so a subscription from it has no gap."""
        self.horizon = await self.hub.viewer_cursor(self.viewer)

    def selecting(self, selected: Selected) -> None:
        """Limits the columns of rows to those that a query with these fields needs."""
        self.loaders = Loaders(self.reads, self.viewer, self._columns_for(selected), self._session_cache)

    def reset_loaders(self) -> None:
        """Starts with empty loaders, so each mutation field reads what the one before it has written."""
        self.reads, self._session_cache = self.db, None
        self.__dict__.pop("loaders", None)

    def fresh(self) -> "Context":
        """The same context for one event of a subscription, with empty loaders."""
        event = copy(self)
        event.reset_loaders()
        return event
