"""Statements on records. A record whose time has passed counts as absent, whether or not the sweeper has removed it.

A live record that is deleted leaves a tombstone, so that readers learn of it: an empty row whose time has always
passed. Its statements and those of other programs treat it as an absent record, and a put replaces it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    LargeBinary,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB, insert

from app.db.access.reads import Reads
from app.db.access.statement import OWNER, Row, Statement, statement, variant
from app.db.access.transaction import Tx, Viewer
from app.db.reading.matching import contains
from app.db.reading.nested import one_of_each, parent_arrays, parent_table
from app.db.reading.order import Order, SortKey, direction, time_key
from app.db.reading.page import Count, Slice, Window
from app.db.reading.root import read_page
from app.db.reading.rows import RecordRow
from app.db.tables import records, sessions
from app.db.tables.columns import BytewiseText, Timestamp, Uuid
from app.record_path import HIGHEST, KEY_START, LIVE

r = records.c
CLIENT_COLUMNS = [column for column in r if column.key not in ("tags", "text", "changed_xid")]
IS_LIVE = and_(r.path >= literal(LIVE.low, BytewiseText), r.path < literal(LIVE.high, BytewiseText))


def _not_expired(record: Any) -> ColumnElement[bool]:
    return or_(record["expires_at"].is_(None), record["expires_at"] > func.now())


NOT_EXPIRED = _not_expired(r)
PATH = SortKey(r.path, BytewiseText, r.path, str, "", HIGHEST)
ORDERS = {
    (field, ending): Order(f"{field}_{ending}".lower(), tag, keys, descending=ending == "DESC")
    for field, tag, keys in (("KEY", "k", (PATH,)), ("UPDATED_AT", "u", (time_key(r.updated_at), PATH)))
    for ending in ("ASC", "DESC")
}

PATHS = bindparam("paths", type_=ARRAY(Text))
_at_paths = one_of_each(records, r.path, PATHS)
_found = _at_paths.selected_columns
_columns = [_found[column.key] for column in CLIENT_COLUMNS]
BY_PATHS = statement(
    "record.by_paths",
    "The records at these paths.",
    _at_paths.with_only_columns(*_columns).where(_not_expired(_found)),
    RecordRow,
)


class RecordChangeRow(RecordRow):
    """A live record, or what its deletion left: then `is_present` is false. `id` is its path."""

    id: str
    is_present: bool


CHANGED = statement(
    "record.changed",
    "The live records at these paths, deleted ones too: their removal is a change.",
    _at_paths.with_only_columns(*_columns, _found["path"].label("id"), _not_expired(_found).label("is_present")),
    RecordChangeRow,
)

NEW_TYPES: dict[str, Any] = {
    "path": Text,
    "session_id": Uuid,
    "value": Text,
    "binary": LargeBinary,
    "metadata": JSON,
    "tags": JSONB,
    "text": Text,
    "expires_at": Timestamp,
}
_new = parent_table(**NEW_TYPES)
# The program's clock, and not now(): Citus refuses now() in a CASE.
AT = bindparam("at", type_=Timestamp)
_put = insert(records).from_select(
    ["owner_id", *NEW_TYPES, "revision", "created_at", "updated_at"],
    select(OWNER, *(_new.c[name] for name in NEW_TYPES), literal(1, BigInteger), AT, AT),
    include_defaults=False,
)
# Of the new row, and not parameters: Citus passes on none in the ON CONFLICT of a SELECT.
_at, _one = _put.excluded.updated_at, _put.excluded.revision
_lives = or_(r.expires_at.is_(None), r.expires_at > _at)
PUT = statement(
    "record.put",
    "Inserts records, and replaces those that exist at their paths.",
    _put.on_conflict_do_update(
        index_elements=["owner_id", "path"],
        set_={
            **{name: _put.excluded[name] for name in NEW_TYPES if name != "path"},
            "revision": case((_lives, r.revision + _one), else_=_one),
            "created_at": case((_lives, r.created_at), else_=_at),
            "updated_at": _at,
        },
    ).returning(*CLIENT_COLUMNS),
    RecordRow,
)
s = sessions.c
LOCK_SESSIONS: Statement[Row] = statement(
    "record.lock_sessions",
    "The sessions with these ids that are not deleted, locked against their deletion until the commit.",
    select(s.id)
    .where(s.owner_id == OWNER, s.id == any_(bindparam("ids", type_=ARRAY(Uuid))), s.deleted_at.is_(None))
    .order_by(s.id)
    .with_for_update(read=True),
)

KEY = func.split_part(r.path, KEY_START, 2, type_=BytewiseText)
LOW, HIGH = bindparam("low", type_=BytewiseText), bindparam("high", type_=BytewiseText)
KEY_FROM, KEY_TO = bindparam("key_from", type_=BytewiseText), bindparam("key_to", type_=BytewiseText)
TAGS, SEARCHED = bindparam("tags", type_=JSONB), bindparam("text", type_=Text)
IN_RANGE = and_(r.owner_id == OWNER, r.path >= LOW, r.path < HIGH)
MATCHING = and_(
    IN_RANGE,
    NOT_EXPIRED,
    or_(KEY_FROM.is_(None), KEY >= KEY_FROM),
    or_(KEY_TO.is_(None), KEY <= KEY_TO),
    or_(TAGS.is_(None), r.tags.contains(TAGS)),
    or_(SEARCHED.is_(None), contains(r.text, SEARCHED)),
)
COUNT = statement(
    "record.count",
    "The number of records that match a filter.",
    select(func.count().label("total")).select_from(records).where(MATCHING),
    Count,
    custom_plan=True,
)


TOMBSTONE = {
    "value": "null",
    "binary": null(),
    **dict.fromkeys(("metadata", "tags"), "{}"),
    "text": "",
    "expires_at": cast(literal("-infinity", Text), Timestamp),
    "updated_at": func.now(),
}
"""The columns of the tombstone of a live record."""


class Deleted(Row):
    """The number of deleted records, and how many of them were live."""

    total: int
    live: int


def _delete(name: str, sentence: str, *conditions: ColumnElement[bool]) -> Statement[Deleted]:
    removed = delete(records).where(*conditions, not_(IS_LIVE)).returning(r.owner_id, r.expires_at).cte("removed")
    emptied = update(records).where(*conditions, IS_LIVE, NOT_EXPIRED).values(TOMBSTONE).returning(r.owner_id)
    live = emptied.cte("emptied")
    had_time = or_(removed.c.expires_at.is_(None), removed.c.expires_at > func.now())  # Citus: no now() in RETURNING
    deleted = union_all(
        select(literal(0).label("live")).where(removed.c.owner_id == OWNER, had_time),
        select(literal(1).label("live")).where(live.c.owner_id == OWNER),
    ).subquery("deleted")
    totals = select(func.count().label("total"), func.coalesce(func.sum(deleted.c.live), 0).label("live"))
    return statement(name, sentence, totals.select_from(deleted), Deleted, custom_plan=True)


DELETE_PATHS = _delete(
    "record.delete_paths", "Deletes the records at these paths.", r.owner_id == OWNER, r.path == any_(PATHS)
)
DELETE_RANGE = _delete(
    "record.delete_range",
    "Deletes the records below a namespace, up to a key.",
    IN_RANGE,
    or_(KEY_TO.is_(None), KEY <= KEY_TO),
)


@cache
def _page(order: Order, backward: bool) -> Statement[RecordRow]:
    return statement(
        variant("record.page", order.name, direction(backward)),
        "A page of the records below a namespace that match a filter.",
        order.page(select(*CLIENT_COLUMNS).where(MATCHING), backward),
        RecordRow,
        custom_plan=True,
    )


async def page(db: Reads, viewer: Viewer, window: Window, order: Order, filters: Mapping[str, Any]) -> Slice[RecordRow]:
    """One page of the viewer's records; `filters` are the parameters of `MATCHING`."""
    return await read_page(db, viewer, _page(order, window.backward), COUNT, window, order.bounds(window), filters)


async def put(tx: Tx, new: Sequence[Mapping[str, Any]], at: datetime) -> list[RecordRow]:
    """The records as they are stored, in the order of `new`, whose columns are those of `NEW_TYPES`.

    The statement takes its rows in the order of their paths: two puts of the same records lock them in one order.
    """
    ordered = sorted(new, key=lambda record: record["path"])
    arrays = parent_arrays(tuple(NEW_TYPES), [tuple(record[name] for name in NEW_TYPES) for record in ordered])
    rows = {row.path: row for row in await tx.fetch(PUT, **arrays, at=at)}
    return [rows[record["path"]] for record in new]


async def remove(tx: Tx, statement: Statement[Deleted], **values: Any) -> int:
    """Deletes records with `DELETE_PATHS` or `DELETE_RANGE`; returns how many there were."""
    deleted = await tx.one(statement, **values)
    assert deleted is not None  # a count
    if deleted.live:
        tx.record_change("", 0)
    return deleted.total
