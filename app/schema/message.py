"""Messages: what was said in a session."""

from asyncio import Future, shield
from collections.abc import Awaitable
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from app.context import Context
from app.db import approval as approvals
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, DocumentRow, MessageRow, SessionAgentRow, SessionRow, StreamingRow
from app.live.cursors import SessionCursor
from app.resolvers import message
from app.schema import ids
from app.schema.approval import Approval
from app.schema.base import Info, Node, UserError, cursor, enum, errors, provided_fields, rows_of, to_python
from app.schema.connection import After, Before, Connection, First, Last
from app.schema.content import ContentBlock, TokenUsage, TokenUsageInput, blocks, usage
from app.schema.mutation import mutation
from app.schema.scalars import DateTime, Json
from app.schema.session_agent import SessionAgent

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
field = strawberry.field


@enum(
    "Who speaks.",
    USER="The person.",
    ASSISTANT="An agent.",
    SYSTEM="The instructions.",
    TOOL="A tool's answer.",
)
class MessageRole(StrEnum):
    USER = "USER"
    ASSISTANT = "ASSISTANT"
    SYSTEM = "SYSTEM"
    TOOL = "TOOL"


@enum(
    "Whether a message is whole.",
    STREAMING="It is being written.",
    COMPLETE="It is whole.",
    CANCELLED="Its writing was stopped; what was written stays.",
    FAILED="Its writing failed; what was written stays.",
)
class MessageStatus(StrEnum):
    STREAMING = "STREAMING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


@strawberry.input(description="Which messages are wanted; what is not set does not restrict.")
class MessageFilter:
    role: list[MessageRole] | None = field(default=None, description="Of one of these speakers.")
    agent_key: str | None = field(default=None, description="Of this agent.")
    status: list[MessageStatus] | None = field(default=None, description="In one of these statuses.")

    @staticmethod
    def parameters(filter: "MessageFilter | None") -> dict[str, Any]:
        """As the statements take it; hashable, because pages of equal filters are read together."""
        if filter is None:
            return {"role": None, "agent_key": None, "status": None}
        role, status = to_python(filter.role), to_python(filter.status)
        return {
            "role": None if role is None else tuple(role),
            "agent_key": filter.agent_key,
            "status": None if status is None else tuple(status),
        }


