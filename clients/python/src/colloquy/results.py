"""The types of results: frozen dataclasses with the schema's names in snake_case. Times are aware, in UTC."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
SessionStatus = Literal["PENDING", "ACTIVE", "COMPLETED", "FAILED", "EXPIRED"]
MessageRole = Literal["USER", "ASSISTANT", "SYSTEM", "TOOL"]
MessageStatus = Literal["STREAMING", "COMPLETE", "CANCELLED", "FAILED"]
PartsFormat = Literal["AI_SDK", "AG_UI", "OTHER"]
AgentStatus = Literal["AVAILABLE", "BUSY", "OFFLINE", "RETIRED"]
TaskStatus = Literal["PENDING", "ACTIVE", "COMPLETED", "FAILED", "CANCELLED"]
ApprovalStatus = Literal["PENDING", "APPROVED", "REJECTED", "CANCELLED"]
Decision = Literal["APPROVE", "REJECT", "CANCEL"]
SessionAgentKind = Literal["AGENT", "MULTI_AGENT"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """The token's subject, scopes and roles."""

    id: str
    subject: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation. A subscription after `event_cursor` misses no change that this result lacks."""

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
    """The tokens that a model read and wrote for a message."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class AgentKey:
    """The session agent that wrote a message, by the key that its framework gave it."""

    key: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `raw` is the document that its producer sent, character for character.

    `parts`: what a producer has written so far of a message that consists of parts; None for any other message, and
    where a message does not come from an event or from the start of an answer.
    """

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
    parts: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class StartedMessage:
    """A streaming message, and the fence that its producer sends with every text and all parts."""

    message: Message
    fence: str


@dataclass(frozen=True, slots=True)
class SessionAgent:
    """An agent in a session, with the state that its framework stores."""

    id: str
    key: str
    kind: SessionAgentKind
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
    """An agent of the catalogue."""

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
    """A piece of work that one role hands to another."""

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
    """A decision on a task, or on a tool call in a message."""

    id: str
    tool_use_id: str | None
    approver_role: str | None
    status: ApprovalStatus
    notes: str | None
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SessionId:
    """The session that a record is erased with."""

    id: str


@dataclass(frozen=True, slots=True)
class Record:
    """A document under a key: `value` or `bytes`, as it was put."""

    id: str
    namespace: tuple[str, ...]
    key: str
    value: Any
    bytes: bytes | None
    metadata: Any
    revision: int
    session: SessionId | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RecordNamespace:
    """A namespace that has records, shortened to the labels of `max_depth`."""

    namespace: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageInfo:
    """The cursors of a page, and whether a page follows or precedes it."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a connection. `total` counts the nodes of all pages, None unless requested."""

    nodes: list[T]
    info: PageInfo
    total: int | None = None


@dataclass(frozen=True, slots=True)
class CreatedSession:
    """A new session, and the sessions that the cap on active ones archived for it."""

    session: Session
    evicted: tuple[Session, ...] = ()


@dataclass(frozen=True, slots=True)
class Deletion:
    """The id of the deleted object, None after a dry run, and the number of messages deleted with it."""

    id: str | None
    message_count: int = 0
