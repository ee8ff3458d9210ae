"""The audit log: each event is written in the transaction whose effect it records, and never changed.

The actor comes from the transaction's origin.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Integer, Text, and_, bindparam, func, insert, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from uuid_utils.compat import uuid7

from app.db.access.reads import Reads
from app.db.access.statement import OWNER, Row, Statement, statement, variant
from app.db.access.transaction import SYSTEM, Origin, Tx, Viewer
from app.db.reading.nested import one_of_each
from app.db.reading.order import Order, direction, time_key, uuid_key
from app.db.reading.page import Count, Slice, Window
from app.db.reading.root import read_page
from app.db.reading.rows import AgentRow, ApprovalRow, AuditRow, Entity, MessageRow, SessionRow, TaskRow
from app.db.tables import audit_events
from app.db.tables.columns import Timestamp, Uuid

e = audit_events.c
KINDS: dict[type[Entity], str] = {SessionRow: "SESSION", AgentRow: "AGENT", TaskRow: "TASK", ApprovalRow: "APPROVAL"}

FIRST_ID = str(UUID(int=0))
OCCURRED = Order("occurred", "u", (time_key(e.at), uuid_key(e.id)))
BY_IDS = statement(
    "audit.by_ids",
    "The audit events with these ids.",
    one_of_each(audit_events, e.id, bindparam("ids", type_=ARRAY(Uuid))),
    AuditRow,
)
INSERT_COLUMNS = (
    *("id", "event_type", "actor", "role", "trace_id"),
    *("subject_kind", "subject_id", "subject_sequence", "metadata"),
)
RECORD: Statement[Row] = statement(
    "audit.record",
    "Inserts an audit event.",
    insert(audit_events).values(
        owner_id=OWNER, **{name: bindparam(name, type_=e[name].type) for name in INSERT_COLUMNS}
    ),
)


class Subject(NamedTuple):
    """The subject of an event: its kind and id; for a message the id of its session, and its sequence."""

    kind: str
    id: str
    sequence: int | None = None

    @classmethod
    def of(cls, row: Entity) -> "Subject":
        """The subject that a row is."""
        if isinstance(row, MessageRow):
            return cls("MESSAGE", row.session_id, row.sequence)
        return cls(KINDS[type(row)], row["id"])


async def record(tx: Tx, event_type: str, row: Entity, *, role: str | None = None, **metadata: Any) -> None:
    """Records what the transaction does to `row`. `metadata` holds ids and codes only: it outlives the row.

    `role` is the role that permitted the action, if one did; otherwise the first role of the token is recorded.
    """
    await _insert(tx, tx.origin._replace(role=role or tx.origin.role), event_type, row, metadata)


async def record_system(tx: Tx, event_type: str, row: Entity, **metadata: Any) -> None:
    """As `record`, for an effect that no request asked for: actor `system`, no role, the trace of its cause."""
    await _insert(tx, SYSTEM._replace(trace_id=tx.origin.trace_id), event_type, row, metadata)


async def _insert(tx: Tx, origin: Origin, event_type: str, row: Entity, metadata: Mapping[str, Any]) -> None:
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
SINCE, UNTIL = bindparam("since", type_=Timestamp), bindparam("until", type_=Timestamp)
SUBJECT = bindparam("subject_id", type_=Uuid)
SUBJECT_AND_CODES = and_(
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
)
MATCHING = and_(SUBJECT_AND_CODES, or_(SINCE.is_(None), e.at >= SINCE), or_(UNTIL.is_(None), e.at < UNTIL))
COUNT = statement(
    "audit.count",
    "The number of audit events that match a filter.",
    select(func.count().label("total")).select_from(audit_events).where(MATCHING),
    Count,
    custom_plan=True,
)


@cache
def _page(backward: bool) -> Statement[AuditRow]:
    return statement(
        variant("audit.page", direction(backward)),
        "A page of the owner's audit events that match a filter, the oldest event first.",
        OCCURRED.page(select(audit_events).where(SUBJECT_AND_CODES), backward),
        AuditRow,
        custom_plan=True,
    )


async def page(db: Reads, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[AuditRow]:
    """One page of the viewer's audit events, the oldest first; a filter that is not set is None."""
    bounds, codes = OCCURRED.bounds(window), dict(filters)
    since, until = codes.pop("since"), codes.pop("until")
    # Bounds of the page: besides these, a condition on the time would be checked row by row.
    if since is not None and since > bounds["after_0"]:
        bounds |= {"after_0": since, "after_1": FIRST_ID}
    if until is not None and until < bounds["before_0"]:
        bounds |= {"before_0": until, "before_1": FIRST_ID}
    return await read_page(db, viewer, _page(window.backward), COUNT, window, bounds, codes, filters)
