"""One owner's transaction: statements bound to the owner, and the changes that are published after the commit."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol

from app.db.access import routed
from app.db.access.slow_statements import SlowStatements
from app.db.access.statement import R, Statement


class Viewer(Protocol):
    """The subject that a request acts for: the owner of all that the request reads and writes."""

    @property
    def subject(self) -> str: ...


class Change(NamedTuple):
    """A committed change in a session, with its revision.

    `session_id` is empty for a change outside of sessions; `revision` is None when only the text of a streaming
    message has grown.
    """

    session_id: str
    revision: int | None


OnCommit = Callable[[str, Sequence[Change]], None]
"""Receives the owner and the changes of one commit."""


AfterCommit = Callable[[Any, Viewer], Awaitable[None]]
"""Receives the `Database` and the viewer once the transaction has committed and released its connection."""


class Origin(NamedTuple):
    """The cause of a transaction, for the audit: the token's subject and role, and the trace of the request."""

    actor: str
    role: str | None = None
    trace_id: str | None = None


SYSTEM = Origin("system")


class Tx:
    """A transaction of one owner. After an error in it, even a caught one, nothing of it is committed.

    `routes`: statements run in their second form, if they have one (`routed`).
    """

    def __init__(self, owner: str, origin: Origin, driver: Any, slow: SlowStatements, *, routes: bool = False) -> None:
        self.owner, self.origin, self.routes = owner, origin, routes
        self.changes: list[Change] = []
        self.after_commit: list[AfterCommit] = []
        self._driver, self._slow = driver, slow

    def fetch(self, statement: Statement[R], /, **values: Any) -> Coroutine[Any, Any, list[R]]:
        """All rows."""
        if self.routes and statement.routed:
            return routed.run(self._driver, self._slow, statement, self.owner, values)
        return self._slow.fetch(self._driver, statement, statement.bind(self.owner, **values))

    async def one(self, statement: Statement[R], /, **values: Any) -> R | None:
        """The first row, or None."""
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None

    def record_change(self, session_id: str, revision: int) -> None:
        """Publishes this change after the commit; a rollback publishes nothing."""
        self.changes.append(Change(session_id, revision))
