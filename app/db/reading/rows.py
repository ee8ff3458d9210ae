"""The rows that statements return and the schema resolves: the driver's records, with column names and types."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from app.db.access.statement import Row


class MessageKey(NamedTuple):
    """The identity of a message."""

    session_id: str
    sequence: int


class Entity(Row):
    """A row of a noun. A page adds its cursor, a read for several parents the index of its parent (from 1)."""

    cursor: str
    parent: int


class SessionRow(Entity):
    """One session; `head` is the newest change number in it, `revision` that of the session's own newest change.

    Queries also read when PostgreSQL started, in seconds since 1970: only until its next start does a head count once.
    `agents` and `last` are JSON, of statements that read agents or the session's newest message too: see `joined`.
    """

    postgres_started: float
    agents: str | None
    last: str | None

    owner_id: str
    id: str
    key: str | None
    title: str
    status: str
    role: str | None
    agent_type: str | None
    task_id: str | None
    metadata: str
    head: int
    revision: int
    horizon: int
    last_sequence: int
    message_count: int
    unread_count: int
    last_read_sequence: int
    client_created_at: datetime | None
    created_at: datetime
    updated_at: datetime
    last_activity_at: datetime
    expires_at: datetime | None
    archived_at: datetime | None
    deleted_at: datetime | None
    erased_at: datetime | None


class AgentRow(Entity):
    """One agent of the catalogue."""

    owner_id: str
    id: str
    key: str | None
    name: str
    description: str | None
    type: str
    status: str
    skills: list[str]
    hourly_rate: Decimal | None
    metadata: str
    revision: int
    created_at: datetime
    updated_at: datetime


class PartialAgent(NamedTuple):
    """A partial row of the catalogue that was read together with a session agent."""

    id: str
    key: str | None
    name: str
    type: str
    status: str


class PartialSessionAgent(NamedTuple):
    """A partial session agent that came with another row."""

    session_id: str
    kind: str
    key: str
    agent_id: str | None


class PartialMessage(NamedTuple):
    """A partial message that came with its session; `agent_id` is that of its session agent."""

    agent_id: str | None
    session_id: str
    sequence: int
    key: str | None
    agent_key: str | None
    role: str
    status: str
    text: str
    created_at: str


class SessionAgentRow(Entity):
    """One agent in one session."""

    owner_id: str
    session_id: str
    kind: str
    key: str
    agent_id: str | None
    state: str
    conversation_manager_state: str
    internal_state: str
    raw: str | None
    created_revision: int
    revision: int
    client_created_at: datetime | None
    created_at: datetime
    updated_at: datetime


class MessageRow(Entity):
    """One message. `documented`: it has a `raw`, which only the statements of `DocumentRow` read."""

    owner_id: str
    session_id: str
    sequence: int
    key: str | None
    agent_key: str | None
    role: str
    status: str
    text: str
    documented: bool
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    metadata: str
    created_revision: int
    revision: int
    client_created_at: datetime | None
    created_at: datetime
    updated_at: datetime
    redacted_at: datetime | None
    deleted_at: datetime | None


class LastMessageRow(MessageRow):
    """A partial message with its agent in the catalogue: `agent_id` is that of its session agent."""

    agent_id: str | None


class DocumentRow(MessageRow):
    """A message with its document, and its content blocks; `content` is None if the text is the only block."""

    raw: str | None
    content: str | None


class StreamingRow(MessageRow):
    """A message with its text so far, also while the message is being written."""


class StreamedRow(StreamingRow):
    """The same as readers of events join it: with the parts so far, one per line, and the length of text or parts.

    `parts_format` is None for a stream of text.
    """

    parts: str | None
    parts_format: str | None
    length: int


class FoundRow(MessageRow):
    """A message that matches a search: `rank` from 0 to 1; `lexemes` is the query as PostgreSQL understood it.

    `number_ranked`: how many matches were ranked; only in a page of the most recent messages.
    """

    rank: float
    lexemes: str
    number_ranked: int


class TaskRow(Entity):
    """One task; `revision` is the session's change number or, without a session, a count of the task's changes."""

    owner_id: str
    id: str
    session_id: str | None
    type: str
    from_role: str | None
    to_role: str | None
    payload: str
    trace_id: str | None
    status: str
    revision: int
    created_at: datetime
    updated_at: datetime


class ApprovalRow(Entity):
    """One decision that a task, a tool call in a message, or both wait for."""

    owner_id: str
    id: str
    session_id: str | None
    task_id: str | None
    message_sequence: int | None
    tool_use_id: str | None
    approver_role: str | None
    status: str
    notes: str | None
    decided_by: str | None
    decided_at: datetime | None
    revision: int
    created_at: datetime


class RecordRow(Entity):
    """One record; `path` is its namespace and key, see `app/record_path.py`."""

    owner_id: str
    path: str
    session_id: str | None
    value: str | None
    binary: bytes | None
    metadata: str
    revision: int
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class RecordNamespaceRow(Entity):
    """A namespace that has records, as the beginning of their paths."""

    prefix: str


class AuditRow(Entity):
    """One event of the audit log: an actor did something to a subject."""

    owner_id: str
    id: str
    event_type: str
    actor: str
    role: str | None
    trace_id: str | None
    at: datetime
    subject_kind: str
    subject_id: str
    subject_sequence: int | None
    metadata: str


class HeadRow(Row):
    """How far the changes of a session go; `streaming`: a message in it is being written."""

    head: int
    revision: int
    horizon: int
    erased_at: datetime | None
    fork_revision: int | None
    streaming: bool


class ChangeRow(Row):
    """One changed row of a session: its kind, its change number, and its key in the session.

    `sequence` is a message's key, (`agent_kind`, `key`) that of a session agent, `key` the id of a task or approval.
    The kind "history" is no change: see `app.db.session_history`.
    """

    revision: int
    kind: str
    sequence: int
    agent_kind: str
    key: str


class ChunkRow(Row):
    """One chunk of a streaming message; `offset` in code points or parts, `parts` as JSON texts, one per line."""

    sequence: int
    offset: int
    text: str
    parts: str | None
