"""Statements on messages that are being written: their streams and chunks."""

from sqlalchemy import Integer, and_, bindparam, delete

from app.db.database import OWNER, Row, Statement, Tx, statement
from app.db.metadata import Uuid
from app.db.tables import message_chunks, streams

x, c = streams.c, message_chunks.c

SESSION, SEQUENCE = bindparam("session_id", type_=Uuid), bindparam("sequence", type_=Integer)
THIS = and_(x.owner_id == OWNER, x.session_id == SESSION, x.sequence == SEQUENCE)
CLOSE: Statement[Row] = statement(delete(streams).where(THIS).returning(x.fence))
DROP: Statement[Row] = statement(
    delete(message_chunks).where(c.owner_id == OWNER, c.session_id == SESSION, c.sequence == SEQUENCE)
)


async def discard(tx: Tx, place: tuple[str, int]) -> None:
    """Ends a stream of the locked session, and all that was written in it."""
    # Closed first: an extend in flight is waited for, and its chunk is there for the next statement to see.
    await tx.fetch(CLOSE, session_id=place[0], sequence=place[1])
    await tx.fetch(DROP, session_id=place[0], sequence=place[1])
