"""The audit log: which actor did what to which subject, in the same transaction. A trigger makes it append-only."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from app.db.tables.columns import BytewiseText, Uuid, json_column, metadata, owner_column, timestamp_column

audit_events = Table(
    "audit_events",
    metadata,
    owner_column(),
    Column("id", Uuid, nullable=False),
    Column("event_type", BytewiseText, nullable=False),
    Column("actor", Text, nullable=False, doc="The token's `sub`, or `system`."),
    Column("role", BytewiseText, doc="A role of the token; never a value from the request."),
    Column("trace_id", BytewiseText, doc="32 hexadecimal digits, from `traceparent`."),
    timestamp_column("at"),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False, doc="The id of the subject; for a message the id of its session."),
    Column("subject_sequence", Integer, doc="The sequence of a message."),
    json_column("metadata"),
    PrimaryKeyConstraint("owner_id", "id"),
    CheckConstraint("subject_kind IN ('SESSION', 'MESSAGE', 'AGENT', 'TASK', 'APPROVAL')", name="subject_kind"),
    CheckConstraint("(subject_kind = 'MESSAGE') = (subject_sequence IS NOT NULL)", name="subject_sequence"),
)
e = audit_events.c
Index("audit_events_at", e.owner_id, e.at, e.id)
Index("audit_events_by_type", e.owner_id, e.event_type, e.at, e.id)
Index("audit_events_by_role", e.owner_id, e.role, e.at, e.id, postgresql_where=e.role.is_not(None))
Index("audit_events_by_trace", e.owner_id, e.trace_id, e.at, e.id, postgresql_where=e.trace_id.is_not(None))
Index("audit_events_subject", e.owner_id, e.subject_id, e.at, e.id)
