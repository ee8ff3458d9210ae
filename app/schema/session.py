"""Sessions: the conversations of one owner."""

from enum import StrEnum
from typing import Annotated, Any

import strawberry
from graphql_compiled.batch import BatchValue

from app.context import Context
from app.db import approval as approvals
from app.db import session_agent as session_agents
from app.db import task as tasks
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, MessageKey, MessageRow, SessionAgentRow, SessionRow, TaskRow
from app.errors import BadInput
from app.limits import DEFAULT_PAGE_SIZE
from app.live.cursors import SessionCursor
from app.resolvers import session
from app.schema import ids
from app.schema.approval import Approval, ApprovalConditions, ApprovalFilter, ApprovalStatus
from app.schema.base import Info, Node, OrderDirection, enum, rows_of
from app.schema.connection import Connection, connection
from app.schema.descriptions import CLIENT_CREATED_AT, METADATA, NODE_ID
from app.schema.encoded_page import reusable
from app.schema.inputs import to_python
from app.schema.message import Message, MessageFilter
from app.schema.scalars import DateTime, Json
from app.schema.session_agent import SessionAgent, SessionAgentKind
from app.schema.task import Task, TaskConditions, TaskFilter

field, argument = strawberry.field, strawberry.argument
PENDING = tuple(ApprovalFilter.parameters(ApprovalFilter(status=[ApprovalStatus.PENDING])).items())


@enum(
    "The state of a session. `setSessionStatus` allows PENDING to ACTIVE, and ACTIVE to COMPLETED or FAILED.",
    PENDING="The session has no message yet. The first message makes it ACTIVE.",
    ACTIVE="The session accepts messages.",
    COMPLETED="The session ended with success. It accepts no more messages.",
    FAILED="The session ended with a failure. It accepts no more messages.",
    EXPIRED="The session had no activity for SESSION_RETENTION_DAYS (7 by default): a message makes it ACTIVE again. "
    "Or its `expiresAt` has passed: this is final, and the session accepts no more messages.",
)
class SessionStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@enum(
    "The value by which sessions are ordered.",
    LAST_ACTIVITY="The time of the newest message; for a session without messages, the time of creation.",
    CREATED_AT="The time of creation.",
)
class SessionOrderField(StrEnum):
    LAST_ACTIVITY = "LAST_ACTIVITY"
    CREATED_AT = "CREATED_AT"


@strawberry.input(description="The order of a list of sessions.")
class SessionOrder:
    field: SessionOrderField = strawberry.field(description="The value by which sessions are ordered.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(
    description="Conditions on a list of sessions. A session must meet all conditions; null or omitted: no condition, "
    "except for `archived` and `deleted`."
)
class SessionFilter:
    status: list[SessionStatus] | None = field(default=None, description="The session has one of these statuses.")
    agent_type: str | None = field(default=None, description="The session has exactly this agent type.")
    role: str | None = field(default=None, description="The session has exactly this role.")
    task_id: strawberry.ID | None = field(default=None, description="The session works on the task with this id.")
    query: str | None = field(default=None, description="The title contains this text. Upper and lower case are equal.")
    archived: bool | None = field(
        default=None, description="`true`: only archived sessions. `false`, null or omitted: no archived sessions."
    )
    deleted: bool | None = field(
        default=None, description="`true`: only SOFT-deleted sessions. `false`, null or omitted: no deleted sessions."
    )

    @staticmethod
    def parameters(filter: "SessionFilter | None") -> dict[str, Any]:
        """The filter as parameters of the statements. An id that names no task matches no session."""
        conditions = vars(filter or SessionFilter())
        task_id = conditions["task_id"]
        return conditions | {
            "status": to_python(conditions["status"]),
            "task_id": None if task_id is None else ids.parse_task(task_id) or ids.NO_ROW,
            "archived": bool(conditions["archived"]),
            "deleted": bool(conditions["deleted"]),
        }


