"""Approvals: decisions that are waited for."""

from asyncio import Future
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, MessageRow, SessionRow, TaskRow
from app.live.cursors import SessionCursor
from app.resolvers import approval
from app.schema import ids
from app.schema.base import Info, Node, UserError, cursor, enum, errors, provided_fields, rows_of, to_python
from app.schema.connection import After, Before, Connection, First, Last
from app.schema.mutation import mutation
from app.schema.scalars import DateTime

Message = Annotated["Message", strawberry.lazy("app.schema.message")]
Session = Annotated["Session", strawberry.lazy("app.schema.session")]
Task = Annotated["Task", strawberry.lazy("app.schema.task")]
field, argument = strawberry.field, strawberry.argument


@enum(
    "How an approval was decided.",
    PENDING="Not yet.",
    APPROVED="It may be done.",
    REJECTED="It may not.",
    CANCELLED="Nobody waits for it any more.",
)
class ApprovalStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


@enum("A decision; there is one per approval.", APPROVE="Do it.", REJECT="Do not.", CANCEL="Wait no more.")
class Decision(StrEnum):
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    CANCEL = "CANCEL"


@strawberry.input(description="Which approvals are wanted; what is not set does not restrict.")
class ApprovalFilter:
    status: list[ApprovalStatus] | None = field(default=None, description="In one of these statuses.")
    approver_role: str | None = field(default=None, description="To be decided in this role.")

    @staticmethod
    def parameters(filter: "ApprovalFilter | None") -> dict[str, Any]:
        """As the statements take it; hashable, because pages of equal filters are read together."""
        wanted = filter or ApprovalFilter()
        return vars(wanted) | {"status": None if wanted.status is None else tuple(to_python(wanted.status))}


@strawberry.type(description="A decision that a task, a tool call in a message, or both wait for. It is taken once.")
class Approval(Node):
    tool_use_id: str | None = field(description="The tool call that waits, as its producer named it.")
    approver_role: str | None = field(description="The role that a token must name to decide it; null: any token.")
    status: ApprovalStatus = field(description="How it was decided.")
    notes: str | None = field(description="The request's, then the decision's where it brought some.")
    decided_by: str | None = field(description="The subject of the token that decided.")
    decided_at: DateTime | None = field(description="When it was decided.")
    created_at: DateTime = field(description="When it was requested.")

    is_type_of = rows_of(ApprovalRow)

    @field(description="Opaque, never reused; `node(id:)` finds the thing again.")
    def id(self: ApprovalRow) -> strawberry.ID:
        return ids.approval(self.id)

    @field(graphql_type=Task | None, description="The task that waits; null also when it is gone with its session.")
    def task(self: ApprovalRow, info: Info) -> "Future[TaskRow | None] | None":
        return info.context.loaders.tasks.load(self.task_id) if self.task_id else None

    @field(graphql_type=Session | None, description="The session it lies in.")
    def session(self: ApprovalRow, info: Info) -> "Future[SessionRow | None] | None":
        return info.context.loaders.sessions.load(self.session_id) if self.session_id else None

    @field(graphql_type=Message | None, description="The message whose tool call waits; null also when it is deleted.")
    def message(self: ApprovalRow, info: Info) -> "Future[MessageRow | None] | None":
        if self.session_id is None or self.message_sequence is None:
            return None
        return info.context.loaders.messages.load((self.session_id, self.message_sequence))


@strawberry.input(description="What waits: a task, a tool call (`messageId` and `toolUseId`), or both.")
class RequestApprovalInput:
    task_id: Maybe[strawberry.ID | None] = field(description="The task that waits.")
    session_id: Maybe[strawberry.ID | None] = field(
        description="The session it lies in; when not set the message's, else the task's. "
        "The task must be its own, the one it works on, or of no session."
    )
    message_id: Maybe[strawberry.ID | None] = field(description="The message with the tool call.")
    tool_use_id: Maybe[str | None] = field(description="The tool call, as its producer named it.")
    approver_role: Maybe[str | None] = field(description="Who may decide; anybody of the owner's when not set.")
    notes: Maybe[str | None] = field(description="For whoever decides, at most 10,000 characters.")


@strawberry.input(description="A decision.")
class DecideApprovalInput:
    id: strawberry.ID = field(description="Which approval.")
    decision: Decision = field(description="What is decided.")
    notes: Maybe[str | None] = field(description="In place of the request's; null and not set leave those.")


@strawberry.type(description="The approval as it is now.")
class ApprovalPayload:
    approval: Approval | None = field(default=None, description="Null when it was refused.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: ApprovalRow) -> "ApprovalPayload":
        at = str(SessionCursor.at(row.session_id, row.revision)) if row.session_id else None
        return cls(approval=row, cursor=at)


@strawberry.type
class ApprovalMutation:
    @mutation("Asks for a decision.")
    async def request_approval(self, info: Info, input: RequestApprovalInput) -> ApprovalPayload:
        fields = provided_fields(input)
        task_id = ids.maybe(ids.task_of, fields.pop("task_id", None), "task", "taskId")
        session_id = ids.maybe(ids.session_of, fields.pop("session_id", None), "session", "sessionId")
        place = ids.maybe(ids.message_of, fields.pop("message_id", None), "message", "messageId")
        return ApprovalPayload.of(await approval.request(info.context, task_id, session_id, place, fields))

    @mutation("Decides, once: whoever comes second gets CONFLICT. FORBIDDEN without the approver's role.")
    async def decide_approval(self, info: Info, input: DecideApprovalInput) -> ApprovalPayload:
        approval_id = ids.named(ids.approval_of, input.id, "approval")
        notes = input.notes.value if input.notes else None
        return ApprovalPayload.of(await approval.decide(info.context, approval_id, input.decision.value, notes))


@strawberry.type
class ApprovalQuery:
    @field(
        graphql_type=Connection[Approval],
        description="Your approvals, in and out of sessions, as they were requested.",
    )
    async def approvals(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[ApprovalFilter | None, argument(description="Which approvals are wanted.")] = None,
    ) -> Slice[ApprovalRow]:
        window = Window.of(first, after, last, before)
        return await approval.page(info.context, window, ApprovalFilter.parameters(filter))
