"""The rows that walk up to the schema: asyncpg records, here with their columns' names and types."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from app.db.access.database import Row


class Entity(Row):
    """What a statement may add to a row: its cursor on a page, its parent's place (from 1) when read for several."""

    cursor: str
    parent: int


class MessageKey(NamedTuple):
    """The identity of a message."""

    session_id: str
    sequence: int


class SessionRow(Entity):
    """One session; `head` counts every change in it, `revision` is its own newest one."""

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
    """One entry of the catalogue."""

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


class ListedAgent(NamedTuple):
    """A light row of the catalogue that came beside an agent's part."""

    id: str
    key: str | None
    name: str
    type: str
    status: str


class SessionAgentRow(Entity):
    """One agent's part in one session."""

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
    """One message; its identity is (session_id, sequence). `documented`: it has a `raw`, read only when asked for."""

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


class DocumentRow(MessageRow):
    """A message with its document, and the blocks that were made of it unless its text is all there is."""

    raw: str | None
    content: str | None


class StreamingRow(MessageRow):
    """A message with its text whole, and as long as it says, also while it is being written."""

    length: int


class FoundRow(MessageRow):
    """A message that matches a search: how well, from 0 to 1, and where: between two marks in the headline."""

    rank: float
    headline: str
    mark: str


class TaskRow(Entity):
    """One piece of work; its revision is the session's number or, without a session, its own count."""

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


class AuditRow(Entity):
    """That somebody did something to a thing."""

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


class ChangeRow(Row):
    """That something in a session has changed: of which kind, and its key there."""

    revision: int
    kind: str
    sequence: int
    part_kind: str
    part_key: str


class ChunkRow(Row):
    """A piece of the text of a message that is being written."""

    sequence: int
    offset: int
    text: str
