"""Events: the changes in a session or of a viewer, replayed from a cursor and then live."""

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Annotated, Any, cast

import strawberry

from app.live.events import Event as LiveEvent
from app.live.events import Kind
from app.record_path import name_of
from app.schema import ids
from app.schema.approval import Approval
from app.schema.base import Info, enum
from app.schema.message import Message
from app.schema.record import Record
from app.schema.scalars import Json
from app.schema.session import Session
from app.schema.session_agent import SessionAgent
from app.schema.task import Task

field, argument = strawberry.field, strawberry.argument


@enum(
    "The reason why a replay could not start at the cursor.",
    CURSOR_UNKNOWN="The cursor does not belong to these events, or is older than the changes that the server keeps.",
    CURSOR_FROM_THE_FUTURE="The cursor is ahead of the newest change: the database was restored to an earlier state, "
    "or a standby without the last changes was promoted.",
)
class ResetReason(StrEnum):
    CURSOR_UNKNOWN = "CURSOR_UNKNOWN"
    CURSOR_FROM_THE_FUTURE = "CURSOR_FROM_THE_FUTURE"


@strawberry.interface(description="One event of a subscription.")
class Event:
    cursor: str = field(
        description="The position after this event: opaque. A subscription with this `after` continues behind it."
    )


@strawberry.type(description="A message was created after the cursor of this reader.")
class MessageAdded(Event):
    message: Message = field(description="The message in its newest state.")


@strawberry.type(
    description="The text of a streaming message has grown. The text that the reader has up to `offset`, followed by "
    "`text`, is the text of the message so far."
)
class MessageDelta(Event):
    message_id: strawberry.ID = field(description="The id of the message.")
    offset: int = field(description="The position in the message at which `text` starts, in Unicode code points.")
    text: str = field(description="The new text.")


@strawberry.type(
    description="A streaming message has got parts. The parts that the reader has up to `offset`, followed by `parts`, "
    "are the parts of the message so far."
)
class MessagePartsDelta(Event):
    message_id: strawberry.ID = field(description="The id of the message.")
    offset: int = field(description="The number of parts before `parts`.")
    parts: list[Json] = field(description="The new parts.")


@strawberry.type(description="A message was changed. A replay also sends it for each STREAMING message.")
class MessageChanged(Event):
    message: Message = field(description="The message in its newest state.")


@strawberry.type(description="A message was deleted.")
class MessageRemoved(Event):
    message_id: strawberry.ID = field(description="The id of the deleted message.")


@strawberry.type(
    description="A session is new, or its own fields were changed: title, status, metadata, expiry, archiving, SOFT "
    "deletion or restoring, or the position up to which the owner has read."
)
class SessionChanged(Event):
    session: Session = field(description="The session in its newest state.")


@strawberry.type(
    description="A session was erased (HARD deletion) with its records. `sessionEvents` of this session then completes."
)
class SessionRemoved(Event):
    session_id: strawberry.ID = field(description="The id of the erased session.")


@strawberry.type(description="A SessionAgent of the session is new or was changed.")
class SessionAgentChanged(Event):
    session_agent: SessionAgent = field(description="The SessionAgent in its newest state.")


@strawberry.type(description="A task is new or was changed.")
class TaskChanged(Event):
    task: Task = field(description="The task in its newest state.")


@strawberry.type(description="An approval was requested or decided.")
class ApprovalChanged(Event):
    approval: Approval = field(description="The approval in its newest state.")


@strawberry.type(
    description="A live record was put, or is absent now: it was deleted, or its time has passed. A record is live if "
    "the first label of its namespace is `live`. The erasure of a session removes its records without this event: "
    "after SessionRemoved, read live records again that may belong to the session."
)
class RecordChanged(Event):
    namespace: list[str] = field(description="The labels of the record's namespace, the outermost first.")
    key: str = field(description="The name of the record in its namespace.")
    record: Record | None = field(description="The record in its newest state; null if it is absent.")


@strawberry.type(
    description="The replay is complete: the reader has every change up to this cursor. Later events are live. With "
    "`follow: false` this is the last event."
)
class CaughtUp(Event):
    pass


@strawberry.type(
    description="The replay could not start at the cursor, so changes may be missing. The client must read again what "
    "it shows. The subscription continues from now."
)
class StreamReset(Event):
    reason: ResetReason = field(description="The reason why the replay could not start at the cursor.")


SessionEvent = Annotated[
    MessageAdded
    | MessageDelta
    | MessagePartsDelta
    | MessageChanged
    | MessageRemoved
    | SessionChanged
    | SessionRemoved
    | SessionAgentChanged
    | TaskChanged
    | ApprovalChanged
    | CaughtUp
    | StreamReset,
    strawberry.union(
        "SessionEvent",
        description="An event of one session. Later versions may add members; a client must ignore those that it does "
        "not know.",
    ),
]


