"""Erasure of a session: deletes every row in it, and leaves an empty tombstone (invariant 3)."""

from sqlalchemy import ColumnElement, Integer, Table, bindparam, delete, func, update

from app.db import session_totals
from app.db.access.statement import OWNER, Row, Statement, statement
from app.db.access.transaction import Tx
from app.db.reading.rows import SessionRow
from app.db.session import HAS_ID, NEXT_REVISION
from app.db.tables import approvals, message_chunks, messages, records, session_agents, sessions, streams, tasks

MAX_MESSAGES = 25_000
"""How many messages one statement deletes: each of any number of statements ends within its timeout."""


def _delete(table: Table, *conditions: ColumnElement[bool]) -> Statement[Row]:
    return statement(
        f"session_erasure.{table.name}",
        f"Deletes the {table.name} of a session.",
        delete(table).where(table.c.owner_id == OWNER, table.c.session_id == bindparam("session_id"), *conditions),
    )


# Streams before chunks: the deletion waits for an extend in flight, and the chunk of that extend is deleted too.
# Live records leave no tombstone, which would keep their names: SessionRemoved stands for them.
CONTENTS = tuple(map(_delete, (approvals, tasks, streams, message_chunks, records)))
DELETE_MESSAGES = _delete(
    messages,
    messages.c.sequence > bindparam("after", type_=Integer),
    messages.c.sequence <= bindparam("up_to", type_=Integer),
)
DELETE_AGENTS = _delete(session_agents)
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
    .where(HAS_ID)
    .values(deleted_at=func.now(), erased_at=func.now(), **NEXT_REVISION, **EMPTY)
    .returning(sessions),
    SessionRow,
)


async def erase(tx: Tx, session: SessionRow) -> SessionRow | None:
    """Erases the locked session; returns its tombstone. Readers see all of it until the commit, and then nothing."""
    for contents in CONTENTS:
        await tx.fetch(contents, session_id=session.id)
    for after in range(0, session.last_sequence, MAX_MESSAGES):
        await tx.fetch(DELETE_MESSAGES, session_id=session.id, after=after, up_to=after + MAX_MESSAGES)
    await tx.fetch(DELETE_AGENTS, session_id=session.id)
    await session_totals.forget(tx, session.id)
    return await tx.one(ERASE, session_id=session.id)
