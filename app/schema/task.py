"""Tasks: pieces of work that one role hands to another."""

from enum import StrEnum
from typing import Annotated, Any

import strawberry
from graphql_compiled.batch import BatchValue
from strawberry import Maybe

from app.context import Context
from app.db import approval as approvals
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, SessionRow, TaskRow
from app.live.cursors import SessionCursor
from app.resolvers import task
from app.schema import ids
from app.schema.approval import Approval
from app.schema.base import Info, Node, enum, rows_of
from app.schema.connection import Connection, connection
from app.schema.descriptions import EXPECTED_REVISION, NODE_ID
from app.schema.inputs import provided_fields, value_of, values_of
from app.schema.mutation import mutation
from app.schema.payload import cursor, errors
from app.schema.scalars import DateTime, Json
from app.schema.user_errors import UserError
from app.unit_of_work import UnitOfWork

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
field, argument = strawberry.field, strawberry.argument


@enum(
    "The state of a task. Allowed changes: PENDING to ACTIVE or CANCELLED, and ACTIVE to COMPLETED, FAILED or "
    "CANCELLED.",
    PENDING="The work has not started.",
    ACTIVE="The work is in progress.",
    COMPLETED="The work ended with success.",
    FAILED="The work ended with a failure.",
    CANCELLED="The work was cancelled.",
)
class TaskStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@strawberry.input(
    description="Conditions on a list of tasks. A task must meet all conditions; null or omitted: no condition."
)
class TaskFilter:
    status: list[TaskStatus] | None = field(default=None, description="The task has one of these statuses.")
    type: str | None = field(default=None, description="The task has exactly this type.")
    from_role: str | None = field(default=None, description="Exactly this role gave the task.")
    to_role: str | None = field(default=None, description="Exactly this role receives the task.")
    trace_id: str | None = field(default=None, description="The task has exactly this trace id.")

    @staticmethod
    def parameters(filter: "TaskFilter | None") -> dict[str, Any]:
        """The filter as parameters of the statements: hashable, because pages with equal filters are read together."""
        conditions = vars(filter or TaskFilter())
        return conditions | {"status": values_of(conditions["status"])}


TaskConditions = Annotated[
    TaskFilter | None, argument(description="Conditions on the tasks. Null or omitted: all tasks.")
]


@strawberry.type(description="A piece of work that one role hands to another, in a session or outside of sessions.")
class Task(Node):
    type: str = field(description="The kind of work, as the client names it.")
    from_role: str | None = field(description="The role that gave the task; null if not set.")
    to_role: str | None = field(description="The role that receives the task; null if not set.")
    payload: Json = field(description="The description of the work, as the client sent it; `{}` if none.")
    trace_id: str | None = field(description="The id of the trace to which the task belongs; null if none.")
    status: TaskStatus = field(description="The state of the task.")
    revision: int = field(
        description="For a task in a session: the change number of the session at the newest change of the task. "
        "Otherwise: the number of changes of the task. `expectedRevision` is compared with it."
    )
    created_at: DateTime = field(description="The time at which the server created the task.")
    updated_at: DateTime = field(description="The time of the newest change of the task.")

    is_type_of = rows_of(TaskRow)

    @field(description=NODE_ID)
    def id(self: TaskRow) -> strawberry.ID:
        return ids.task(self.id)

    @field(graphql_type=Session | None, description="The session in which the task was created; null if in none.")
    def session(self: TaskRow, info: Info) -> "BatchValue[SessionRow | None] | None":
        return info.context.loaders.sessions.load(self.session_id) if self.session_id else None

    @connection(Connection[Approval], "The approvals for the task, the oldest first.")
    def approvals(self: TaskRow, ctx: Context, window: Window) -> "BatchValue[Slice[ApprovalRow]]":
        return ctx.loaders.page(approvals.OF_TASKS, self.id, window)


@strawberry.input(description="The values of a new task. Its first status is PENDING.")
class CreateTaskInput:
    type: str = field(description="The kind of work, 1 to 255 characters.")
    from_role: Maybe[str | None] = field(
        description="The role that gives the task, 1 to 255 characters. Null or omitted: none."
    )
    to_role: Maybe[str | None] = field(
        description="The role that receives the task, 1 to 255 characters. Null or omitted: none."
    )
    payload: Maybe[Json | None] = field(description="Any JSON value that describes the work. Null or omitted: `{}`.")
    trace_id: Maybe[str | None] = field(
        description="The id of the trace to which the task belongs, 1 to 255 characters. Null: none. Omitted: the "
        "trace id of the request, from its `traceparent` header."
    )
    session_id: Maybe[strawberry.ID | None] = field(
        description="The id of the session in which the task is created. Null or omitted: no session."
    )


@strawberry.input(description="The next status of a task.")
class SetTaskStatusInput:
    id: strawberry.ID = field(description="The id of the task to change.")
    status: TaskStatus = field(
        description="The next status: ACTIVE or CANCELLED after PENDING; COMPLETED, FAILED or CANCELLED after ACTIVE. "
        "Any other change: ILLEGAL_TRANSITION."
    )
    expected_revision: Maybe[int | None] = field(description=EXPECTED_REVISION)


@strawberry.type(description="The result of a mutation of a task.")
class TaskPayload:
    task: Task | None = field(default=None, description="The task after the mutation; null after an error.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: TaskRow) -> "TaskPayload":
        position = SessionCursor.at(row.session_id, row.revision) if row.session_id else None
        return cls(task=row, cursor=str(position) if position else None)


@strawberry.type
class TaskMutation:
    @mutation(
        "Creates a task with status PENDING, in a session or outside of sessions. Errors: VALIDATION; NOT_FOUND for "
        "the session.",
        input="The values of the new task.",
    )
    async def create_task(self, work: UnitOfWork, input: CreateTaskInput) -> TaskPayload:
        fields = provided_fields(input)
        session_id = ids.optional(ids.require_session, fields.pop("session_id", None), "sessionId")
        return TaskPayload.of(await task.create(work, session_id, fields))

    @mutation(
        "Sets the next status of a task. Errors: NOT_FOUND, ILLEGAL_TRANSITION; CONFLICT if `expectedRevision` has "
        "changed.",
        input="The task and its next status.",
    )
    async def set_task_status(self, work: UnitOfWork, input: SetTaskStatusInput) -> TaskPayload:
        task_id, expected_revision = ids.require_task(input.id), value_of(input.expected_revision)
        return TaskPayload.of(await task.set_status(work, task_id, input.status.value, expected_revision))


@strawberry.type
class TaskQuery:
    @field(graphql_type=Task | None, description="The task with this id; null if there is none.")
    def task(
        self, info: Info, id: Annotated[strawberry.ID, argument(description="The id of the task.")]
    ) -> "BatchValue[TaskRow | None] | None":
        task_id = ids.parse_task(id)
        return info.context.loaders.tasks.load(task_id) if task_id else None

    @connection(Connection[Task], "All tasks of the viewer, in sessions and outside, the oldest first.")
    async def tasks(self, ctx: Context, window: Window, filter: TaskConditions = None) -> Slice[TaskRow]:
        return await task.page(ctx, window, TaskFilter.parameters(filter))
