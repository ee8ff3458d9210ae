"""The tools of the MCP server for records: memories. Their docstrings and descriptions are what a model reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from colloquy import results
from colloquy.async_client import AsyncClient
from colloquy.extras import extra
from colloquy.mcp.tools import tool_errors
from colloquy.operation import UNSET
from colloquy.operations.record import new_record

with extra("mcp"):
    from mcp.server.mcpserver.exceptions import ToolError
    from pydantic import Field


@dataclass(frozen=True)
class Memory:
    """One document under a key; `value` is None for a record of bytes."""

    namespace: list[str]
    key: str
    value: Any
    metadata: Any
    revision: int
    updated_at: datetime


@dataclass(frozen=True)
class Memories:
    """The found memories. `after` is the cursor of more, None at the end."""

    memories: list[Memory]
    after: str | None


class MemoryTools:
    """The tools of one client."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def remember(
        self,
        namespace: Annotated[
            list[str], Field(description="Labels from the outermost to the innermost, such as users, 42, memories.")
        ],
        key: Annotated[str, Field(description="The name of the memory in its namespace.")],
        value: Annotated[Any, Field(description="The memory: any JSON value but null.")],
        metadata: Annotated[
            dict[str, Any] | None, Field(description="Values by which `recall` finds the memory.")
        ] = None,
        ttl_seconds: Annotated[int | None, Field(description="Forget the memory after this time.", ge=1)] = None,
    ) -> Memory:
        """Stores a memory, in place of the one under the same namespace and key, and returns it."""
        details = UNSET if metadata is None else metadata
        with tool_errors():
            new = new_record(namespace, key, value, metadata=details, ttl_seconds=ttl_seconds)
            return _memory((await self._client.put_records([new]))[0])

    async def recall(
        self,
        namespace: Annotated[
            list[str] | None, Field(description="Only memories in this namespace and in those below it.")
        ] = None,
        key: Annotated[str | None, Field(description="The memory of this name, in exactly this namespace.")] = None,
        text: Annotated[str | None, Field(description="Only memories with this text in their value.")] = None,
        metadata: Annotated[
            dict[str, Any] | None, Field(description="Only memories whose metadata contains these values.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=100, description="The maximum number of memories.")] = 20,
        after: Annotated[str | None, Field(description="The cursor `after` of an earlier result, for more.")] = None,
    ) -> Memories:
        """Returns memories, the most recently stored first, or the one under a key."""
        with tool_errors():
            if key is not None:
                if (text, metadata, after) != (None, None, None):
                    raise ToolError("key goes with namespace only.")
                found = await self._client.record(namespace or [], key)
                return Memories([_memory(found)] if found else [], None)
            page = await self._client.record_page(
                namespace or [],
                first=limit,
                after=after,
                order="UPDATED_AT",
                direction="DESC",
                text=text,
                metadata_contains=metadata,
            )
        return Memories(list(map(_memory, page.nodes)), page.info.end_cursor if page.info.has_next_page else None)


def _memory(record: results.Record) -> Memory:
    namespace = list(record.namespace)
    return Memory(namespace, record.key, record.value, record.metadata, record.revision, record.updated_at)
