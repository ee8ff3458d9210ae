"""The audit: who did what to which thing, in the transaction that did it. Append-only by a trigger."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from app.db.tables.columns import Ordered, Uuid, document, metadata, moment, owner

audit_events = Table(
    "audit_events",
    metadata,
    owner(),
    Column("id", Uuid, nullable=False),
    Column("event_type", Ordered, nullable=False),
    Column("actor", Text, nullable=False, doc="The token's subject, or `system`."),
    Column("role", Ordered, doc="The token's, never an input."),
    Column("trace_id", Ordered, doc="32 hexadecimal digits, from `traceparent`."),
    moment("at"),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False, doc="Its id; a message's session."),
    Column("subject_sequence", Integer, doc="A message's place in its session."),
    document("metadata"),
    PrimaryKeyConstraint("owner_id", "id"),
    CheckConstraint("subject_kind IN ('SESSION', 'MESSAGE', 'AGENT', 'TASK', 'APPROVAL')", name="subject_kind"),
    CheckConstraint("(subject_kind = 'MESSAGE') = (subject_sequence IS NOT NULL)", name="subject_sequence"),
)
e = audit_events.c
Index("audit_events_at", e.owner_id, e.at, e.id)
Index("audit_events_subject", e.owner_id, e.subject_id, e.at, e.id)
