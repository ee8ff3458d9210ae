"""What the server answers: frozen, and named as in the schema, in snake_case. Times are aware, in UTC."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
SessionStatus = Literal["PENDING", "ACTIVE", "COMPLETED", "FAILED", "EXPIRED"]
MessageRole = Literal["USER", "ASSISTANT", "SYSTEM", "TOOL"]
MessageStatus = Literal["STREAMING", "COMPLETE", "CANCELLED", "FAILED"]
AgentStatus = Literal["AVAILABLE", "BUSY", "OFFLINE", "RETIRED"]
TaskStatus = Literal["PENDING", "ACTIVE", "COMPLETED", "FAILED", "CANCELLED"]
ApprovalStatus = Literal["PENDING", "APPROVED", "REJECTED", "CANCELLED"]
Decision = Literal["APPROVE", "REJECT", "CANCEL"]
Kind = Literal["AGENT", "MULTI_AGENT"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who the token says you are."""

    id: str
    subject: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation. `event_cursor` is where its events must start so that nothing is missed."""

    id: str
    key: str | None
    title: str
    status: SessionStatus
    role: str | None
    agent_type: str | None
    metadata: Any
    revision: int
    message_count: int
    unread_count: int
    streaming: bool
    last_read_sequence: int
    created_at: datetime
    updated_at: datetime
    last_activity_at: datetime
    expires_at: datetime | None
    archived_at: datetime | None
    deleted_at: datetime | None
    event_cursor: str


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What a message cost, in tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class AgentKey:
    """An agent's part in a session, by its framework's name."""

    key: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `raw` is the document as its producer sent it, character for character."""

    id: str
    key: str | None
    sequence: int
    role: MessageRole
    status: MessageStatus
    text: str
    raw: str | None
    usage: TokenUsage | None
    agent: AgentKey | None
    metadata: Any
    revision: int
    redacted_at: datetime | None
    client_created_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Started:
    """A message that is being written, and the fence that lets its producer go on."""

    message: Message
    fence: str


@dataclass(frozen=True, slots=True)
class SessionAgent:
    """An agent's part in a session: the state that its framework keeps."""

    id: str
    key: str
    kind: Kind
    state: Any
    conversation_manager_state: Any
    internal_state: Any
    raw: str | None
    revision: int
    client_created_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Agent:
    """An entry of the catalogue."""

    id: str
    key: str | None
    name: str
    description: str | None
    type: str
    status: AgentStatus
    skills: tuple[str, ...]
    hourly_rate: Decimal | None
    metadata: Any
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work that one role gives another."""

    id: str
    type: str
    from_role: str | None
    to_role: str | None
    payload: Any
    trace_id: str | None
    status: TaskStatus
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """A decision that somebody waits for."""

    id: str
    tool_use_id: str | None
    approver_role: str | None
    status: ApprovalStatus
    notes: str | None
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where a page lies."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of things in their order. `total` is set where it was asked for."""

    nodes: list[T]
    info: PageInfo
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A new session, and those that the cap on active sessions archived to make room."""

    session: Session
    evicted: tuple[Session, ...] = ()


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted; `id` is None after a dry run."""

    id: str | None
    message_count: int = 0
