"""Sessions: the conversations of one owner."""

from asyncio import Future
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from app.context import Context
from app.db import approval as approvals
from app.db import message as messages
from app.db import session_agent as session_agents
from app.db import task as tasks
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, MessageKey, MessageRow, SessionAgentRow, SessionRow, TaskRow
from app.errors import BadInput
from app.limits import DEFAULT_PAGE_SIZE
from app.live.cursors import Position
from app.resolvers import session
from app.schema import ids
from app.schema.agent import OrderDirection
from app.schema.approval import Approval, ApprovalConditions, ApprovalFilter, ApprovalStatus
from app.schema.base import (
    CHANGED_METADATA,
    CLIENT_CREATED_AT,
    EXPECTED_REVISION,
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
    to_python,
    value_of,
)
from app.schema.connection import Connection, connection
from app.schema.message import Message, MessageFilter
from app.schema.mutation import mutation
from app.schema.scalars import DateTime, Json
from app.schema.session_agent import SessionAgent, SessionAgentKind
from app.schema.task import Task, TaskConditions, TaskFilter
from app.unit_of_work import UnitOfWork

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
        "60 characters."
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
        return str(Position.at(self.id, self.head))

    @field(
        graphql_type=Task | None,
        description="The task on which the session works; null if none, or after the task was erased with its session.",
    )
    def task(self: SessionRow, info: Info) -> "Future[TaskRow | None] | None":
        return info.context.loaders.tasks.load(self.task_id) if self.task_id else None

    @field(graphql_type=int, description="The number of approvals in the session with status PENDING.")
    def pending_approval_count(self: SessionRow, info: Info) -> "Future[int]":
        return info.context.loaders.total(approvals.OF_SESSIONS, self.id, PENDING)

    @field(graphql_type=bool, description="True while at least one message of the session is STREAMING.")
    def streaming(self: SessionRow, info: Info) -> "Future[bool]":
        return info.context.loaders.streaming.load(self.id)

    @field(graphql_type=Message | None, description="The newest message; null without messages.")
    def last_message(self: SessionRow, info: Info) -> "Future[MessageRow | None]":
        return info.context.loaders.last_messages.load(self.id)

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
    ) -> "Future[MessageRow | None] | None":
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
    ) -> "Future[Slice[MessageRow]]":
        return ctx.loaders.page(messages.OF_SESSIONS, self.id, window, **MessageFilter.parameters(filter))

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
    ) -> "Future[SessionAgentRow | None]":
        return info.context.loaders.session_agents.load((self.id, kind.value, key))

    @connection(Connection[SessionAgent], "The agents of the session, in the order in which they joined.")
    def agents(self: SessionRow, ctx: Context, window: Window) -> "Future[Slice[SessionAgentRow]]":
        return ctx.loaders.page(session_agents.OF_SESSIONS, self.id, window)

    @connection(Connection[Task], "The tasks that were created in the session, the oldest first.")
    def tasks(
        self: SessionRow, ctx: Context, window: Window, filter: TaskConditions = None
    ) -> "Future[Slice[TaskRow]]":
        return ctx.loaders.page(tasks.OF_SESSIONS, self.id, window, **TaskFilter.parameters(filter))

    @connection(Connection[Approval], "The approvals of the session, the oldest first.")
    def approvals(
        self: SessionRow, ctx: Context, window: Window, filter: ApprovalConditions = None
    ) -> "Future[Slice[ApprovalRow]]":
        return ctx.loaders.page(approvals.OF_SESSIONS, self.id, window, **ApprovalFilter.parameters(filter))


