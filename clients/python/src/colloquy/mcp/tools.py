"""The tools of the MCP server. Their docstrings and descriptions are what a model reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from colloquy import results
from colloquy.async_client import AsyncClient
from colloquy.errors import ColloquyError, Invalid, NotFound
from colloquy.extras import extra

with extra("mcp"):
    from mcp.server.mcpserver.exceptions import ToolError
    from pydantic import Field

StatusName = Literal["pending", "active", "completed", "failed", "expired", "not_found"]
STATUS_NAMES: dict[str, StatusName] = {
    "PENDING": "pending",
    "ACTIVE": "active",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "EXPIRED": "expired",
    "CANCELLED": "failed",
}
ROLES: dict[str, results.MessageRole] = {
    "user": "USER",
    "assistant": "ASSISTANT",
    "system": "SYSTEM",
    "tool": "TOOL",
}
SessionId = Annotated[str | None, Field(description="The session's id.")]
SessionKey = Annotated[str | None, Field(description="The session's key, instead of its id.")]
StatusFilter = Annotated[
    Literal["pending", "active", "completed", "failed", "expired"] | None,
    Field(description="Only sessions with this status."),
]
TitleFilter = Annotated[str | None, Field(description="Only sessions with this text in the title.")]
Role = Annotated[Literal["user", "assistant", "system", "tool"], Field(description="The author.")]
MessageKey = Annotated[
    str | None, Field(description="A unique key: a message that is sent again with its key is stored once.")
]
Before = Annotated[
    str | None, Field(description="The cursor `before` of an earlier result, for the messages before it.")
]


@dataclass(frozen=True)
class Status:
    """The status of a session or a task, and a sentence about it."""

    status: StatusName
    message: str


@dataclass(frozen=True)
class SessionSummary:
    """One session of a list."""

    id: str
    key: str | None
    title: str
    status: str
    message_count: int
    last_activity_at: datetime


@dataclass(frozen=True)
class HistoryMessage:
    """One message of a history."""

    sequence: int
    role: str
    text: str
    agent: str | None
    created_at: datetime


@dataclass(frozen=True)
class History:
    """Messages in order. `before` is the cursor of earlier messages, None at the beginning."""

    messages: list[HistoryMessage]
    before: str | None


class Tools:
    """The tools of one client."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def fetch_status(
        self,
        session_id: SessionId = None,
        session_key: SessionKey = None,
        task_id: Annotated[str | None, Field(description="A task's id, instead of a session.")] = None,
    ) -> Status:
        """Returns the status of a session or a task: pending, active, completed, failed, expired or not_found."""
        _require_one(session_id=session_id, session_key=session_key, task_id=task_id)
        with tool_errors():
            if task_id is not None:
                return _describe("task", await self._client.task(task_id))
            return _describe("session", await self._client.session(session_id, key=session_key))

    async def list_sessions(
        self,
        status: StatusFilter = None,
        title: TitleFilter = None,
        limit: Annotated[int, Field(ge=1, le=100, description="The maximum number of sessions.")] = 20,
    ) -> list[SessionSummary]:
        """Returns sessions, the most recently active first, without archived and deleted ones."""
        statuses = [status.upper()] if status else None
        with tool_errors():
            page = await self._client.session_page(first=limit, query=title, status=statuses)
        return [
            SessionSummary(node.id, node.key, node.title, node.status, node.message_count, node.last_activity_at)
            for node in page.nodes
        ]

    async def read_history(
        self,
        session_id: SessionId = None,
        session_key: SessionKey = None,
        limit: Annotated[int, Field(ge=1, le=100, description="The maximum number of messages.")] = 50,
        before: Before = None,
    ) -> History:
        """Returns the newest messages of a session in order, or those before a cursor."""
        _require_one(session_id=session_id, session_key=session_key)
        with tool_errors():
            page = await self._client.message_page(session_id, session_key=session_key, last=limit, before=before)
            if page is None:
                raise NotFound("session not found")
        earlier = page.info.start_cursor if page.info.has_previous_page else None
        return History([_history_message(node) for node in page.nodes], earlier)

    async def append_message(
        self,
        text: Annotated[str, Field(description="The text of the message.")],
        session_id: SessionId = None,
        session_key: SessionKey = None,
        role: Role = "user",
        key: MessageKey = None,
    ) -> HistoryMessage:
        """Appends a message to a session and returns it."""
        _require_one(session_id=session_id, session_key=session_key)
        with tool_errors():
            target = session_id or await self._session_id(session_key)
            return _history_message(await self._client.append_message(target, ROLES[role], text, key=key))

    async def _session_id(self, key: str | None) -> str:
        session = await self._client.session(key=key)
        if session is None:
            raise NotFound("session not found")
        return session.id


@contextmanager
def tool_errors() -> Iterator[None]:
    """Turns errors of the client into messages that a model can act on."""
    try:
        yield
    except NotFound:
        raise ToolError("session not found") from None
    except Invalid as error:
        field = error.field[2:] if error.field[:1] == ("records",) else error.field  # a tool stores one record
        raise ToolError(f"{'.'.join(field) or 'input'}: {error.message}") from None
    except ColloquyError as error:
        is_server_error = error.code in ("INTERNAL", "UNREACHABLE", "UNAVAILABLE", "TIMEOUT")
        raise ToolError(f"{'server error' if is_server_error else error.code}: {error.message}") from None


def _require_one(**arguments: str | None) -> None:
    if sum(value is not None for value in arguments.values()) != 1:
        raise ToolError(f"Exactly one of {', '.join(arguments)} is required.")


def _describe(noun: str, row: results.Session | results.Task | None) -> Status:
    if row is None:
        return Status("not_found", f"{noun} not found")
    verb = "was" if row.status == "CANCELLED" else "is"
    return Status(STATUS_NAMES[row.status], f"{noun} {verb} {row.status.lower()}")


def _history_message(message: results.Message) -> HistoryMessage:
    agent = message.agent.key if message.agent else None
    return HistoryMessage(message.sequence, message.role, message.text, agent, message.created_at)
