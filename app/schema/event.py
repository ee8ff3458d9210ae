"""Events: what happens in a session, as it happens or as it did."""

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Annotated, Any, cast

import strawberry

from app.live.events import Event as Fact
from app.live.events import Kind
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


@strawberry.type(
    description="A message that is being written has grown. A reader's text up to `offset`, and `text` after it, is "
    "the message's so far."
)
class MessageDelta(Event):
    message_id: strawberry.ID = field(description="Which message.")
    offset: int = field(description="Where in the message it begins, in Unicode code points.")
    text: str = field(description="What it says from there on.")


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
    | MessageDelta
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


ViewerEvent = Annotated[
    SessionChanged | SessionRemoved | TaskChanged | ApprovalChanged | CaughtUp | StreamReset,
    strawberry.union("ViewerEvent", description="What can happen to a viewer; unknown members must be ignored."),
]
After = Annotated[str | None, argument(description="Where to go on; null starts now.")]
Follow = Annotated[bool, argument(description="false ends after CaughtUp: the pull twin, for scripts, tests and curl.")]


SHOWN: dict[Kind, Callable[[str, Any], Event]] = {
    Kind.MESSAGE_ADDED: lambda at, row: MessageAdded(cursor=at, message=row),
    Kind.MESSAGE_DELTA: lambda at, delta: MessageDelta(
        cursor=at,
        message_id=ids.message(delta.session_id, delta.sequence),
        offset=delta.offset,
        text=delta.text,
    ),
    Kind.MESSAGE_CHANGED: lambda at, row: MessageChanged(cursor=at, message=row),
    Kind.MESSAGE_REMOVED: lambda at, row: MessageRemoved(
        cursor=at, message_id=ids.message(row.session_id, row.sequence)
    ),
    Kind.SESSION_CHANGED: lambda at, row: SessionChanged(cursor=at, session=row),
    Kind.SESSION_REMOVED: lambda at, row: SessionRemoved(cursor=at, session_id=ids.session(row.id)),
    Kind.SESSION_AGENT_CHANGED: lambda at, row: SessionAgentChanged(cursor=at, session_agent=row),
    Kind.TASK_CHANGED: lambda at, row: TaskChanged(cursor=at, task=row),
    Kind.APPROVAL_CHANGED: lambda at, row: ApprovalChanged(cursor=at, approval=row),
    Kind.STREAM_RESET: lambda at, reason: StreamReset(cursor=at, reason=ResetReason(reason.value)),
    Kind.CAUGHT_UP: lambda at, _: CaughtUp(cursor=at),
}


def shown(fact: Fact) -> Event:
    """An event of the feed as its type in the schema."""
    return SHOWN[fact.kind](fact.cursor, fact.data)


@strawberry.type(description="What is streamed.")
class Subscription:
    @strawberry.subscription(
        description="What happens in a session: what came after the cursor, each changed thing once and newest; every "
        "message that is being written, whole; then CaughtUp; then every change in its order. Never missed, never "
        "twice. `after` takes Session.eventCursor, a payload's cursor or an event's."
    )
    async def session_events(
        self,
        info: Info,
        session_id: Annotated[strawberry.ID, argument(description="Which session.")],
        after: After = None,
        follow: Follow = True,
    ) -> AsyncIterator[SessionEvent]:
        session, ctx = ids.session_of(session_id) or ids.NOTHING, info.context
        return cast(Any, ctx.hub.session_events(ctx.viewer, session, shown, ctx.resume_after or after, follow))

    @strawberry.subscription(
        description="What happens to your sessions, tasks and approvals: what came after the cursor, each changed "
        "thing once and newest; then CaughtUp; then every change, several of one thing possibly merged. Never missed, "
        "possibly twice around CaughtUp or after a resume. `after` takes Viewer.eventCursor or an event's."
    )
    async def viewer_events(self, info: Info, after: After = None, follow: Follow = True) -> AsyncIterator[ViewerEvent]:
        ctx = info.context
        return cast(Any, ctx.hub.viewer_events(ctx.viewer, shown, ctx.resume_after or after, follow))
