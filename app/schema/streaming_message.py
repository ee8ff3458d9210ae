"""Streams: messages that are written while they are read."""

from enum import StrEnum

import strawberry
from strawberry import Maybe

from app.resolvers import streaming_message
from app.schema import ids
from app.schema.base import Info, UserError, cursor, enum, errors, provided_fields
from app.schema.content import TokenUsageInput
from app.schema.message import Message, MessageIdInput, MessagePayload, MessageRole, at
from app.schema.mutation import mutation
from app.schema.scalars import Json

field = strawberry.field


@enum(
    "How the writing of a message ends.",
    COMPLETE="It is whole.",
    FAILED="It went wrong; what was written stays.",
)
class FinishStatus(StrEnum):
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"


@strawberry.input(description="A message to write bit by bit.")
class StartMessageInput:
    session_id: strawberry.ID = field(description="In which session.")
    role: MessageRole = field(default=MessageRole.ASSISTANT, description="Who speaks.")
    key: Maybe[str | None] = field(
        description="The client's own name for it; of one that is still STREAMING, takes it over."
    )
    agent_key: Maybe[str | None] = field(description="The agent that speaks; a new one joins the session.")
    metadata: Maybe[Json | None] = field(description="Whatever the client keeps with it; {} when not set.")


@strawberry.input(description="More of a message.")
class ExtendMessageInput:
    id: strawberry.ID = field(description="Which message.")
    fence: str = field(description="What `startMessage` answered to this producer.")
    offset: int = field(
        description="Where the text belongs: the length of all before it, in Unicode code points, not UTF-16 units."
    )
    text: str = field(
        description="The text, at most 1,000,000 characters with all before it. Empty: the producer is still there."
    )


@strawberry.input(description="The end of a message.")
class FinishMessageInput:
    id: strawberry.ID = field(description="Which message.")
    fence: str = field(description="What `startMessage` answered to this producer.")
    status: FinishStatus = field(default=FinishStatus.COMPLETE, description="How it ends.")
    raw: Maybe[str | None] = field(
        description="The producer's document; `text` and `content` are made of it, whatever was streamed."
    )
    usage: Maybe[TokenUsageInput | None] = field(description="The tokens it took; not set, what `raw` says of them.")
    metadata: Maybe[Json | None] = field(description="In place of what it was started with.")


@strawberry.type(description="The message, open to whoever holds the fence.")
class StartMessagePayload:
    message: Message | None = field(default=None, description="Null when it was refused.")
    fence: str | None = field(default=None, description="Names this producer; the next start under the key ends it.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()


@strawberry.type
class StreamMutation:
    @mutation(
        "Opens a message that is written while it is read; the fence names this producer. With the key of a message "
        "still STREAMING it takes that message over: same message, new fence, the text stays."
    )
    async def start_message(self, info: Info, input: StartMessageInput) -> StartMessagePayload:
        session_id = ids.named(ids.session_of, input.session_id, "session", "sessionId")
        row, fence = await streaming_message.start(info.context, session_id, provided_fields(input, "session_id"))
        return StartMessagePayload(message=row, fence=fence, cursor=at(row))

    @mutation(
        "Adds text at an offset: an offset already written with the same text is a no-op; other text, a hole or an "
        "old fence is refused. After a cancel it answers ILLEGAL_TRANSITION, STREAMING to CANCELLED: stop."
    )
    async def extend_message(self, info: Info, input: ExtendMessageInput) -> MessagePayload:
        place = ids.named(ids.message_of, input.id, "message")
        row = await streaming_message.extend(info.context, place, input.fence, input.offset, input.text)
        return MessagePayload.of(row)

    @mutation("Ends a message. The same end again, by the same producer, is a no-op.")
    async def finish_message(self, info: Info, input: FinishMessageInput) -> MessagePayload:
        place = ids.named(ids.message_of, input.id, "message")
        fields = provided_fields(input, "id", "fence", "status")
        if fields.get("usage") is not None:
            fields["usage"] = provided_fields(fields["usage"])
        row = await streaming_message.finish(info.context, place, input.fence, input.status.value, fields)
        return MessagePayload.of(row)

    @mutation("Stops the writing of a message, from any device, no fence needed; what was written stays.")
    async def cancel_message(self, info: Info, input: MessageIdInput) -> MessagePayload:
        return MessagePayload.of(
            await streaming_message.cancel(info.context, ids.named(ids.message_of, input.id, "message"))
        )