@strawberry.input(description="The values of a new session.")
class CreateSessionInput:
    key: Maybe[str | None] = field(
        description="A key that the client chooses, unique per owner, 1 to 255 characters. If another session has the "
        "key: CONFLICT. Null or omitted: no key."
    )
    title: Maybe[str | None] = field(
        description="The title, at most 255 characters. Null, omitted or empty: the first USER message gives the title."
    )
    agent_type: Maybe[str | None] = field(
        description="The type of agent for which the session is created, 1 to 255 characters; one of AGENT_TYPES if "
        "the server has this setting. The cap on active sessions counts sessions per agent type. Null or omitted: "
        "none, and no cap."
    )
    task_id: Maybe[strawberry.ID | None] = field(description="The id of the task on which the session works.")
    role: Maybe[str | None] = field(
        description="The role that the session serves, 1 to 255 characters. Null or omitted: none."
    )
    status: Maybe[SessionStatus | None] = field(
        description="The first status: PENDING or ACTIVE. Null or omitted: PENDING."
    )
    metadata: Maybe[Json | None] = field(description=NEW_METADATA)
    expires_at: Maybe[DateTime | None] = field(
        description="The time at which the session becomes EXPIRED permanently; it must be in the future. Null or "
        "omitted: never."
    )
    client_created_at: Maybe[DateTime | None] = field(
        description="The time of creation on the client's clock. The server stores it and does not use it for any "
        "order."
    )


@strawberry.input(description="The changes of a session. An omitted field keeps its value.")
class UpdateSessionInput:
    id: strawberry.ID = field(description="The id of the session to change.")
    title: Maybe[str | None] = field(
        description="The new title, at most 255 characters. Empty: the next USER message gives the title. Null is "
        "refused."
    )
    metadata: Maybe[Json | None] = field(description=CHANGED_METADATA)
    expires_at: Maybe[DateTime | None] = field(
        description="The new time at which the session becomes EXPIRED permanently; it must be in the future. Null: "
        "never."
    )
    expected_revision: Maybe[int | None] = field(description=EXPECTED_REVISION)


@strawberry.input(description="The next status of a session.")
class SetSessionStatusInput:
    id: strawberry.ID = field(description="The id of the session to change.")
    status: SessionStatus = field(
        description="The next status: ACTIVE after PENDING, COMPLETED or FAILED after ACTIVE. Any other change: "
        "ILLEGAL_TRANSITION."
    )
    metadata: Maybe[Json | None] = field(description=CHANGED_METADATA)
    expected_revision: Maybe[int | None] = field(description=EXPECTED_REVISION)


@strawberry.input(description="The session to which a mutation applies.")
class SessionIdInput:
    id: strawberry.ID = field(description="The id of the session.")


@enum(
    "The kind of deletion of a session.",
    SOFT="The session leaves the lists and accepts no changes. `restoreSession` undoes this.",
    HARD="The session and everything in it are erased. This cannot be undone.",
)
class DeleteMode(StrEnum):
    SOFT = "SOFT"
    HARD = "HARD"


@strawberry.input(description="The session to delete, and the kind of deletion.")
class DeleteSessionInput:
    id: strawberry.ID = field(description="The id of the session.")
    mode: DeleteMode = field(default=DeleteMode.SOFT, description="The kind of deletion.")
    dry_run: bool = field(
        default=False, description="`true`: count the messages that the deletion would remove, and delete nothing."
    )


@strawberry.input(description="The message up to which the owner has read a session.")
class MarkSessionReadInput:
    id: strawberry.ID = field(description="The id of the session.")
    up_to_sequence: int = field(
        description="The `sequence` of the last message that was read, 0 or more. A number below the stored one "
        "changes nothing; a number above the newest message counts as the newest message."
    )


def event_cursor(row: SessionRow) -> str:
    """The event cursor of the newest change in a session."""
    return str(Position.at(row.id, row.head))


@strawberry.type(description="The result of a mutation of a session.")
class SessionPayload:
    session: Session | None = field(default=None, description="The session after the mutation; null after an error.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: SessionRow) -> "SessionPayload":
        return cls(session=row, cursor=event_cursor(row))


@strawberry.type(description="The result of the creation of a session.")
class CreateSessionPayload:
    session: Session | None = field(default=None, description="The new session; null after an error.")
    cursor: str | None = cursor()
    evicted: list[Session] = field(
        default_factory=list,
        description="The sessions of the same agent type that the server archived because of the cap on active "
        "sessions.",
    )
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: SessionRow, evicted: list[SessionRow]) -> "CreateSessionPayload":
        return cls(session=row, cursor=event_cursor(row), evicted=evicted)


