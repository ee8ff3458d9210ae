"""Tasks: work handed from one role to another."""

from asyncio import Future
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from app.db import approval as approvals
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, SessionRow, TaskRow
from app.live.cursors import SessionCursor
from app.resolvers import task
from app.schema import ids
from app.schema.approval import Approval
from app.schema.base import Info, Node, UserError, cursor, enum, errors, provided_fields, rows_of, to_python
from app.schema.connection import After, Before, Connection, First, Last
from app.schema.mutation import mutation
from app.schema.scalars import DateTime, Json

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
field, argument = strawberry.field, strawberry.argument


@enum(
    "Where a task stands: PENDING to ACTIVE, ACTIVE to COMPLETED or FAILED, and either of the first two to CANCELLED.",
    PENDING="Nobody works on it yet.",
    ACTIVE="Somebody does.",
    COMPLETED="Ended well.",
    FAILED="Ended badly.",
    CANCELLED="Nobody will work on it any more.",
)
class TaskStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@strawberry.input(description="Which tasks are wanted; what is not set does not restrict.")
class TaskFilter:
    status: list[TaskStatus] | None = field(default=None, description="In one of these statuses.")
    type: str | None = field(default=None, description="Of this type.")
    from_role: str | None = field(default=None, description="Handed on by this role.")
    to_role: str | None = field(default=None, description="Meant for this role.")
    trace_id: str | None = field(default=None, description="Of this trace.")

    @staticmethod
    def parameters(filter: "TaskFilter | None") -> dict[str, Any]:
        """As the statements take it; hashable, because pages of equal filters are read together."""
        wanted = filter or TaskFilter()
        return vars(wanted) | {"status": None if wanted.status is None else tuple(to_python(wanted.status))}


@strawberry.type(description="A piece of work, handed from one role to another, in a session or on its own.")
class Task(Node):
    type: str = field(description="The kind of work, in the owner's words.")
    from_role: str | None = field(description="Who hands it on.")
    to_role: str | None = field(description="Whom it is meant for.")
    payload: Json = field(description="What there is to do, as the client keeps it.")
    trace_id: str | None = field(description="The trace it belongs to.")
    status: TaskStatus = field(description="Where it stands.")
    revision: int = field(
        description="The number of its newest change in the session, or its own count; "
        "what `expectedRevision` compares."
    )
    created_at: DateTime = field(description="When it was created.")
    updated_at: DateTime = field(description="When its status was last changed.")

    is_type_of = rows_of(TaskRow)

    @field(description="Opaque, never reused; `node(id:)` finds the thing again.")
    def id(self: TaskRow) -> strawberry.ID:
        return ids.task(self.id)

    @field(graphql_type=Session | None, description="The session it was created in.")
    def session(self: TaskRow, info: Info) -> "Future[SessionRow | None] | None":
        return info.context.loaders.sessions.load(self.session_id) if self.session_id else None

    @field(graphql_type=Connection[Approval], description="What it waits or waited for, as it was requested.")
    def approvals(
        self: TaskRow, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> "Future[Slice[ApprovalRow]]":
        return info.context.loaders.page(approvals.OF_TASKS, self.id, Window.of(first, after, last, before))


@strawberry.input(description="A new task; it begins PENDING.")
class CreateTaskInput:
    type: str = field(description="The kind of work, 1 to 255 characters.")
    from_role: Maybe[str | None] = field(description="Who hands it on.")
    to_role: Maybe[str | None] = field(description="Whom it is meant for.")
    payload: Maybe[Json | None] = field(description="What there is to do; {} when not set.")
    trace_id: Maybe[str | None] = field(description="The trace it belongs to; the request's own when not set.")
    session_id: Maybe[strawberry.ID | None] = field(description="The session to create it in; none when not set.")


@strawberry.input(description="A task's next status.")
class SetTaskStatusInput:
    id: strawberry.ID = field(description="Which task.")
    status: TaskStatus = field(description="The next status.")
    expected_revision: Maybe[int | None] = field(description="Refuse with CONFLICT if it is not at this revision.")


@strawberry.type(description="The task as it is now.")
class TaskPayload:
    task: Task | None = field(default=None, description="Null when it was refused.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: TaskRow) -> "TaskPayload":
        at = str(SessionCursor.at(row.session_id, row.revision)) if row.session_id else None
        return cls(task=row, cursor=at)


@strawberry.type
class TaskMutation:
    @mutation("Creates a task.")
    async def create_task(self, info: Info, input: CreateTaskInput) -> TaskPayload:
        fields = provided_fields(input)
        session_id = ids.maybe(ids.session_of, fields.pop("session_id", None), "session", "sessionId")
        return TaskPayload.of(await task.create(info.context, session_id, fields))

    @mutation("Moves a task on.")
    async def set_task_status(self, info: Info, input: SetTaskStatusInput) -> TaskPayload:
        task_id = ids.named(ids.task_of, input.id, "task")
        expected = input.expected_revision.value if input.expected_revision else None
        return TaskPayload.of(await task.set_status(info.context, task_id, input.status.value, expected))


@strawberry.type
class TaskQuery:
    @field(graphql_type=Task | None, description="By its id.")
    def task(
        self, info: Info, id: Annotated[strawberry.ID, argument(description="The task's id.")]
    ) -> "Future[TaskRow | None] | None":
        task_id = ids.task_of(id)
        return info.context.loaders.tasks.load(task_id) if task_id else None

    @field(graphql_type=Connection[Task], description="Your tasks, in and out of sessions, as they were created.")
    async def tasks(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[TaskFilter | None, argument(description="Which tasks are wanted.")] = None,
    ) -> Slice[TaskRow]:
        window = Window.of(first, after, last, before)
        return await task.page(info.context, window, TaskFilter.parameters(filter))
