"""An MCP server (https://modelcontextprotocol.io) over Colloquy's public API: `python -m colloquy.mcp`.

It speaks for one owner, whoever COLLOQUY_TOKEN stands for, to the server at COLLOQUY_URL.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from colloquy import results
from colloquy.async_client import AsyncClient
from colloquy.errors import ColloquyError, Invalid, NotFound

State = Literal["pending", "active", "completed", "failed", "expired", "not_found"]
STATES: dict[str, State] = {
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
INSTRUCTIONS = "Conversations kept in Colloquy: where they stand, what was said in them, and saying more."

SessionId = Annotated[str | None, Field(description="The session's id.")]
SessionKey = Annotated[str | None, Field(description="The session's own name, instead of its id.")]


@dataclass(frozen=True)
class Status:
    """Where a session or a task stands, and that in words."""

    status: State
    message: str


@dataclass(frozen=True)
class SessionLine:
    """One session of a list."""

    id: str
    key: str | None
    title: str
    status: str
    message_count: int
    last_activity_at: datetime


@dataclass(frozen=True)
class MessageLine:
    """One message of a history."""

    sequence: int
    role: str
    text: str
    agent: str | None
    created_at: datetime


@dataclass(frozen=True)
class History:
    """Messages in their order. `before` is the cursor of what came earlier, None at the beginning."""

    messages: list[MessageLine]
    before: str | None


class Tools:
    """What the server offers, by way of a client."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def fetch_status(
        self,
        session_id: SessionId = None,
        session_key: SessionKey = None,
        task_id: Annotated[str | None, Field(description="A task's id, instead of a session.")] = None,
    ) -> Status:
        """Where a session or a task stands: pending, active, completed, failed, expired or not_found."""
        _one(session_id=session_id, session_key=session_key, task_id=task_id)
        with _told():
            if task_id is not None:
                return _status("task", await self._client.task(task_id))
            return _status("session", await self._client.session(session_id, key=session_key))

    async def list_sessions(
        self,
        status: Annotated[
            Literal["pending", "active", "completed", "failed", "expired"] | None, Field(description="Only these.")
        ] = None,
        title: Annotated[str | None, Field(description="Only those with this text in the title.")] = None,
        limit: Annotated[int, Field(ge=1, le=100, description="How many.")] = 20,
    ) -> list[SessionLine]:
        """The sessions, the latest active first; archived and deleted ones are left out."""
        statuses = [status.upper()] if status else None
        with _told():
            page = await self._client.session_page(first=limit, query=title, status=statuses)
        return [
            SessionLine(one.id, one.key, one.title, one.status, one.message_count, one.last_activity_at)
            for one in page.nodes
        ]

    async def read_history(
        self,
        session_id: SessionId = None,
        session_key: SessionKey = None,
        limit: Annotated[int, Field(ge=1, le=100, description="How many messages.")] = 50,
        before: Annotated[str | None, Field(description="What came before this cursor of an earlier answer.")] = None,
    ) -> History:
        """The newest messages of a session, in their order."""
        _one(session_id=session_id, session_key=session_key)
        with _told():
            page = await self._client.message_page(session_id, session_key=session_key, last=limit, before=before)
            if page is None:
                raise NotFound("session not found")
        return History(
            [_line(one) for one in page.nodes], page.info.start_cursor if page.info.has_previous_page else None
        )

    async def append_message(
        self,
        text: Annotated[str, Field(description="What is said.")],
        session_id: SessionId = None,
        session_key: SessionKey = None,
        role: Annotated[Literal["user", "assistant", "system", "tool"], Field(description="Who says it.")] = "user",
        key: Annotated[str | None, Field(description="A name of its own: said again with it, it is kept once.")] = None,
    ) -> MessageLine:
        """Says something in a session."""
        _one(session_id=session_id, session_key=session_key)
        with _told():
            where = session_id or await self._id_of(session_key)
            return _line(await self._client.append_message(where, ROLES[role], text, key=key))

    async def _id_of(self, key: str | None) -> str:
        found = await self._client.session(key=key)
        if found is None:
            raise NotFound("session not found")
        return found.id


def server_of(client: AsyncClient) -> MCPServer:
    """The MCP server that answers through this client."""
    server = MCPServer("colloquy", instructions=INSTRUCTIONS, log_level="WARNING")
    tools = Tools(client)
    for tool in (tools.fetch_status, tools.list_sessions, tools.read_history, tools.append_message):
        server.add_tool(tool)
    return server


def main(arguments: list[str] | None = None) -> None:
    """Serves over stdio, or over streamable HTTP at /mcp."""
    parser = argparse.ArgumentParser(prog="python -m colloquy.mcp", description=main.__doc__)
    parser.add_argument("--http", action="store_true", help="streamable HTTP instead of stdio")
    parser.add_argument("--host", default="127.0.0.1", help="whoever reaches it acts for the token's owner")
    parser.add_argument("--port", type=int, default=8001)
    asked = parser.parse_args(arguments)
    missing = [name for name in ("COLLOQUY_URL", "COLLOQUY_TOKEN") if not os.environ.get(name)]
    if missing:
        sys.exit(f"{' and '.join(missing)} must be set: the server's address, and a bearer token for it.")
    anyio.run(_serve, asked)


async def _serve(asked: argparse.Namespace) -> None:
    async with AsyncClient(os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_TOKEN"]) as client:
        server = server_of(client)
        if asked.http:
            await server.run_streamable_http_async(host=asked.host, port=asked.port, stateless_http=True)
        else:
            await server.run_stdio_async()


@contextmanager
def _told() -> Iterator[None]:
    """A refusal in words that a model can act on."""
    try:
        yield
    except NotFound:
        raise ToolError("session not found") from None
    except Invalid as error:
        raise ToolError(f"{'.'.join(error.field) or 'input'}: {error.message}") from None
    except ColloquyError as error:
        ours = error.code in ("INTERNAL", "UNREACHABLE", "TIMEOUT")
        raise ToolError(f"{'server error' if ours else error.code}: {error.message}") from None


def _one(**names: str | None) -> None:
    if sum(name is not None for name in names.values()) != 1:
        raise ToolError(f"Exactly one of {', '.join(names)} must be given.")


def _status(what: str, found: results.Session | results.Task | None) -> Status:
    if found is None:
        return Status("not_found", f"{what} not found")
    cancelled = found.status == "CANCELLED"
    return Status(STATES[found.status], f"{what} was cancelled" if cancelled else f"{what} is {found.status.lower()}")


def _line(message: results.Message) -> MessageLine:
    agent = message.agent.key if message.agent else None
    return MessageLine(message.sequence, message.role, message.text, agent, message.created_at)


if __name__ == "__main__":
    main()