ViewerEvent = Annotated[
    SessionChanged | SessionRemoved | TaskChanged | ApprovalChanged | RecordChanged | CaughtUp | StreamReset,
    strawberry.union(
        "ViewerEvent",
        description="An event of one viewer. Later versions may add members; a client must ignore those that it does "
        "not know.",
    ),
]
After = Annotated[
    str | None,
    argument(
        description="The event cursor after which the events start. Null or omitted: the events start now. A cursor "
        "that the server cannot use returns StreamReset first, never an error. `Last-Event-ID` of an SSE request "
        "replaces it."
    ),
]
Follow = Annotated[
    bool,
    argument(
        description="`true`: stay open after CaughtUp and send live events. `false`: complete after CaughtUp, for "
        "clients that poll."
    ),
]


def _record_changed(cursor: str, row: Any) -> RecordChanged:
    name = name_of(row.path)
    record = row if row.is_present else None
    return RecordChanged(cursor=cursor, namespace=list(name.namespace), key=name.key, record=record)


EVENT_TYPES: dict[Kind, Callable[[str, Any], Event]] = {
    Kind.MESSAGE_ADDED: lambda cursor, row: MessageAdded(cursor=cursor, message=row),
    Kind.MESSAGE_DELTA: lambda cursor, delta: MessageDelta(
        cursor=cursor,
        message_id=ids.message(delta.session_id, delta.sequence),
        offset=delta.offset,
        text=delta.text,
    ),
    Kind.MESSAGE_PARTS_DELTA: lambda cursor, delta: MessagePartsDelta(
        cursor=cursor,
        message_id=ids.message(delta.session_id, delta.sequence),
        offset=delta.offset,
        parts=delta.parts,
    ),
    Kind.MESSAGE_CHANGED: lambda cursor, row: MessageChanged(cursor=cursor, message=row),
    Kind.MESSAGE_REMOVED: lambda cursor, row: MessageRemoved(
        cursor=cursor, message_id=ids.message(row.session_id, row.sequence)
    ),
    Kind.SESSION_CHANGED: lambda cursor, row: SessionChanged(cursor=cursor, session=row),
    Kind.SESSION_REMOVED: lambda cursor, row: SessionRemoved(cursor=cursor, session_id=ids.session(row.id)),
    Kind.SESSION_AGENT_CHANGED: lambda cursor, row: SessionAgentChanged(cursor=cursor, session_agent=row),
    Kind.TASK_CHANGED: lambda cursor, row: TaskChanged(cursor=cursor, task=row),
    Kind.APPROVAL_CHANGED: lambda cursor, row: ApprovalChanged(cursor=cursor, approval=row),
    Kind.RECORD_CHANGED: _record_changed,
    Kind.STREAM_RESET: lambda cursor, reason: StreamReset(cursor=cursor, reason=ResetReason(reason.value)),
    Kind.CAUGHT_UP: lambda cursor, _: CaughtUp(cursor=cursor),
}


def event_of(event: LiveEvent) -> Event:
    """The schema type of an event that a subscription delivers."""
    return EVENT_TYPES[event.kind](event.cursor, event.data)


@strawberry.type(
    description="Live events, over WebSocket (graphql-transport-ws) or server-sent events. A cursor lets a client "
    "continue after a lost connection."
)
class Subscription:
    @strawberry.subscription(
        description="The changes in one session. First the replay: each object that changed after the cursor once, in "
        "its newest state, and each STREAMING message with its whole text or all its parts. Then CaughtUp. Then "
        "live events in the order of the commits; several changes of one object may arrive as one event. No change is "
        "missed, none is sent twice. `after` takes `Session.eventCursor`, the `cursor` of a payload, or the cursor of "
        "an event. Errors: NOT_FOUND."
    )
    async def session_events(
        self,
        info: Info,
        session_id: Annotated[strawberry.ID, argument(description="The id of the session.")],
        after: After = None,
        follow: Follow = True,
    ) -> AsyncIterator[SessionEvent]:
        session, ctx = ids.parse_session(session_id) or ids.NO_ROW, info.context
        return cast(Any, ctx.hub.session_events(ctx.viewer, session, event_of, ctx.resume_after or after, follow))

    @strawberry.subscription(
        description="The changes of all sessions, tasks, approvals and live records of the viewer. First the replay: "
        "each object that changed after the cursor, in its newest state. Then CaughtUp. Then live events; several "
        "changes of one object may arrive as one event. No change is missed; a change may be sent twice, around "
        "CaughtUp or after a new connection. The order is fixed within a session only. `after` takes "
        "`Viewer.eventCursor` or the cursor of an event."
    )
    async def viewer_events(self, info: Info, after: After = None, follow: Follow = True) -> AsyncIterator[ViewerEvent]:
        ctx = info.context
        return cast(Any, ctx.hub.viewer_events(ctx.viewer, event_of, ctx.resume_after or after, follow))
