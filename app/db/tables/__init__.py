"""Every table, a file per noun, and the metadata that Alembic compares with the database."""

from app.db.tables.agent import agents
from app.db.tables.approval import approvals
from app.db.tables.audit import audit_events
from app.db.tables.columns import metadata
from app.db.tables.idempotency import idempotency_keys
from app.db.tables.message import messages
from app.db.tables.record import records
from app.db.tables.session import sessions
from app.db.tables.session_agent import session_agents
from app.db.tables.session_totals import count_positions, counted_sessions, session_totals
from app.db.tables.streaming_message import message_chunks, streams
from app.db.tables.task import tasks

__all__ = [
    "agents",
    "approvals",
    "audit_events",
    "count_positions",
    "counted_sessions",
    "idempotency_keys",
    "message_chunks",
    "messages",
    "metadata",
    "records",
    "session_agents",
    "session_totals",
    "sessions",
    "streams",
    "tasks",
]
