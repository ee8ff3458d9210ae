"""Messages of a session."""

from asyncio import Future, shield
from collections.abc import Awaitable
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from app.context import Context
from app.db import approval as approvals
from app.db.reading.page import Slice, Window
from app.db.reading.rows import (
    ApprovalRow,
    DocumentRow,
    MessageKey,
    MessageRow,
    SessionAgentRow,
    SessionRow,
    StreamingRow,
)
from app.limits import MAX_BATCH
from app.live.cursors import Position
from app.resolvers import append, message
from app.resolvers.idempotency import IdempotencyKey
from app.schema import ids
from app.schema.approval import Approval
from app.schema.base import (
    CHANGED_METADATA,
    CLIENT_CREATED_AT,
    EXPECTED_REVISION,
    EXPECTED_SEQUENCE,
    METADATA,
    NEW_METADATA,
    NODE_ID,
    Info,
    Node,
    UserError,
    cursor,
    enum,
    errors,
    provided_fields,
    rows_of,
    value_of,
    values_of,
)
from app.schema.connection import Connection, connection
from app.schema.content import ContentBlock, TokenUsage, TokenUsageInput, blocks, usage
from app.schema.mutation import mutation
from app.schema.scalars import DateTime, Json
from app.schema.session_agent import SessionAgent
from app.unit_of_work import UnitOfWork

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

    is_type_of = rows_of(MessageRow)

    @field(description=NODE_ID)
    def id(self: MessageRow) -> strawberry.ID:
        return ids.message(self.session_id, self.sequence)

    @field(graphql_type=Session, description="The session of the message.")
    def session(self: MessageRow, info: Info) -> "Future[SessionRow | None]":
        return info.context.loaders.sessions.load(self.session_id)

    @field(graphql_type=SessionAgent | None, description="The agent that wrote the message; null if none was named.")
    def agent(self: MessageRow, info: Info) -> "Future[SessionAgentRow | None] | None":
        if self.agent_key is None:
            return None
        return info.context.loaders.session_agents.load((self.session_id, "AGENT", self.agent_key))

    @connection(Connection[Approval], "The approvals of its tool calls, the oldest first.")
    def approvals(self: MessageRow, ctx: Context, window: Window) -> "Future[Slice[ApprovalRow]]":
        return ctx.loaders.page(approvals.OF_MESSAGES, (self.session_id, self.sequence), window)

    @field(
        graphql_type=str,
        description="The text for people, at most 1,000,000 characters. For a message with `raw`: the text blocks of "
        "the document, one per line; or the beginning of `raw`, if `raw` is not a JSON object, array or string. While "
        "the message is STREAMING: the text so far.",
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
    # Several fields may wait for this future: a null that cancels one of them must not cancel the others.
    return await shield(ctx.loaders.documents.load(MessageKey(row.session_id, row.sequence)))


async def _so_far(row: MessageRow, ctx: Context) -> str:
    """The text so far of a message that was STREAMING when its row was read."""
    if isinstance(row, StreamingRow):
        return row.text
    streaming = await shield(ctx.loaders.written.load(MessageKey(row.session_id, row.sequence)))
    return streaming.text if streaming else ""


TEXT = "The text for people, at most 1,000,000 characters, without U+0000."
RAW = (
    "The document of the producer, by default at most 1 MiB (MAX_RAW_BYTES). The server stores it character for "
    "character and derives `text`, `content` and `usage` from it. Documents of Strands, Bedrock Converse, OpenAI and "
    "Anthropic are recognised; any other text is accepted too. U+0000 and single surrogates must be written as JSON "
    "escapes."
)


@strawberry.input(description="The values of a new message. Exactly one of `text` and `raw` is needed.")
class MessageInput:
    key: Maybe[str | None] = field(
        description="A key that the client chooses, unique per session and agent, 1 to 255 characters. If the session "
        "has a message with this key and the same content, that message is returned and nothing is stored, so a retry "
        "is safe; with other content: CONFLICT. Null or omitted: no key."
    )
    role: MessageRole = field(description="The kind of author.")
    text: Maybe[str | None] = field(description=TEXT)
    raw: Maybe[str | None] = field(description=RAW)
    agent_key: Maybe[str | None] = field(
        description="The key of the SessionAgent (kind AGENT) that wrote the message, 1 to 255 characters. A key that "
        "the session does not have creates a SessionAgent. Null or omitted: no agent."
    )
    metadata: Maybe[Json | None] = field(description=NEW_METADATA)
    usage: Maybe[TokenUsageInput | None] = field(
        description="The token usage. Null or omitted: the usage that `raw` contains, if any."
    )
    client_created_at: Maybe[DateTime | None] = field(
        description="The time of creation on the client's clock. The server stores it and does not use it for any "
        "order."
    )


@strawberry.input(description="A message to append to a session.")
class AppendMessageInput:
    session_id: strawberry.ID = field(description="The id of the session.")
    message: MessageInput = field(description="The message.")
    expected_sequence: Maybe[int | None] = field(description=EXPECTED_SEQUENCE)


@strawberry.input(description="Messages to append to a session.")
class AppendMessagesInput:
    session_id: strawberry.ID = field(description="The id of the session.")
    messages: list[MessageInput] = field(
        description=f"1 to {MAX_BATCH} messages, in the order in which they are appended."
    )
    expected_sequence: Maybe[int | None] = field(description=EXPECTED_SEQUENCE)


@strawberry.input(description="The changes of a message. An omitted field keeps its value.")
class UpdateMessageInput:
    id: strawberry.ID = field(description="The id of the message to change.")
    expected_revision: Maybe[int | None] = field(description=EXPECTED_REVISION)
    text: Maybe[str | None] = field(
        description="The text that replaces the stored text or document, at most 1,000,000 characters. Null is refused."
    )
    raw: Maybe[str | None] = field(
        description="The document that replaces the stored text or document; not together with `text`. Null is refused."
    )
    metadata: Maybe[Json | None] = field(description=CHANGED_METADATA)


@strawberry.input(
    description="The content that replaces a redacted message. Exactly one of `text` and `raw` is needed."
)
class RedactMessageInput:
    id: strawberry.ID = field(description="The id of the message to redact.")
    text: Maybe[str | None] = field(
        description="The text that readers get from now on, at most 1,000,000 characters; it may be empty."
    )
    raw: Maybe[str | None] = field(description="The document that readers get from now on.")


@strawberry.input(description="The message to which a mutation applies.")
class MessageIdInput:
    id: strawberry.ID = field(description="The id of the message.")


@strawberry.type(description="The result of a mutation of a message.")
class MessagePayload:
    message: Message | None = field(default=None, description="The message after the mutation; null after an error.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: MessageRow) -> "MessagePayload":
        return cls(message=row, cursor=event_cursor(row))


@strawberry.type(description="The result of the append of several messages.")
class AppendMessagesPayload:
    messages: list[Message] = field(
        default_factory=list, description="The stored messages in the order of the input; empty after an error."
    )
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, rows: list[MessageRow]) -> "AppendMessagesPayload":
        """The cursor is that of the newest change: a message may have been stored earlier under its key."""
        return cls(messages=rows, cursor=event_cursor(max(rows, key=lambda row: row.revision)))


@strawberry.type(description="The result of the deletion of a message.")
class DeleteMessagePayload:
    deleted_id: strawberry.ID | None = field(
        default=None, description="The id of the deleted message; null after an error."
    )
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: MessageRow) -> "DeleteMessagePayload":
        return cls(deleted_id=ids.of_row(row), cursor=event_cursor(row))


