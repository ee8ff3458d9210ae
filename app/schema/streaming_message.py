"""Streaming messages: written in pieces while readers see them grow."""

from enum import StrEnum
from typing import Any, ClassVar

import strawberry
from strawberry import Maybe

from app.errors import Invalid
from app.resolvers import streaming_message
from app.schema import ids
from app.schema.base import enum
from app.schema.content import TokenUsageInput
from app.schema.inputs import provided_fields, value_of
from app.schema.message import Message, MessageRole
from app.schema.message_mutation import MessageIdInput, MessagePayload, event_cursor, message_fields
from app.schema.mutation import mutation
from app.schema.payload import cursor, errors
from app.schema.scalars import Json
from app.schema.user_errors import UserError
from app.unit_of_work import UnitOfWork

field = strawberry.field


@enum(
    "The final status that a producer gives its streaming message.",
    COMPLETE="The message is complete.",
    FAILED="The producer failed. The text up to then stays.",
)
class FinishStatus(StrEnum):
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"


@enum(
    "What a producer writes a streaming message with.",
    TEXT="Pieces of text.",
    PARTS="Parts of any JSON shape, such as the chunks or events of a protocol.",
)
class StreamKind(StrEnum):
    TEXT = "TEXT"
    PARTS = "PARTS"


@enum(
    "The format of the parts of a streaming message. The server shows the text inside them while they come, and makes "
    "a document of them at the end.",
    AI_SDK="`UIMessageChunk` of AI SDK. They become a `UIMessage`.",
    AG_UI="Events of AG-UI. They become an AG-UI message, or a list of messages.",
    OTHER="Any other JSON values. They become a list.",
)
class PartsFormat(StrEnum):
    AI_SDK = "AI_SDK"
    AG_UI = "AG_UI"
    OTHER = "OTHER"


FENCE = "The fence that `startMessage` returned to this producer."


@strawberry.input(description="The values of a message that a producer will write in pieces.")
class StartMessageInput:
    added_defaults: ClassVar[dict[str, Any]] = {"stream": StreamKind.TEXT}
    """Not hashed: a request without these fields has the hash that older servers give it."""

    session_id: strawberry.ID = field(description="The id of the session.")
    role: MessageRole = field(default=MessageRole.ASSISTANT, description="The kind of author.")
    key: Maybe[str | None] = field(
        description="A key that the client chooses, unique per session and agent, 1 to 255 characters. The key of a "
        "message that is STREAMING takes over this message. Null or omitted: no key, and no way to take over."
    )
    agent_key: Maybe[str | None] = field(
        description="The key of the SessionAgent (kind AGENT) that writes the message, 1 to 255 characters. A key that "
        "the session does not have creates a SessionAgent. Null or omitted: no agent."
    )
    metadata: Maybe[Json | None] = field(
        description="Any JSON value to store with the message. Null or omitted: `{}`, or the stored value if the "
        "message is taken over."
    )
    stream: StreamKind = field(
        default=StreamKind.TEXT,
        description="What the message is written with. A message that is taken over keeps its kind of stream.",
    )
    parts_format: Maybe[PartsFormat | None] = field(
        description="The format of the parts, with `stream: PARTS` only. Null or omitted: OTHER."
    )


@strawberry.input(description="A piece of text, or parts, for a streaming message.")
class ExtendMessageInput:
    id: strawberry.ID = field(description="The id of the message.")
    fence: str = field(description=FENCE)
    offset: int = field(
        description="The length of the message before this piece: of text in Unicode code points (not UTF-16 units, "
        "not bytes), of parts their number."
    )
    text: str = field(
        default="",
        description="The piece of text. The message may have at most 1,000,000 characters. An empty text without parts "
        "only signals that the producer is alive.",
    )
    parts: Maybe[list[Json] | None] = field(
        description="The parts, for a message with `stream: PARTS`. All parts of a message may have at most 1 MiB as "
        "JSON by default (MAX_RAW_BYTES). Null, empty or omitted: no parts."
    )


@strawberry.input(description="The end of a streaming message.")
class FinishMessageInput:
    id: strawberry.ID = field(description="The id of the message.")
    fence: str = field(description=FENCE)
    status: FinishStatus = field(default=FinishStatus.COMPLETE, description="The final status of the message.")
    raw: Maybe[str | None] = field(
        description="The document of the producer. The server stores it, and derives `text` and `content` from it "
        "instead of from the streamed pieces. Null or omitted: the streamed text is the text of the message; streamed "
        "parts become a document of their format."
    )
    usage: Maybe[TokenUsageInput | None] = field(
        description="The token usage. Null or omitted: the usage that `raw` contains, if any."
    )
    metadata: Maybe[Json | None] = field(
        description="The JSON value that replaces the one from `startMessage`. Omitted: no change. Null is refused."
    )


