"""The audit: written in the transaction that does what it tells, never changed; by whom, the transaction knows."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Integer, Text, and_, any_, bindparam, func, insert, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from uuid_utils.compat import uuid7

from app.db.access.database import OWNER, SYSTEM, Database, Origin, Row, Statement, Tx, Viewer, statement
from app.db.reading.page import Count, Order, Slice, Window, identity, read, time
from app.db.reading.rows import AgentRow, ApprovalRow, AuditRow, Entity, MessageRow, SessionRow, TaskRow
from app.db.tables import audit_events
from app.db.tables.columns import Moment, Uuid

e = audit_events.c
KINDS: dict[type[Entity], str] = {SessionRow: "SESSION", AgentRow: "AGENT", TaskRow: "TASK", ApprovalRow: "APPROVAL"}

OCCURRED = Order("u", (time(e.at), identity(e.id)))
BY_IDS = statement(
    select(audit_events).where(e.owner_id == OWNER, e.id == any_(bindparam("ids", type_=ARRAY(Uuid)))), AuditRow
)
NAMES = ("id", "event_type", "actor", "role", "trace_id", "subject_kind", "subject_id", "subject_sequence", "metadata")
RECORD: Statement[Row] = statement(
    insert(audit_events).values(owner_id=OWNER, **{name: bindparam(name, type_=e[name].type) for name in NAMES})
)


class Subject(NamedTuple):
    """What an event is about: the kind of thing, its id, and for a message its session's id and its place."""

    kind: str
    id: str
    sequence: int | None = None

    @classmethod
    def of(cls, row: Entity) -> "Subject":
        """The thing that a row is."""
        if isinstance(row, MessageRow):
            return cls("MESSAGE", row.session_id, row.sequence)
        return cls(KINDS[type(row)], row["id"])


async def record(tx: Tx, event_type: str, row: Entity, *, role: str | None = None, **metadata: Any) -> None:
    """What the transaction does to `row`. `metadata` holds ids and codes only: it outlives the row.

    The role is the one that allowed it, where one did; otherwise the first of the token's.
    """
    await _write(tx, tx.origin._replace(role=role or tx.origin.role), event_type, row, metadata)


async def record_system(tx: Tx, event_type: str, row: Entity, **metadata: Any) -> None:
    """The same for what nobody asked for: actor `system`, no role, in the trace of whatever caused it."""
    await _write(tx, SYSTEM._replace(trace_id=tx.origin.trace_id), event_type, row, metadata)


async def _write(tx: Tx, origin: Origin, event_type: str, row: Entity, metadata: Mapping[str, Any]) -> None:
    subject = Subject.of(row)
    await tx.fetch(
        RECORD,
        id=str(uuid7()),
        event_type=event_type,
        **origin._asdict(),
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_sequence=subject.sequence,
        metadata=orjson.dumps(metadata).decode(),
    )


EVENT_TYPE, ROLE = bindparam("event_type", type_=Text), bindparam("role", type_=Text)
TRACE = bindparam("trace_id", type_=Text)
SINCE, UNTIL = bindparam("since", type_=Moment), bindparam("until", type_=Moment)
SUBJECT = bindparam("subject_id", type_=Uuid)
MATCHING = and_(
    e.owner_id == OWNER,
    or_(EVENT_TYPE.is_(None), e.event_type == EVENT_TYPE),
    or_(ROLE.is_(None), e.role == ROLE),
    or_(TRACE.is_(None), e.trace_id == TRACE),
    or_(
        SUBJECT.is_(None),
        and_(
            e.subject_id == SUBJECT,
            e.subject_kind == bindparam("subject_kind", type_=Text),
            func.coalesce(e.subject_sequence, 0) == func.coalesce(bindparam("subject_sequence", type_=Integer), 0),
        ),
    ),
    or_(SINCE.is_(None), e.at >= SINCE),
    or_(UNTIL.is_(None), e.at < UNTIL),
)
COUNT = statement(
    select(func.count().label("total")).select_from(audit_events).where(MATCHING), Count, custom_plan=True
)


@cache
def _page(backward: bool) -> Statement[AuditRow]:
    return statement(OCCURRED.page(select(audit_events).where(MATCHING), backward), AuditRow, custom_plan=True)


async def page(db: Database, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[AuditRow]:
    """One page of the viewer's audit, the oldest event first; filters not given are None."""
    return await read(db, viewer, _page(window.backward), COUNT, window, OCCURRED, filters)
