"""Mutations of messages: inputs, payloads and fields."""

from typing import Any

import strawberry
from strawberry import Maybe

from app.db.reading.rows import MessageRow
from app.limits import MAX_BATCH
from app.live.cursors import SessionCursor
from app.resolvers import append, message
from app.resolvers.idempotency import IdempotencyKey
from app.schema import ids
from app.schema.content import TokenUsageInput
from app.schema.descriptions import CHANGED_METADATA, EXPECTED_REVISION, EXPECTED_SEQUENCE, NEW_METADATA
from app.schema.inputs import provided_fields, value_of
from app.schema.message import Message, MessageRole
from app.schema.mutation import mutation
from app.schema.payload import cursor, errors
from app.schema.scalars import DateTime, Json
from app.schema.user_errors import UserError
from app.unit_of_work import UnitOfWork

field = strawberry.field


TEXT = "The text for people, at most 1,000,000 characters, without U+0000."
RAW = (
    "The document of the producer, by default at most 1 MiB (MAX_RAW_BYTES). The server stores it character for "
    "character and derives `text`, `content` and `usage` from it. Documents of Strands, Bedrock Converse, OpenAI, "
    "Anthropic, AI SDK, assistant-ui, AG-UI, LangChain, Gemini, ADK and pydantic-ai are recognised; any other text is "
    "accepted too. U+0000 and single surrogates must be written as JSON escapes."
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
    return str(SessionCursor.at(row.session_id, row.revision))


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
        "other one is archived). The first USER message gives a session without a title its first 60 characters, in "
        "one line. Errors: VALIDATION, NOT_FOUND; CONFLICT for `key` or `expectedSequence`; ILLEGAL_TRANSITION if the "
        "session is COMPLETED, FAILED or past `expiresAt`.",
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
