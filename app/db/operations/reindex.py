"""Rebuilding of the search index, while servers serve: every message gets the lexemes of its present text.

What clients see does not change, so no change number is taken and no session is locked. A batch never waits for a row
that a transaction has locked, so it cannot deadlock with one; such rows are renewed one at a time afterwards. The text
is read before the update: the update repeats that the message is not deleted and has the revision that was read, or
it would bring back the words of a text that is gone.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, and_, bindparam, func, select, tuple_, update

from app.db.access.database import Database
from app.db.access.statement import OWNER, Row, Statement, across_owners, statement, variant
from app.db.message import search_vector, words_of
from app.db.operations.sweep import Owner
from app.db.reading.nested import parent_arrays, parent_table
from app.db.tables import messages
from app.db.tables.columns import BytewiseText, Uuid

m = messages.c
BATCH_SIZE = 200
NO_SESSION = "00000000-0000-0000-0000-000000000000"
INDEXED = and_(m.tsv.is_not(None), m.deleted_at.is_(None))


class IndexedRow(Row):
    """The key of an indexed message, its revision, and the searchable beginning of its text."""

    owner_id: str
    session_id: str
    sequence: int
    revision: int
    text: str


class LockedRow(Row):
    """The key of a message whose index entry is right now."""

    session_id: str
    sequence: int


_position = tuple_(
    bindparam("after_owner", type_=BytewiseText),
    bindparam("after_session", type_=Uuid),
    bindparam("after_sequence", type_=Integer),
)
_key = (m.owner_id, m.session_id, m.sequence)
BATCH = across_owners(
    "reindex.batch",
    "The indexed messages after a message, in the order of their keys.",
    select(*_key, m.revision, func.left(m.text, bindparam("searchable", type_=Integer)).label("text"))
    .where(tuple_(*_key) > _position, INDEXED)
    .order_by(*_key)
    .limit(bindparam("limit", type_=Integer)),
    IndexedRow,
)
_read = parent_table(session_id=Uuid, sequence=Integer, revision=BigInteger, words=Text)


def _renewing(*, skip_locked: bool) -> Statement[LockedRow]:
    same = and_(m.session_id == _read.c.session_id, m.sequence == _read.c.sequence, m.revision == _read.c.revision)
    locked = (
        select(m.owner_id, m.session_id, m.sequence, _read.c.words)
        .select_from(_read.join(messages, same))
        .where(m.owner_id == OWNER, INDEXED)
        .with_for_update(of=messages, skip_locked=skip_locked)
        .cte("locked")
    )
    vector = search_vector(locked.c.words)
    renewed = (
        update(messages)
        .where(
            m.owner_id == OWNER,
            m.session_id == locked.c.session_id,
            m.sequence == locked.c.sequence,
            m.tsv.is_distinct_from(vector),
        )
        .values(tsv=vector)
        .cte("renewed")
    )
    return statement(
        variant("reindex.renew", "skip_locked" if skip_locked else "waiting"),
        "Renews the index entries of messages that have the revisions at which their texts were read.",
        select(locked.c.session_id, locked.c.sequence).add_cte(renewed),
        LockedRow,
        custom_plan=True,
    )


RENEW, RENEW_WAITING = _renewing(skip_locked=True), _renewing(skip_locked=False)


async def run(db: Database, indexing: Mapping[str, Any], after_owner: str = "") -> AsyncIterator[tuple[str, int]]:
    """Renews all messages of the owners from `after_owner` on; yields an owner and a number after each of its batches.

    An entry that is right already is not written, so an interrupted run may start again from the beginning.
    """
    position: tuple[str, str, int] = (after_owner, NO_SESSION, 0)
    while batch := await _batch(db, indexing, position, BATCH_SIZE):
        for owner, group in groupby(batch, attrgetter("owner_id")):
            rows = list(group)
            renewed = await _renew(db, RENEW, rows, indexing)
            for row in rows:
                if (row.session_id, row.sequence) not in renewed:
                    await _renew_changed(db, row, indexing)
            yield owner, len(rows)
        position = batch[-1].owner_id, batch[-1].session_id, batch[-1].sequence


async def _batch(
    db: Database, indexing: Mapping[str, Any], position: tuple[str, str, int], limit: int
) -> list[IndexedRow]:
    owner, session_id, sequence = position
    return await db.fetch_across(
        BATCH,
        after_owner=owner,
        after_session=session_id,
        after_sequence=sequence,
        searchable=indexing["searchable"],
        limit=limit,
    )


async def _renew(
    db: Database, statement: Statement[LockedRow], rows: Sequence[IndexedRow], indexing: Mapping[str, Any]
) -> set[tuple[str, int]]:
    """Renews messages of one owner; returns the keys of those that had the revision that was read."""
    values = [(row.session_id, row.sequence, row.revision, words_of(row.text, indexing)) for row in rows]
    arrays = parent_arrays(("session_id", "sequence", "revision", "words"), values)
    found = await db.fetch(Owner(rows[0].owner_id), statement, **arrays, config=indexing["config"])
    return {(row.session_id, row.sequence) for row in found}


async def _renew_changed(db: Database, row: IndexedRow, indexing: Mapping[str, Any]) -> None:
    """Renews one message that was locked or has changed, until its text is the one that was read, or it is gone."""
    key = row.owner_id, row.session_id, row.sequence
    while True:
        again = await _batch(db, indexing, (*key[:2], row.sequence - 1), 1)
        if not again or (again[0].owner_id, again[0].session_id, again[0].sequence) != key:
            return
        if await _renew(db, RENEW_WAITING, again, indexing):
            return