@strawberry.type(description="The result of the deletion of a session.")
class DeleteSessionPayload:
    deleted_id: strawberry.ID | None = field(
        default=None, description="The id of the deleted session; null after an error or a dry run."
    )
    deleted_message_count: int = field(
        default=0, description="The number of messages in the deleted session; after a dry run, in the session."
    )
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: SessionRow, message_count: int) -> "DeleteSessionPayload":
        return cls(deleted_id=ids.session(row.id), deleted_message_count=message_count, cursor=event_cursor(row))


@strawberry.type
class SessionMutation:
    @mutation(
        "Creates a session. The cap: with an agent type, at most MAX_ACTIVE_SESSIONS_PER_AGENT_TYPE (5 by default) "
        "sessions of this type are PENDING or ACTIVE and neither archived nor deleted; the server archives the least "
        "recently active ones to make room. Errors: VALIDATION; NOT_FOUND for the task; CONFLICT if the key is in use.",
        input="The values of the new session.",
    )
    async def create_session(self, work: UnitOfWork, input: CreateSessionInput) -> CreateSessionPayload:
        fields = provided_fields(input)
        fields["task_id"] = ids.optional(ids.require_task, fields.get("task_id"), "taskId")
        return CreateSessionPayload.of(*await session.create(work, fields))

    @mutation(
        "Changes the given values of a session. Errors: VALIDATION, NOT_FOUND; CONFLICT if `expectedRevision` differs.",
        input="The session and its new values.",
    )
    async def update_session(self, work: UnitOfWork, input: UpdateSessionInput) -> SessionPayload:
        fields = provided_fields(input, "id", "expected_revision")
        session_id = ids.require_session(input.id)
        return SessionPayload.of(await session.update(work, session_id, fields, value_of(input.expected_revision)))

    @mutation(
        "Sets the next status of a session: ACTIVE after PENDING, COMPLETED or FAILED after ACTIVE. Errors: "
        "VALIDATION, NOT_FOUND, ILLEGAL_TRANSITION; CONFLICT if `expectedRevision` differs.",
        input="The session and its next status.",
    )
    async def set_session_status(self, work: UnitOfWork, input: SetSessionStatusInput) -> SessionPayload:
        fields = provided_fields(input, "id", "status", "expected_revision")
        session_id, expected_revision = ids.require_session(input.id), value_of(input.expected_revision)
        return SessionPayload.of(
            await session.set_status(work, session_id, input.status.value, fields, expected_revision)
        )

    @mutation(
        "Archives a session: it leaves the default list, and does not count for the cap on active sessions. A second "
        "call changes nothing. Errors: NOT_FOUND.",
        input="The session to archive.",
    )
    async def archive_session(self, work: UnitOfWork, input: SessionIdInput) -> SessionPayload:
        return SessionPayload.of(await session.archive(work, ids.require_session(input.id)))

    @mutation(
        "Undoes the archiving and the SOFT deletion of a session. For a session that is neither, it changes nothing. "
        "Errors: NOT_FOUND; LIMIT if the session would exceed the cap on active sessions.",
        input="The session to restore.",
    )
    async def restore_session(self, work: UnitOfWork, input: SessionIdInput) -> SessionPayload:
        return SessionPayload.of(await session.restore(work, ids.require_session(input.id)))

    @mutation(
        "Deletes a session: SOFT can be undone, HARD erases the session and everything in it. SOFT deletion cancels "
        "STREAMING messages; a second SOFT deletion changes nothing. Errors: NOT_FOUND.",
        input="The session and the kind of deletion.",
    )
    async def delete_session(self, work: UnitOfWork, input: DeleteSessionInput) -> DeleteSessionPayload:
        session_id = ids.require_session(input.id)
        if input.dry_run:
            return DeleteSessionPayload(deleted_message_count=await session.count_messages(work, session_id))
        return DeleteSessionPayload.of(*await session.delete(work, session_id, hard=input.mode is DeleteMode.HARD))

    @mutation(
        "Stores the message up to which the owner has read a session, and so changes `unreadCount`. Errors: "
        "VALIDATION, NOT_FOUND.",
        input="The session and the last message that was read.",
    )
    async def mark_session_read(self, work: UnitOfWork, input: MarkSessionReadInput) -> SessionPayload:
        session_id = ids.require_session(input.id)
        return SessionPayload.of(await session.mark_read(work, session_id, input.up_to_sequence))