@strawberry.type(description="A conversation with its messages and the agents that take part.")
class Session(Node):
    key: str | None = field(description="The key that the client gave the session, unique per owner; null if none.")
    title: str = field(
        description="The title. It is empty until the client sets it, or until the first USER message gives its first "
        "60 characters, in one line and with no character cut in two."
    )
    status: SessionStatus = field(description="The state of the session.")
    role: str | None = field(description="The role that the session serves, as the client names it; null if none.")
    agent_type: str | None = field(
        description="The type of agent for which the session was created, as the client names it; null if none."
    )
    metadata: Json = field(description=METADATA)
    revision: int = field(
        description="The change number of the session at the newest change of its own fields. An append does not "
        "change it, except when the append changes status, title or archiving. `expectedRevision` is compared with it."
    )
    message_count: int = field(description="The number of messages, without deleted ones.")
    unread_count: int = field(
        description="The number of messages after `lastReadSequence` with another role than USER, without deleted ones."
    )
    last_read_sequence: int = field(
        description="The `sequence` of the message up to which the owner has read; 0 if none."
    )
    client_created_at: DateTime | None = field(description=CLIENT_CREATED_AT)
    created_at: DateTime = field(description="The time at which the server created the session.")
    updated_at: DateTime = field(description="The time of the newest change of the session's own fields.")
    last_activity_at: DateTime = field(
        description="The time of the newest message; for a session without messages, the time of creation."
    )
    expires_at: DateTime | None = field(
        description="The time at which the session becomes EXPIRED permanently; null: never."
    )
    archived_at: DateTime | None = field(
        description="The time at which the session was archived; null if it is not archived. A new message takes the "
        "session out of the archive."
    )
    deleted_at: DateTime | None = field(
        description="The time of the SOFT deletion; null if not deleted. A deleted session can be read, restored and "
        "deleted, but not changed."
    )

    is_type_of = rows_of(SessionRow)

    @field(description=NODE_ID)
    def id(self: SessionRow) -> strawberry.ID:
        return ids.session(self.id)

    @field(
        description="The event cursor of this read. `sessionEvents(after:)` with it misses no later change. It is not "
        "a page cursor."
    )
    def event_cursor(self: SessionRow) -> str:
        return str(SessionCursor.at(self.id, self.head))

    @field(
        graphql_type=Task | None,
        description="The task on which the session works; null if none, or after the task was erased with its session.",
    )
    def task(self: SessionRow, info: Info) -> "BatchValue[TaskRow | None] | None":
        return info.context.loaders.tasks.load(self.task_id) if self.task_id else None

    @field(graphql_type=int, description="The number of approvals in the session with status PENDING.")
    def pending_approval_count(self: SessionRow, info: Info) -> "BatchValue[int]":
        return info.context.loaders.total(approvals.PENDING_OF_SESSIONS, self.id, PENDING)

    @field(graphql_type=bool, description="True while at least one message of the session is STREAMING.")
    def streaming(self: SessionRow, info: Info) -> "BatchValue[bool]":
        return info.context.loaders.session_is_streaming.load(self.id)

    @field(graphql_type=Message | None, description="The newest message; null without messages.")
    def last_message(self: SessionRow, info: Info) -> "MessageRow | BatchValue[MessageRow | None] | None":
        return info.context.loaders.last_message(self)

    @field(
        graphql_type=Message | None,
        description="One message of the session, by exactly one of `id`, `sequence` and `key`; null if the session has "
        "no such message. Another number of these arguments returns the error BAD_USER_INPUT.",
    )
    def message(
        self: SessionRow,
        info: Info,
        id: Annotated[strawberry.ID | None, argument(description="The id of the message.")] = None,
        sequence: Annotated[int | None, argument(description="The position of the message in the session.")] = None,
        key: Annotated[str | None, argument(description="The key that the client gave the message.")] = None,
        agent_key: Annotated[
            str | None,
            argument(
                description="With `key`: the key of the agent of the message. Null or omitted: a message without agent."
            ),
        ] = None,
    ) -> "BatchValue[MessageRow | None] | None":
        if sum(value is not None for value in (id, sequence, key)) != 1:
            raise BadInput("Name the message by exactly one of id, sequence and key.")
        loaders = info.context.loaders
        if key is not None:
            return loaders.messages_by_key.load((self.id, agent_key, key))
        message = ids.parse_message(id) if id is not None else MessageKey(self.id, sequence or 0)
        return loaders.messages.load(message) if message and message.session_id == self.id else None

    @connection(
        Connection[Message],
        "The messages in the order of their `sequence`, without deleted ones. Without `first` and `last`: "
        f"the newest {DEFAULT_PAGE_SIZE}.",
        newest=True,
    )
    def messages(
        self: SessionRow,
        ctx: Context,
        window: Window,
        filter: Annotated[
            MessageFilter | None, argument(description="Conditions on the messages. Null or omitted: all messages.")
        ] = None,
    ) -> "Slice[MessageRow] | BatchValue[Slice[MessageRow]]":
        loaders, filters = ctx.loaders, MessageFilter.parameters(filter)
        return reusable(loaders, loaders.messages_in_session(self, window, **filters))

    @field(
        graphql_type=SessionAgent | None, description="One agent of the session; null if the session has no such agent."
    )
    def agent(
        self: SessionRow,
        info: Info,
        key: Annotated[str, argument(description="The key of the SessionAgent.")],
        kind: Annotated[
            SessionAgentKind, argument(description="The kind of the SessionAgent.")
        ] = SessionAgentKind.AGENT,
    ) -> "BatchValue[SessionAgentRow | None]":
        return info.context.loaders.session_agents.load((self.id, kind.value, key))

    @connection(Connection[SessionAgent], "The agents of the session, in the order in which they joined.")
    def agents(
        self: SessionRow, ctx: Context, window: Window
    ) -> "Slice[SessionAgentRow] | BatchValue[Slice[SessionAgentRow]]":
        return ctx.loaders.page_in_session(session_agents.OF_SESSIONS, self, window)

    @connection(Connection[Task], "The tasks that were created in the session, the oldest first.")
    def tasks(
        self: SessionRow, ctx: Context, window: Window, filter: TaskConditions = None
    ) -> "BatchValue[Slice[TaskRow]]":
        return ctx.loaders.page(tasks.OF_SESSIONS, self.id, window, **TaskFilter.parameters(filter))

    @connection(Connection[Approval], "The approvals of the session, the oldest first.")
    def approvals(
        self: SessionRow, ctx: Context, window: Window, filter: ApprovalConditions = None
    ) -> "BatchValue[Slice[ApprovalRow]]":
        filters = ApprovalFilter.parameters(filter)
        return ctx.loaders.page(approvals.of_sessions(filters["status"]), self.id, window, **filters)


