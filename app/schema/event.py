"""Events: what happens in a session, as it happens or as it did."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated, Any

import strawberry

from app.errors import Absent
from app.live.feed import Event as Fact
from app.live.feed import Kind
from app.schema import ids
from app.schema.approval import Approval
from app.schema.base import Info, enum
from app.schema.message import Message
from app.schema.session import Session
from app.schema.session_agent import SessionAgent
from app.schema.task import Task

field, argument = strawberry.field, strawberry.argument


@enum(
    "Why the replay could not start at the cursor.",
    CURSOR_UNKNOWN="It is no cursor of this stream, or older than what is kept.",
    CURSOR_FROM_THE_FUTURE="It is ahead of the stream: the database was put back to an earlier state.",
)
class ResetReason(StrEnum):
    CURSOR_UNKNOWN = "CURSOR_UNKNOWN"
    CURSOR_FROM_THE_FUTURE = "CURSOR_FROM_THE_FUTURE"


@strawberry.interface(description="Something that happened, and the position after it.")
class Event:
    cursor: str = field(description="Where a stream must start to go on after this event.")


@strawberry.type(description="A message that is new to this reader.")
class MessageAdded(Event):
    message: Message = field(description="In its newest state.")


@strawberry.type(description="A message was changed.")
class MessageChanged(Event):
    message: Message = field(description="In its newest state.")


@strawberry.type(description="A message was deleted.")
class MessageRemoved(Event):
    message_id: strawberry.ID = field(description="The id it had.")


@strawberry.type(description="A session's own fields were changed.")
class SessionChanged(Event):
    session: Session = field(description="In its newest state.")


@strawberry.type(description="A session was erased; nothing follows in its stream.")
class SessionRemoved(Event):
    session_id: strawberry.ID = field(description="The id it had.")


@strawberry.type(description="An agent's part in the session is new or was changed.")
class SessionAgentChanged(Event):
    session_agent: SessionAgent = field(description="In its newest state.")


@strawberry.type(description="A task is new or was changed.")
class TaskChanged(Event):
    task: Task = field(description="In its newest state.")


@strawberry.type(description="An approval was requested or decided.")
class ApprovalChanged(Event):
    approval: Approval = field(description="In its newest state.")


@strawberry.type(description="The replay has ended; from here on events come as they happen.")
class CaughtUp(Event):
    pass


@strawberry.type(description="The cursor could not be honoured: read again what you show. The stream goes on from now.")
class StreamReset(Event):
    reason: ResetReason = field(description="Why.")


SessionEvent = Annotated[
    MessageAdded
    | MessageChanged
    | MessageRemoved
    | SessionChanged
    | SessionRemoved
    | SessionAgentChanged
    | TaskChanged
    | ApprovalChanged
    | CaughtUp
    | StreamReset,
    strawberry.union("SessionEvent", description="What can happen in a session; unknown members must be ignored."),
]


def shown(fact: Fact) -> Any:
    """An event of the feed as its type in the schema."""
    at, thing = str(fact.position), fact.thing
    match fact.kind:
        case Kind.MESSAGE_ADDED:
            return MessageAdded(cursor=at, message=thing)
        case Kind.MESSAGE_CHANGED:
            return MessageChanged(cursor=at, message=thing)
        case Kind.MESSAGE_REMOVED:
            return MessageRemoved(cursor=at, message_id=ids.message(thing.session_id, thing.sequence))
        case Kind.SESSION_CHANGED:
            return SessionChanged(cursor=at, session=thing)
        case Kind.SESSION_REMOVED:
            return SessionRemoved(cursor=at, session_id=ids.session(thing.id))
        case Kind.SESSION_AGENT_CHANGED:
            return SessionAgentChanged(cursor=at, session_agent=thing)
        case Kind.TASK_CHANGED:
            return TaskChanged(cursor=at, task=thing)
        case Kind.APPROVAL_CHANGED:
            return ApprovalChanged(cursor=at, approval=thing)
        case Kind.STREAM_RESET:
            return StreamReset(cursor=at, reason=ResetReason(thing.value))
    return CaughtUp(cursor=at)


@strawberry.type(description="What is streamed.")
class Subscription:
    @strawberry.subscription(
        description="What happens in a session: what came after the cursor, each changed thing once and newest; then "
        "CaughtUp; then every change in its order. Never missed, never twice."
    )
    async def session_events(
        self,
        info: Info,
        session_id: Annotated[strawberry.ID, argument(description="Which session.")],
        after: Annotated[
            str | None,
            argument(description="Session.eventCursor, a payload's cursor or an event's; null starts now."),
        ] = None,
        follow: Annotated[
            bool,
            argument(description="false ends after CaughtUp: the pull twin, for scripts, tests and curl."),
        ] = True,
    ) -> AsyncIterator[SessionEvent]:
        session = ids.session_of(session_id)
        if session is None:
            raise Absent("There is no such session.")
        async with aclosing(info.context.feed.session_events(info.context.viewer, session, after, follow)) as facts:
            async for fact in facts:
                yield shown(fact)
