"""Messages of a session."""

from collections.abc import Awaitable
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from graphql_compiled.batch import BatchValue

from app.context import Context
from app.db import approval as approvals
from app.db.reading.page import Slice, Window
from app.db.reading.rows import (
    ApprovalRow,
    DocumentRow,
    LastMessageRow,
    MessageKey,
    MessageRow,
    PartialMessage,
    PartialSessionAgent,
    SessionAgentRow,
    SessionRow,
    StreamedRow,
    StreamingRow,
)
from app.db.streaming_parts import split
from app.limits import MAX_TEXT_LENGTH
from app.schema.approval import Approval
from app.schema.base import Info, Node, enum, rows_of
from app.schema.connection import Connection, connection
from app.schema.content import ContentBlock, TokenUsage, blocks, usage
from app.schema.descriptions import CLIENT_CREATED_AT, METADATA, NODE_ID
from app.schema.inputs import values_of
from app.schema.scalars import DateTime, Json
from app.schema.session_agent import SessionAgent

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
field = strawberry.field


@enum(
    "The kind of author of a message.",
    USER="The person.",
    ASSISTANT="An agent or a model.",
    SYSTEM="The instructions for the agent.",
    TOOL="A tool: the message is its result.",
)
class MessageRole(StrEnum):
    USER = "USER"
    ASSISTANT = "ASSISTANT"
    SYSTEM = "SYSTEM"
    TOOL = "TOOL"


@enum(
    "The state of a message. An appended message is COMPLETE; a started one is STREAMING until it ends.",
    STREAMING="A producer is writing the message.",
    COMPLETE="The message is complete.",
    CANCELLED="The message was cancelled before its end. The text up to then stays.",
    FAILED="The producer failed, or sent nothing for STREAM_TIMEOUT_SECONDS. The text up to then stays.",
)
class MessageStatus(StrEnum):
    STREAMING = "STREAMING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


@strawberry.input(
    description="Conditions on a list of messages. A message must meet all conditions; null or omitted: no condition."
)
class MessageFilter:
    role: list[MessageRole] | None = field(default=None, description="The message has one of these roles.")
    agent_key: str | None = field(
        default=None, description="The message is from the SessionAgent with this key and kind AGENT."
    )
    status: list[MessageStatus] | None = field(default=None, description="The message has one of these statuses.")

    @staticmethod
    def parameters(filter: "MessageFilter | None") -> dict[str, Any]:
        """The filter as parameters of the statements: hashable, because pages with equal filters are read together."""
        if filter is None:
            return {"role": None, "agent_key": None, "status": None}
        return {"role": values_of(filter.role), "agent_key": filter.agent_key, "status": values_of(filter.status)}


