"""What a query reads with: the primary, or a standby that is known to have what the viewer may expect."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from app.db.access.statement import R, Statement
from app.db.access.transaction import Viewer

if TYPE_CHECKING:
    from app.db.access.database import Database


class Reads(Protocol):
    """Runs statements that change nothing. `Database` is one, `standbys.OperationReads` another."""

    @property
    def primary(self) -> "Database":
        """The database that accepts writes, for what a standby cannot answer."""

    def fetch(self, viewer: Viewer, statement: Statement[R], /, **values: Any) -> Coroutine[Any, Any, list[R]]:
        """All rows."""

    def one(self, viewer: Viewer, statement: Statement[R], /, **values: Any) -> Coroutine[Any, Any, R | None]:
        """The first row, or None."""
