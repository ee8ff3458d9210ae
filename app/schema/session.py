"""Sessions: conversations of one owner."""

from asyncio import Future
from enum import StrEnum
from typing import Annotated

import strawberry
from strawberry import Maybe

from app.db import approval as approvals
from app.db import message as messages
from app.db import session_agent as session_agents
from app.db import task as tasks
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, MessageRow, SessionAgentRow, SessionRow, TaskRow
from app.errors import BadInput
from app.live.cursors import SessionCursor
from app.resolvers import session
from app.schema import ids
from app.schema.agent import OrderDirection
from app.schema.approval import Approval, ApprovalFilter, ApprovalStatus
from app.schema.base import Info, Node, UserError, cursor, enum, errors, provided_fields, rows_of
from app.schema.connection import After, Before, Connection, First, Last
from app.schema.message import Message, MessageFilter
from app.schema.mutation import mutation
from app.schema.scalars import DateTime, Json
from app.schema.session_agent import SessionAgent, SessionAgentKind
from app.schema.task import Task, TaskFilter

field, argument = strawberry.field, strawberry.argument
PENDING = tuple(ApprovalFilter.parameters(ApprovalFilter(status=[ApprovalStatus.PENDING])).items())


@enum(
    "Where a session stands. By hand only PENDING to ACTIVE, and ACTIVE to COMPLETED or FAILED.",
    PENDING="Created; its first message makes it ACTIVE.",
    ACTIVE="Takes messages.",
    COMPLETED="Ended well; takes no more messages.",
    FAILED="Ended badly; takes no more messages.",
    EXPIRED="Idle for too long, then a message makes it ACTIVE again; or past `expiresAt`, then it is final.",
)
class SessionStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@enum(
    "By what sessions are ordered.",
    LAST_ACTIVITY="By the newest message, or the creation where there is none.",
    CREATED_AT="By the time of creation.",
)
class SessionOrderField(StrEnum):
    LAST_ACTIVITY = "LAST_ACTIVITY"
    CREATED_AT = "CREATED_AT"


@strawberry.input(description="How sessions are ordered.")
class SessionOrder:
    field: SessionOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(description="Which end comes first.")


@strawberry.input(description="Which sessions are wanted; what is not set does not restrict, but for the last two.")
class SessionFilter:
    status: list[SessionStatus] | None = field(default=None, description="In one of these statuses.")
    agent_type: str | None = field(default=None, description="Of this agent type.")
    role: str | None = field(default=None, description="Of this role.")
    task_id: strawberry.ID | None = field(default=None, description="Working on this task.")
    query: str | None = field(default=None, description="With this text in the title, letter case ignored.")
    archived: bool | None = field(default=None, description="Archived ones, and only these; not set means false.")
    deleted: bool | None = field(default=None, description="SOFT-deleted ones, and only these; not set means false.")