@strawberry.type(description="One message of a conversation.")
class Message(Node):
    key: str | None = field(
        description="The client's own name for the message, unique per session and agent; "
        "a live client knows its own echo by it."
    )
    sequence: int = field(
        description="1, 2, 3, …: given without a gap, the order of the conversation; "
        "a deleted message keeps its number."
    )
    role: MessageRole = field(description="Who speaks.")
    status: MessageStatus = field(description="Whether it is whole.")
    metadata: Json = field(description="Whatever the client keeps with it.")
    revision: int = field(
        description="The number of its newest change in the session: what `expectedRevision` compares."
    )
    redacted_at: DateTime | None = field(description="When its words were last taken away for good.")
    client_created_at: DateTime | None = field(description="When the client says it was written.")
    created_at: DateTime = field(description="When it was stored.")
    updated_at: DateTime = field(description="When it was last changed.")

    is_type_of = rows_of(MessageRow)

    @field(description="Opaque, never reused; `node(id:)` finds the thing again.")
    def id(self: MessageRow) -> strawberry.ID:
        return ids.message(self.session_id, self.sequence)

    @field(graphql_type=Session, description="The session it was said in.")
    def session(self: MessageRow, info: Info) -> "Future[SessionRow | None]":
        return info.context.loaders.sessions.load(self.session_id)

    @field(graphql_type=SessionAgent | None, description="The agent that said it.")
    def agent(self: MessageRow, info: Info) -> "Future[SessionAgentRow | None] | None":
        if self.agent_key is None:
            return None
        return info.context.loaders.session_agents.load((self.session_id, "AGENT", self.agent_key))

    @field(graphql_type=Connection[Approval], description="What its tool calls wait or waited for, as requested.")
    def approvals(
        self: MessageRow, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> "Future[Slice[ApprovalRow]]":
        window = Window.of(first, after, last, before)
        return info.context.loaders.page(approvals.OF_MESSAGES, (self.session_id, self.sequence), window)

    @field(
        graphql_type=str,
        description="What a person reads: of a `raw`, the texts in it; of a `raw` that is no JSON object, list or "
        "string, its beginning; while it is STREAMING, the text so far.",
    )
    def text(self: MessageRow, info: Info) -> "str | Awaitable[str]":
        return self.text if self.status != "STREAMING" else _so_far(self, info.context)

    @field(description="The same message as typed blocks.")
    async def content(self: MessageRow, info: Info) -> list[ContentBlock]:
        if self.status == "STREAMING":
            return blocks(await _so_far(self, info.context), None)
        found = await _document(self, info.context) if self.documented else None
        return blocks(self.text, found.content if found else None)

    @field(
        description="The document exactly as the producer sent it, character for character; null when only text was "
        "sent."
    )
    async def raw(self: MessageRow, info: Info) -> str | None:
        found = await _document(self, info.context) if self.documented else None
        return found.raw if found else None

    @field(description="The tokens it took, as its sender says, or its `raw`.")
    def usage(self: MessageRow) -> TokenUsage | None:
        return usage(self.input_tokens, self.output_tokens, self.total_tokens)


async def _document(row: MessageRow, ctx: Context) -> DocumentRow | None:
    # Others may wait for the same: a null that ends this one must not end theirs.
    return await shield(ctx.loaders.message_documents.load((row.session_id, row.sequence)))


async def _so_far(row: MessageRow, ctx: Context) -> str:
    """The text of a message that is being written, or was when its row was read."""
    if isinstance(row, StreamingRow):
        return row.text
    found = await shield(ctx.loaders.streaming_messages.load((row.session_id, row.sequence)))
    return found.text if found else ""


@strawberry.input(description="A message to append: exactly one of `text` and `raw`.")
class MessageInput:
    key: Maybe[str | None] = field(
        description="The client's own name for it; sent again with the same content "
        "it answers the message stored first."
    )
    role: MessageRole = field(description="Who speaks.")
    text: Maybe[str | None] = field(description="What a person reads, at most 1,000,000 characters.")
    raw: Maybe[str | None] = field(
        description="The producer's document, kept character for character; `text` and `content` are made of it. "
        "U+0000 and half surrogate pairs only as JSON escapes."
    )
    agent_key: Maybe[str | None] = field(description="The agent that speaks; a new one joins the session.")
    metadata: Maybe[Json | None] = field(description="Whatever the client keeps with it; {} when not set.")
    usage: Maybe[TokenUsageInput | None] = field(description="The tokens it took; not set, what `raw` says of them.")
    client_created_at: Maybe[DateTime | None] = field(description="When the client says it was written.")


@strawberry.input(description="A message, and where it goes.")
class AppendMessageInput:
    session_id: strawberry.ID = field(description="In which session.")
    message: MessageInput = field(description="The message.")
    expected_sequence: Maybe[int | None] = field(
        description="Refuse with CONFLICT if the newest message is not this one; 0 for an empty session."
    )


@strawberry.input(description="Messages, and where they go.")
class AppendMessagesInput:
    session_id: strawberry.ID = field(description="In which session.")
    messages: list[MessageInput] = field(description="1 to 100 messages, in their order.")
    expected_sequence: Maybe[int | None] = field(
        description="Refuse with CONFLICT if the newest message is not this one; 0 for an empty session."
    )


@strawberry.input(description="What changes; what is not set stays as it is.")
class UpdateMessageInput:
    id: strawberry.ID = field(description="Which message.")
    expected_revision: Maybe[int | None] = field(description="Refuse with CONFLICT if it is not at this revision.")
    text: Maybe[str | None] = field(description="In place of the old text or document.")
    raw: Maybe[str | None] = field(description="In place of the old text or document; not together with `text`.")
    metadata: Maybe[Json | None] = field(description="In place of the old one.")


@strawberry.input(description="What the readers see from now on: exactly one of `text` and `raw`.")
class RedactMessageInput:
    id: strawberry.ID = field(description="Which message.")
    text: Maybe[str | None] = field(description="In place of the old text or document.")
    raw: Maybe[str | None] = field(description="In place of the old text or document.")


@strawberry.input(description="One message.")
class MessageIdInput:
    id: strawberry.ID = field(description="Which message.")


@strawberry.type(description="The message as it is now.")
class MessagePayload:
    message: Message | None = field(default=None, description="Null when it was refused.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: MessageRow) -> "MessagePayload":
        return cls(message=row, cursor=at(row))


@strawberry.type(description="The messages as they are now, in the order of the input.")
class AppendMessagesPayload:
    messages: list[Message] = field(default_factory=list, description="Empty when they were refused.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()


@strawberry.type(description="What was deleted.")
class DeleteMessagePayload:
    deleted_id: strawberry.ID | None = field(default=None, description="Null when nothing was.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()


def at(row: MessageRow) -> str:
    """The position of a message's newest change."""
    return str(SessionCursor.at(row.session_id, row.revision))


def _expected(input: AppendMessageInput | AppendMessagesInput) -> int | None:
    return input.expected_sequence.value if input.expected_sequence else None


def _draft(input: MessageInput) -> dict[str, Any]:
    fields = provided_fields(input)
    if fields.get("usage") is not None:
        fields["usage"] = provided_fields(fields["usage"])
    return fields


@strawberry.type
class MessageMutation:
    @mutation(
        "Appends a message. It makes a PENDING session ACTIVE, and brings an archived or idle one back.",
        keeps_its_key=True,
    )
    async def append_message(self, info: Info, input: AppendMessageInput) -> MessagePayload:
        session_id = ids.named(ids.session_of, input.session_id, "session", "sessionId")
        return MessagePayload.of(
            await message.append(info.context, session_id, _draft(input.message), _expected(input))
        )

    @mutation("Appends up to 100 messages, all or nothing.")
    async def append_messages(self, info: Info, input: AppendMessagesInput) -> AppendMessagesPayload:
        session_id = ids.named(ids.session_of, input.session_id, "session", "sessionId")
        drafts = [_draft(draft) for draft in input.messages]
        rows = await message.append_many(info.context, session_id, drafts, _expected(input))
        return AppendMessagesPayload(messages=rows, cursor=at(max(rows, key=lambda row: row.revision)))

    @mutation("Changes a message. A title that the session took from it changes with it.")
    async def update_message(self, info: Info, input: UpdateMessageInput) -> MessagePayload:
        place = ids.named(ids.message_of, input.id, "message")
        expected = input.expected_revision.value if input.expected_revision else None
        fields = provided_fields(input, "id", "expected_revision")
        return MessagePayload.of(await message.update(info.context, place, fields, expected))

    @mutation(
        "Takes a message's words away for good: text, document, blocks and metadata, what search knows of them, and "
        "the session's title where it was taken from them. Key, agent, usage and times stay."
    )
    async def redact_message(self, info: Info, input: RedactMessageInput) -> MessagePayload:
        place = ids.named(ids.message_of, input.id, "message")
        return MessagePayload.of(await message.redact(info.context, place, provided_fields(input, "id")))

    @mutation("Deletes a message; its number is not given again.")
    async def delete_message(self, info: Info, input: MessageIdInput) -> DeleteMessagePayload:
        row = await message.delete(info.context, ids.named(ids.message_of, input.id, "message"))
        return DeleteMessagePayload(deleted_id=ids.message(row.session_id, row.sequence), cursor=at(row))