def event_cursor(row: MessageRow) -> str:
    """The event cursor of the newest change of a message."""
    return str(Position.at(row.session_id, row.revision))


def message_fields(input: Any, *omit: str) -> dict[str, Any]:
    """The fields that the client sent, those of `usage` included."""
    fields = provided_fields(input, *omit)
    if fields.get("usage") is not None:
        fields["usage"] = provided_fields(fields["usage"])
    return fields


@strawberry.type
class MessageMutation:
    @mutation(
        "Appends a message to a session. A PENDING session becomes ACTIVE; an archived session, or one that is EXPIRED "
        "by idleness, becomes ACTIVE and leaves the archive (at the cap on active sessions, the least recently active "
        "other one is archived). The first USER message gives a session without a title its first 60 characters. "
        "Errors: VALIDATION, NOT_FOUND; CONFLICT for `key` or `expectedSequence`; ILLEGAL_TRANSITION if the session "
        "is COMPLETED, FAILED or past `expiresAt`.",
        input="The session and the message.",
        stores_key=True,
    )
    async def append_message(
        self, work: UnitOfWork, input: AppendMessageInput, idempotency_key: IdempotencyKey | None
    ) -> MessagePayload:
        session_id = ids.require_session(input.session_id, "sessionId")
        fields, expected_sequence = message_fields(input.message), value_of(input.expected_sequence)
        return MessagePayload.of(await append.append(work, session_id, fields, expected_sequence, idempotency_key))

    @mutation(
        "Appends 1 to 100 messages to a session: either all of them or none. Effects and errors are those of "
        "`appendMessage`.",
        input="The session and the messages.",
    )
    async def append_messages(self, work: UnitOfWork, input: AppendMessagesInput) -> AppendMessagesPayload:
        session_id = ids.require_session(input.session_id, "sessionId")
        messages = [message_fields(message) for message in input.messages]
        rows = await append.append_many(work, session_id, messages, value_of(input.expected_sequence))
        return AppendMessagesPayload.of(rows)

    @mutation(
        "Changes the given values of a message. If the session has its title from the old text, the title changes too. "
        "Errors: VALIDATION, NOT_FOUND; CONFLICT if `expectedRevision` differs; ILLEGAL_TRANSITION for new content "
        "while the message is STREAMING.",
        input="The message and its new values.",
    )
    async def update_message(self, work: UnitOfWork, input: UpdateMessageInput) -> MessagePayload:
        fields = provided_fields(input, "id", "expected_revision")
        key = ids.require_message(input.id)
        return MessagePayload.of(await message.update(work, key, fields, value_of(input.expected_revision)))

    @mutation(
        "Replaces the content of a message and erases the old content: text, document, blocks, metadata, the words in "
        "the search index, and the title of the session if it came from the old text. Key, role, agent, usage and "
        "times stay. This cannot be undone. Errors: VALIDATION, NOT_FOUND; ILLEGAL_TRANSITION while the message is "
        "STREAMING.",
        input="The message and the content that replaces it.",
    )
    async def redact_message(self, work: UnitOfWork, input: RedactMessageInput) -> MessagePayload:
        key = ids.require_message(input.id)
        return MessagePayload.of(await message.redact(work, key, provided_fields(input, "id")))

    @mutation(
        "Deletes a message and erases its content; this cannot be undone. No other message gets its `sequence`. A "
        "STREAMING message is deleted too, and its producer gets NOT_FOUND. Errors: NOT_FOUND.",
        input="The message to delete.",
    )
    async def delete_message(self, work: UnitOfWork, input: MessageIdInput) -> DeleteMessagePayload:
        return DeleteMessagePayload.of(await message.delete(work, ids.require_message(input.id)))