@strawberry.type(description="A conversation: its messages, and the agents that take part.")
class Session(Node):
    key: str | None = field(description="The client's own name for the session, unique per owner.")
    title: str = field(description="Empty until set, or until the first USER message gives its first 60 characters.")
    status: SessionStatus = field(description="Where it stands.")
    role: str | None = field(description="Whom it serves, in the owner's words.")
    agent_type: str | None = field(description="The kind of agent it is held with, in the owner's words.")
    metadata: Json = field(description="Whatever the client keeps with it.")
    revision: int = field(
        description="The number under which this session's own fields last changed (appends do not move it, unless "
        "one changes status, title or archiving): what `expectedRevision` compares."
    )
    message_count: int = field(description="Messages in it; deleted ones do not count.")
    unread_count: int = field(description="Messages after `lastReadSequence` that are not the USER's own.")
    last_read_sequence: int = field(description="Up to which message the owner has read.")
    client_created_at: DateTime | None = field(description="When the client says it was created.")
    created_at: DateTime = field(description="When it was created.")
    updated_at: DateTime = field(description="When its own fields were last changed.")
    last_activity_at: DateTime = field(description="When its newest message came, or when it was created.")
    expires_at: DateTime | None = field(description="From when on it is EXPIRED for good.")
    archived_at: DateTime | None = field(description="When it was archived; a message brings it back.")
    deleted_at: DateTime | None = field(
        description="When it was SOFT-deleted; it can be read and restored, not written."
    )

    is_type_of = rows_of(SessionRow)

    @field(description="Opaque, never reused; `node(id:)` finds the thing again.")
    def id(self: SessionRow) -> strawberry.ID:
        return ids.session(self.id)

    @field(description="Where `sessionEvents` must start so that nothing is missed after this read; not a page cursor.")
    def event_cursor(self: SessionRow) -> str:
        return str(SessionCursor.at(self.id, self.head))

    @field(graphql_type=Task | None, description="What it works on; null also when that is gone with its own session.")
    def task(self: SessionRow, info: Info) -> "Future[TaskRow | None] | None":
        return info.context.loaders.tasks.load(self.task_id) if self.task_id else None

    @field(graphql_type=int, description="Approvals in it that nobody has decided yet.")
    def pending_approval_count(self: SessionRow, info: Info) -> "Future[int]":
        return info.context.loaders.total(approvals.OF_SESSIONS, self.id, PENDING)

    @field(graphql_type=bool, description="A message of it is being written now.")
    def streaming(self: SessionRow, info: Info) -> "Future[bool]":
        return info.context.loaders.session_is_streaming.load(self.id)

    @field(graphql_type=Message | None, description="Its newest message.")
    def last_message(self: SessionRow, info: Info) -> "Future[MessageRow | None]":
        return info.context.loaders.last_messages.load(self.id)

    @field(graphql_type=Message | None, description="One message of it, by exactly one of id, sequence and key.")
    def message(
        self: SessionRow,
        info: Info,
        id: Annotated[strawberry.ID | None, argument(description="The message's id.")] = None,
        sequence: Annotated[int | None, argument(description="Its place in the conversation.")] = None,
        key: Annotated[str | None, argument(description="The client's own name for it.")] = None,
        agent_key: Annotated[str | None, argument(description="With `key`: the agent whose message it is.")] = None,
    ) -> "Future[MessageRow | None] | None":
        if sum(value is not None for value in (id, sequence, key)) != 1:
            raise BadInput("Name the message by exactly one of id, sequence and key.")
        loaders = info.context.loaders
        if key is not None:
            return loaders.messages_by_key.load((self.id, agent_key, key))
        place = ids.message_of(id) if id is not None else (self.id, sequence or 0)
        return loaders.messages.load(place) if place and place[0] == self.id else None

    @field(
        graphql_type=Connection[Message],
        description="Its messages in their order; without `first` and `last` the newest 50.",
    )
    def messages(
        self: SessionRow,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[MessageFilter | None, argument(description="Which messages are wanted.")] = None,
    ) -> "Future[Slice[MessageRow]]":
        window = Window.of(first, after, last, before, newest=True)
        wanted = MessageFilter.parameters(filter)
        return info.context.loaders.page(messages.OF_SESSIONS, self.id, window, **wanted)

    @field(graphql_type=SessionAgent | None, description="One agent's part in it.")
    def agent(
        self: SessionRow,
        info: Info,
        key: Annotated[str, argument(description="The framework's name for it.")],
        kind: Annotated[
            SessionAgentKind, argument(description="One agent, or an orchestrator.")
        ] = SessionAgentKind.AGENT,
    ) -> "Future[SessionAgentRow | None]":
        return info.context.loaders.session_agents.load((self.id, kind.value, key))

    @field(graphql_type=Connection[SessionAgent], description="The agents' parts in it, in the order they came.")
    def agents(
        self: SessionRow,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> "Future[Slice[SessionAgentRow]]":
        window = Window.of(first, after, last, before)
        return info.context.loaders.page(session_agents.OF_SESSIONS, self.id, window)

    @field(graphql_type=Connection[Task], description="The tasks created in it, as they were.")
    def tasks(
        self: SessionRow,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[TaskFilter | None, argument(description="Which tasks are wanted.")] = None,
    ) -> "Future[Slice[TaskRow]]":
        window = Window.of(first, after, last, before)
        return info.context.loaders.page(tasks.OF_SESSIONS, self.id, window, **TaskFilter.parameters(filter))

    @field(graphql_type=Connection[Approval], description="The approvals in it, as they were requested.")
    def approvals(
        self: SessionRow,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[ApprovalFilter | None, argument(description="Which approvals are wanted.")] = None,
    ) -> "Future[Slice[ApprovalRow]]":
        window = Window.of(first, after, last, before)
        return info.context.loaders.page(approvals.OF_SESSIONS, self.id, window, **ApprovalFilter.parameters(filter))


@strawberry.input(description="A new session.")
class CreateSessionInput:
    key: Maybe[str | None] = field(description="The client's own name for it, unique per owner.")
    title: Maybe[str | None] = field(
        description="At most 255 characters; the first USER message gives one when not set."
    )
    agent_type: Maybe[str | None] = field(description="The kind of agent it is held with.")
    task_id: Maybe[strawberry.ID | None] = field(description="What it works on; one of your tasks.")
    role: Maybe[str | None] = field(description="Whom it serves.")
    status: Maybe[SessionStatus | None] = field(description="PENDING (when not set) or ACTIVE.")
    metadata: Maybe[Json | None] = field(description="Whatever the client keeps with it; {} when not set.")
    expires_at: Maybe[DateTime | None] = field(description="From when on it is EXPIRED for good; in the future.")
    client_created_at: Maybe[DateTime | None] = field(description="When the client says it was created.")


@strawberry.input(description="What changes; what is not set stays as it is.")
class UpdateSessionInput:
    id: strawberry.ID = field(description="Which session.")
    title: Maybe[str | None] = field(description="At most 255 characters; when empty, the next USER message gives one.")
    metadata: Maybe[Json | None] = field(description="In place of the old one.")
    expires_at: Maybe[DateTime | None] = field(description="In the future; null takes it away.")
    expected_revision: Maybe[int | None] = field(description="Refuse with CONFLICT if it is not at this revision.")


@strawberry.input(description="A session's next status.")
class SetSessionStatusInput:
    id: strawberry.ID = field(description="Which session.")
    status: SessionStatus = field(description="ACTIVE after PENDING; COMPLETED or FAILED after ACTIVE; nothing else.")
    metadata: Maybe[Json | None] = field(description="In place of the old one.")
    expected_revision: Maybe[int | None] = field(description="Refuse with CONFLICT if it is not at this revision.")


@strawberry.input(description="One session.")
class SessionIdInput:
    id: strawberry.ID = field(description="Which session.")


@enum(
    "How a session is deleted.",
    SOFT="Out of the lists and closed to writes; `restoreSession` brings it back.",
    HARD="Erased with all that is in it, for good.",
)
class DeleteMode(StrEnum):
    SOFT = "SOFT"
    HARD = "HARD"


@strawberry.input(description="A session to delete.")
class DeleteSessionInput:
    id: strawberry.ID = field(description="Which session.")
    mode: DeleteMode = field(default=DeleteMode.SOFT, description="How.")
    dry_run: bool = field(default=False, description="Count what would go, delete nothing.")


@strawberry.input(description="How far the owner has read.")
class MarkSessionReadInput:
    id: strawberry.ID = field(description="Which session.")
    up_to_sequence: int = field(
        description="The last message read; backwards is a no-op, beyond the newest is the newest."
    )


@strawberry.type(description="The session as it is now.")
class SessionPayload:
    session: Session | None = field(default=None, description="Null when it was refused.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: SessionRow) -> "SessionPayload":
        return cls(session=row, cursor=str(SessionCursor.at(row.id, row.head)))


@strawberry.type(description="The new session, and those that made room for it.")
class CreateSessionPayload:
    session: Session | None = field(default=None, description="Null when it was refused.")
    cursor: str | None = cursor()
    evicted: list[Session] = field(
        default_factory=list, description="The sessions that the cap on active sessions archived to make room."
    )
    errors: list[UserError] = errors()


@strawberry.type(description="What was deleted.")
class DeleteSessionPayload:
    deleted_id: strawberry.ID | None = field(default=None, description="Null when nothing was.")
    deleted_message_count: int = field(default=0, description="The messages that went with it, or would.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()


@strawberry.type
class SessionMutation:
    @mutation("Begins a session.")
    async def create_session(self, info: Info, input: CreateSessionInput) -> CreateSessionPayload:
        fields = provided_fields(input)
        fields["task_id"] = ids.maybe(ids.task_of, fields.get("task_id"), "task", "taskId")
        row, evicted = await session.create(info.context, fields)
        return CreateSessionPayload(session=row, cursor=str(SessionCursor.at(row.id, row.head)), evicted=evicted)

    @mutation("Changes a session's own fields.")
    async def update_session(self, info: Info, input: UpdateSessionInput) -> SessionPayload:
        session_id = ids.named(ids.session_of, input.id, "session")
        expected = input.expected_revision.value if input.expected_revision else None
        fields = provided_fields(input, "id", "expected_revision")
        return SessionPayload.of(await session.update(info.context, session_id, fields, expected))

    @mutation("Moves a session on: PENDING to ACTIVE, ACTIVE to COMPLETED or FAILED.")
    async def set_session_status(self, info: Info, input: SetSessionStatusInput) -> SessionPayload:
        session_id = ids.named(ids.session_of, input.id, "session")
        expected = input.expected_revision.value if input.expected_revision else None
        fields = provided_fields(input, "id", "status", "expected_revision")
        return SessionPayload.of(
            await session.set_status(info.context, session_id, input.status.value, fields, expected)
        )

    @mutation("Takes a session out of the list; archiving twice is a no-op.")
    async def archive_session(self, info: Info, input: SessionIdInput) -> SessionPayload:
        return SessionPayload.of(await session.archive(info.context, ids.named(ids.session_of, input.id, "session")))

    @mutation("Undoes archiving and SOFT deletion alike.")
    async def restore_session(self, info: Info, input: SessionIdInput) -> SessionPayload:
        return SessionPayload.of(await session.restore(info.context, ids.named(ids.session_of, input.id, "session")))

    @mutation("Deletes a session: SOFT can be undone, HARD erases it.")
    async def delete_session(self, info: Info, input: DeleteSessionInput) -> DeleteSessionPayload:
        session_id = ids.named(ids.session_of, input.id, "session")
        if input.dry_run:
            return DeleteSessionPayload(deleted_message_count=await session.deletable(info.context, session_id))
        row, count = await session.delete(info.context, session_id, hard=input.mode is DeleteMode.HARD)
        position = str(SessionCursor.at(row.id, row.head))
        return DeleteSessionPayload(deleted_id=ids.session(row.id), deleted_message_count=count, cursor=position)

    @mutation("Says how far the owner has read.")
    async def mark_session_read(self, info: Info, input: MarkSessionReadInput) -> SessionPayload:
        session_id = ids.named(ids.session_of, input.id, "session")
        return SessionPayload.of(await session.mark_read(info.context, session_id, input.up_to_sequence))