@strawberry.type(description="One message of a session.")
class Message(Node):
    key: str | None = field(
        description="The key that the client gave the message, unique per session and agent; null if none. A client "
        "can recognise its own message in live events by the key."
    )
    sequence: int = field(
        description="The position of the message in the session: 1, 2, 3 and so on, without gaps. Messages are ordered "
        "by it. The number of a deleted message is not used again."
    )
    role: MessageRole = field(description="The kind of author.")
    status: MessageStatus = field(description="The state of the message.")
    metadata: Json = field(description=METADATA)
    revision: int = field(
        description="The change number of the session at the newest change of this message. `expectedRevision` is "
        "compared with it."
    )
    redacted_at: DateTime | None = field(description="The time of the newest redaction; null if never redacted.")
    client_created_at: DateTime | None = field(description=CLIENT_CREATED_AT)
    created_at: DateTime = field(description="The time at which the server stored the message.")
    updated_at: DateTime = field(description="The time of the newest change of the message.")

    is_type_of = rows_of(MessageRow, LastMessageRow, PartialMessage)

    @field(description=NODE_ID)
    def id(self: MessageRow) -> strawberry.ID:
        return f"msg_{self.session_id}_{self.sequence}"  # type: ignore[return-value]  # ids.message, without a call

    @field(graphql_type=Session, description="The session of the message.")
    def session(self: MessageRow, info: Info) -> "BatchValue[SessionRow | None]":
        return info.context.loaders.sessions.load(self.session_id)

    @field(graphql_type=SessionAgent | None, description="The agent that wrote the message; null if none was named.")
    def agent(
        self: MessageRow, info: Info
    ) -> "SessionAgentRow | PartialSessionAgent | BatchValue[SessionAgentRow | None] | None":
        key = self.agent_key
        return None if key is None else info.context.loaders.writer(self, key)

    @connection(Connection[Approval], "The approvals of its tool calls, the oldest first.")
    def approvals(self: MessageRow, ctx: Context, window: Window) -> "BatchValue[Slice[ApprovalRow]]":
        return ctx.loaders.page(approvals.OF_MESSAGES, (self.session_id, self.sequence), window)

    @field(
        graphql_type=str,
        description="The text for people, at most 1,000,000 characters. For a message with `raw`: the text blocks of "
        "the document, one per line; or the beginning of `raw`, if `raw` is not a JSON object, array or string. While "
        "the message is STREAMING: the text so far, also the text inside parts, where each text ends its line.",
    )
    def text(self: MessageRow, info: Info) -> "str | Awaitable[str]":
        return self.text if self.status != "STREAMING" else _so_far(self, info.context)

    @field(
        description="The content of the message as typed blocks, in the order of the document. While the message is "
        "STREAMING: one text block."
    )
    async def content(self: MessageRow, info: Info) -> list[ContentBlock]:
        if self.status == "STREAMING":
            return blocks(await _so_far(self, info.context), None)
        found = await _document(self, info.context) if self.documented else None
        return blocks(self.text, found.content if found else None)

    @field(
        graphql_type=list[Json] | None,
        description="The parts so far of a STREAMING message that is written with parts; null for any other message. "
        "At its end the parts become the document in `raw`.",
    )
    def parts(
        self: MessageRow,
        info: Info,
        after: Annotated[
            int | None,
            strawberry.argument(description="The number of parts to leave out, 0 or more. Null or omitted: all parts."),
        ] = None,
    ) -> "Awaitable[list[str] | None] | None":
        return None if self.status != "STREAMING" else _parts_so_far(self, info.context, max(after or 0, 0))

    @field(
        description="The document of the producer, character for character as it was sent; null if only text was sent."
    )
    async def raw(self: MessageRow, info: Info) -> str | None:
        found = await _document(self, info.context) if self.documented else None
        return found.raw if found else None

    @field(
        description="The token usage that the client sent; otherwise the usage that the document in `raw` contains; "
        "null if neither is there."
    )
    def usage(self: MessageRow) -> TokenUsage | None:
        return usage(self.input_tokens, self.output_tokens, self.total_tokens)


async def _document(row: MessageRow, ctx: Context) -> DocumentRow | None:
    return await ctx.loaders.message_documents.load(MessageKey(row.session_id, row.sequence))


async def _so_far(row: MessageRow, ctx: Context) -> str:
    """The text so far of a message that was STREAMING when its row was read."""
    if isinstance(row, StreamingRow):
        return row.text[:MAX_TEXT_LENGTH]
    streaming = await ctx.loaders.streaming_messages.load(MessageKey(row.session_id, row.sequence))
    return streaming.text[:MAX_TEXT_LENGTH] if streaming else ""


async def _parts_so_far(row: MessageRow, ctx: Context, after: int) -> list[str] | None:
    """The parts so far, from the part `after` on; None for a stream of text."""
    if isinstance(row, StreamedRow):
        return None if row.parts_format is None else split(row.parts)[after:]
    found = await ctx.loaders.streaming_parts.load((row.session_id, row.sequence, after))
    return split(found.parts)[after - (found.offset or 0) :] if found else None