@strawberry.type(description="The result of the start of a streaming message.")
class StartMessagePayload:
    message: Message | None = field(default=None, description="The streaming message; null after an error.")
    fence: str | None = field(
        default=None,
        description="The secret name of this producer, for `extendMessage` and `finishMessage`. A later start with the "
        "same key makes it invalid. Null after an error.",
    )
    cursor: str | None = cursor()
    errors: list[UserError] = errors()


@strawberry.type
class StreamingMessageMutation:
    @mutation(
        "Creates a message with status STREAMING that a producer extends in pieces, and returns a fence for this "
        "producer. With the key of a message that is STREAMING, the producer takes over this message: its text stays, "
        "and the old fence becomes invalid. A producer that sends nothing for STREAM_TIMEOUT_SECONDS (300 by default) "
        "loses the message: it becomes FAILED. Effects on the session and errors are those of `appendMessage`; also "
        "CONFLICT if the message of this key has ended, or has another role or kind of stream; VALIDATION for a "
        "`partsFormat` without `stream: PARTS`.",
        input="The session and the values of the new message.",
    )
    async def start_message(self, work: UnitOfWork, input: StartMessageInput) -> StartMessagePayload:
        session_id = ids.require_session(input.session_id, "sessionId")
        parts_format = _parts_format(input.stream, value_of(input.parts_format))
        fields = provided_fields(input, "session_id", "stream", "parts_format")
        row, fence = await streaming_message.start(work, session_id, fields, parts_format)
        return StartMessagePayload(message=row, fence=fence, cursor=event_cursor(row))

    @mutation(
        "Adds a piece of text, or parts, to the end of a streaming message. A piece that is stored already at its "
        "offset changes nothing, so a retry is safe. Errors: VALIDATION, NOT_FOUND; OFFSET_MISMATCH if the piece does "
        "not start at the end of what is stored; LIMIT; FENCED if another producer has taken over; "
        "ILLEGAL_TRANSITION from STREAMING to the present status if the message has ended, for example after "
        "`cancelMessage`: the producer must stop.",
        input="The message, the fence, and the piece of text or the parts.",
    )
    async def extend_message(self, work: UnitOfWork, input: ExtendMessageInput) -> MessagePayload:
        key, parts = ids.require_message(input.id), value_of(input.parts)
        if not parts:
            return MessagePayload.of(await streaming_message.extend(work, key, input.fence, input.offset, input.text))
        if input.text:
            raise Invalid("Send text or parts, not both.", field="parts")
        return MessagePayload.of(await streaming_message.extend_with_parts(work, key, input.fence, input.offset, parts))

    @mutation(
        "Ends a streaming message as COMPLETE or FAILED. The same call again from the same producer changes nothing "
        "and returns the message. Errors: VALIDATION, NOT_FOUND; FENCED if another producer has taken over; "
        "ILLEGAL_TRANSITION if the message ended in another way.",
        input="The message, the fence and the end of the message.",
    )
    async def finish_message(self, work: UnitOfWork, input: FinishMessageInput) -> MessagePayload:
        key, fields = ids.require_message(input.id), message_fields(input, "id", "fence", "status")
        return MessagePayload.of(await streaming_message.finish(work, key, input.fence, input.status.value, fields))

    @mutation(
        "Ends a streaming message as CANCELLED; its text stays. Every client of the owner may do this, without the "
        "fence. A second call changes nothing. Errors: NOT_FOUND; ILLEGAL_TRANSITION if the message is COMPLETE or "
        "FAILED.",
        input="The message to cancel.",
    )
    async def cancel_message(self, work: UnitOfWork, input: MessageIdInput) -> MessagePayload:
        return MessagePayload.of(await streaming_message.cancel(work, ids.require_message(input.id)))


def _parts_format(stream: StreamKind, parts_format: PartsFormat | None) -> str | None:
    """The format of the parts; None for a stream of text."""
    if stream is StreamKind.PARTS:
        return (parts_format or PartsFormat.OTHER).value
    if parts_format is not None:
        raise Invalid("partsFormat needs stream: PARTS.", field="partsFormat")
    return None
