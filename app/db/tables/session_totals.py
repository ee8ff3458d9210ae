"""The totals of an owner's sessions by agent type, what they contain of each session, and up to which change."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table

from app.db.tables.columns import BytewiseText, Uuid, Xid8, metadata, owner_column

counted_sessions = Table(
    "counted_sessions",
    metadata,
    owner_column(),
    Column("session_id", Uuid, nullable=False),
    Column("agent_type", BytewiseText, nullable=False, doc="Empty for a session without one."),
    Column("active", Integer, nullable=False, doc="1 for a session that is PENDING or ACTIVE and not archived, or 0."),
    Column("archived", Integer, nullable=False, doc="1 or 0."),
    Column("unread", Integer, nullable=False, doc="1 for a session with unread messages that is not archived, or 0."),
    Column("messages", Integer, nullable=False),
    PrimaryKeyConstraint("owner_id", "session_id"),
)
Index(
    "counted_sessions_active",
    counted_sessions.c.owner_id,
    counted_sessions.c.agent_type,
    counted_sessions.c.session_id,
    postgresql_where=counted_sessions.c.active == 1,
)
session_totals = Table(
    "session_totals",
    metadata,
    owner_column(),
    Column("agent_type", BytewiseText, nullable=False, doc="Empty for sessions without one."),
    Column("sessions", Integer, nullable=False),
    Column("active", Integer, nullable=False),
    Column("archived", Integer, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("messages", BigInteger, nullable=False),
    PrimaryKeyConstraint("owner_id", "agent_type"),
)
count_positions = Table(
    "count_positions",
    metadata,
    owner_column(),
    Column(
        "epoch", BigInteger, nullable=False, doc="The cluster that `xid` belongs to: another one counts from the start."
    ),
    Column("xid", Xid8, nullable=False, doc="Changes of sessions by earlier transactions have been counted."),
    Column("id", Uuid, nullable=False, doc="Of the transaction `xid`, the changes of sessions up to this id."),
    PrimaryKeyConstraint("owner_id"),
)
