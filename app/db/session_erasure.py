"""Erasure of a session: deletes every row in it, and leaves an empty tombstone (invariant 3)."""

from sqlalchemy import Table, bindparam, delete, func, update

from app.db import session
from app.db.access.statement import OWNER, Row, Statement, statement
from app.db.access.transaction import Tx
from app.db.reading.rows import SessionRow
from app.db.tables import approvals, message_chunks, messages, session_agents, sessions, streams, tasks


def _delete(table: Table) -> Statement[Row]:
    return statement(
        f"session_erasure.{table.name}",
        f"Deletes the {table.name} of a session.",
        delete(table).where(table.c.owner_id == OWNER, table.c.session_id == bindparam("session_id")),
    )


# Streams before chunks: the deletion waits for an extend in flight, and the chunk of that extend is deleted too.
CONTENTS = tuple(map(_delete, (approvals, tasks, streams, message_chunks, messages, session_agents)))
EMPTY = dict.fromkeys(("key", "role", "task_id", "agent_type", "client_created_at", "expires_at", "archived_at")) | {
    "title": "",
    "metadata": "{}",
    "last_sequence": 0,
    "message_count": 0,
    "unread_count": 0,
    "last_read_sequence": 0,
    "purged_count": 0,
}
ERASE = statement(
    "session_erasure.session",
    "Empties a session; its tombstone stays.",
    update(sessions)
    .where(session.HAS_ID)
    .values(deleted_at=func.now(), erased_at=func.now(), **session.NEXT_REVISION, **EMPTY)
    .returning(sessions),
    SessionRow,
)


async def erase(tx: Tx, session_id: str) -> SessionRow | None:
    """Erases the locked session; returns its tombstone."""
    for contents in CONTENTS:
        await tx.fetch(contents, session_id=session_id)
    return await tx.one(ERASE, session_id=session_id)