LATEST = SessionOrder(field=SessionOrderField.LAST_ACTIVITY, direction=OrderDirection.DESC)


@strawberry.type
class SessionQuery:
    @field(
        graphql_type=Session | None,
        description="The session with this id or this key; null if there is none. Send exactly one of `id` and `key`.",
    )
    def session(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, argument(description="The id of the session.")] = None,
        key: Annotated[str | None, argument(description="The key that the client gave the session.")] = None,
    ) -> "BatchValue[SessionRow | None] | None":
        loaders = info.context.loaders
        return ids.load_by_id_or_key(ids.parse_session, loaders.sessions, loaders.sessions_by_key, id, key)

    @connection(
        Connection[Session],
        "The sessions of the viewer. Archived and deleted sessions are included only if the filter asks for them.",
    )
    async def sessions(
        self,
        ctx: Context,
        window: Window,
        filter: Annotated[
            SessionFilter | None,
            argument(
                description="Conditions on the sessions. Null or omitted: sessions that are neither archived nor "
                "deleted."
            ),
        ] = None,
        order_by: Annotated[
            SessionOrder, argument(description="The order of the sessions. Default: the most recently active first.")
        ] = LATEST,
    ) -> Slice[SessionRow]:
        order = order_by.field.value, order_by.direction.value
        return reusable(ctx.loaders, await session.page(ctx, window, order, SessionFilter.parameters(filter)))
