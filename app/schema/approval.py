"""Approvals: decisions that a task or a tool call waits for."""

from enum import StrEnum
from typing import Annotated, Any

import strawberry
from graphql_compiled.batch import BatchValue
from strawberry import Maybe

from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, MessageKey, MessageRow, SessionRow, TaskRow
from app.live.cursors import SessionCursor
from app.resolvers import approval
from app.schema import ids
from app.schema.base import Info, Node, enum, rows_of
from app.schema.connection import Connection, connection
from app.schema.descriptions import NODE_ID
from app.schema.inputs import provided_fields, value_of, values_of
from app.schema.mutation import mutation
from app.schema.payload import cursor, errors
from app.schema.scalars import DateTime
from app.schema.user_errors import UserError
from app.unit_of_work import UnitOfWork

Message = Annotated["Message", strawberry.lazy("app.schema.message")]
Session = Annotated["Session", strawberry.lazy("app.schema.session")]
Task = Annotated["Task", strawberry.lazy("app.schema.task")]
field, argument = strawberry.field, strawberry.argument


@enum(
    "The state of an approval. PENDING is the first state; each other state is final.",
    PENDING="The approval waits for a decision.",
    APPROVED="The work may be done.",
    REJECTED="The work must not be done.",
    CANCELLED="The decision is no longer needed.",
)
class ApprovalStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


@enum(
    "A decision on an approval. An approval takes one decision only.",
    APPROVE="The work may be done: the approval becomes APPROVED.",
    REJECT="The work must not be done: the approval becomes REJECTED.",
    CANCEL="The decision is no longer needed: the approval becomes CANCELLED.",
)
class Decision(StrEnum):
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    CANCEL = "CANCEL"


@strawberry.input(
    description="Conditions on a list of approvals. An approval must meet all conditions; null or omitted: no "
    "condition."
)
class ApprovalFilter:
    status: list[ApprovalStatus] | None = field(default=None, description="The approval has one of these statuses.")
    approver_role: str | None = field(default=None, description="The approval needs exactly this role.")

    @staticmethod
    def parameters(filter: "ApprovalFilter | None") -> dict[str, Any]:
        """The filter as parameters of the statements: hashable, because pages with equal filters are read together."""
        conditions = vars(filter or ApprovalFilter())
        return conditions | {"status": values_of(conditions["status"])}


ApprovalConditions = Annotated[
    ApprovalFilter | None, argument(description="Conditions on the approvals. Null or omitted: all approvals.")
]


@strawberry.type(description="A decision for which a task, a tool call in a message, or both wait. It is decided once.")
class Approval(Node):
    tool_use_id: str | None = field(
        description="The id of the waiting tool call, as its producer wrote it in the message; null without a tool "
        "call."
    )
    approver_role: str | None = field(
        description="The role that a token of the owner must name to decide; null: every token of the owner may decide."
    )
    status: ApprovalStatus = field(description="The state of the approval.")
    notes: str | None = field(
        description="The notes of the decision; without these, the notes of the request; null if there are none."
    )
    decided_by: str | None = field(description="The subject of the token that decided; null while PENDING.")
    decided_at: DateTime | None = field(description="The time of the decision; null while PENDING.")
    created_at: DateTime = field(description="The time of the request.")

    is_type_of = rows_of(ApprovalRow)

    @field(description=NODE_ID)
    def id(self: ApprovalRow) -> strawberry.ID:
        return ids.approval(self.id)

    @field(
        graphql_type=Task | None,
        description="The waiting task; null without a task, or after the task was erased with its session.",
    )
    def task(self: ApprovalRow, info: Info) -> "BatchValue[TaskRow | None] | None":
        return info.context.loaders.tasks.load(self.task_id) if self.task_id else None

    @field(graphql_type=Session | None, description="The session of the approval; null if it is in no session.")
    def session(self: ApprovalRow, info: Info) -> "BatchValue[SessionRow | None] | None":
        return info.context.loaders.sessions.load(self.session_id) if self.session_id else None

    @field(
        graphql_type=Message | None,
        description="The message with the waiting tool call; null without a tool call, or after its deletion.",
    )
    def message(self: ApprovalRow, info: Info) -> "BatchValue[MessageRow | None] | None":
        if self.session_id is None or self.message_sequence is None:
            return None
        return info.context.loaders.messages.load(MessageKey(self.session_id, self.message_sequence))


@strawberry.input(
    description="The values of a new approval. It is for a task (`taskId`), for a tool call (`messageId` and "
    "`toolUseId` together), or for both."
)
class RequestApprovalInput:
    task_id: Maybe[strawberry.ID | None] = field(description="The id of the waiting task.")
    session_id: Maybe[strawberry.ID | None] = field(
        description="The id of the session of the approval. Null or omitted: the session of the message, or else the "
        "session of the task. A task must have been created in this session, be the task of this session, or be in no "
        "session."
    )
    message_id: Maybe[strawberry.ID | None] = field(description="The id of the message with the tool call.")
    tool_use_id: Maybe[str | None] = field(
        description="The id of the tool call, as its producer wrote it in the message, 1 to 255 characters. The "
        "message must contain this tool call, or be STREAMING."
    )
    approver_role: Maybe[str | None] = field(
        description="The role that a token must name to decide, 1 to 255 characters. Null or omitted: every token of "
        "the owner may decide."
    )
    notes: Maybe[str | None] = field(description="Notes for the approver, at most 10,000 characters.")


@strawberry.input(description="The decision on an approval.")
class DecideApprovalInput:
    id: strawberry.ID = field(description="The id of the approval to decide.")
    decision: Decision = field(description="The decision.")
    notes: Maybe[str | None] = field(
        description="Notes that replace those of the request, at most 10,000 characters. Null or omitted: the notes of "
        "the request stay."
    )


@strawberry.type(description="The result of a mutation of an approval.")
class ApprovalPayload:
    approval: Approval | None = field(default=None, description="The approval after the mutation; null after an error.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()

    @classmethod
    def of(cls, row: ApprovalRow) -> "ApprovalPayload":
        position = SessionCursor.at(row.session_id, row.revision) if row.session_id else None
        return cls(approval=row, cursor=str(position) if position else None)


@strawberry.type
class ApprovalMutation:
    @mutation(
        "Creates an approval with status PENDING. Errors: VALIDATION, NOT_FOUND.",
        input="The values of the new approval.",
    )
    async def request_approval(self, work: UnitOfWork, input: RequestApprovalInput) -> ApprovalPayload:
        fields = provided_fields(input)
        task_id = ids.optional(ids.require_task, fields.pop("task_id", None), "taskId")
        session_id = ids.optional(ids.require_session, fields.pop("session_id", None), "sessionId")
        message = ids.optional(ids.require_message, fields.pop("message_id", None), "messageId")
        return ApprovalPayload.of(await approval.request(work, task_id, session_id, message, fields))

    @mutation(
        "Decides an approval that is PENDING. Of several decisions the first one wins. Errors: VALIDATION, NOT_FOUND; "
        "FORBIDDEN if the token does not name the approver's role; CONFLICT if the approval is decided already.",
        input="The approval and the decision.",
    )
    async def decide_approval(self, work: UnitOfWork, input: DecideApprovalInput) -> ApprovalPayload:
        approval_id = ids.require_approval(input.id)
        row = await approval.decide(work, approval_id, input.decision.value, value_of(input.notes))
        return ApprovalPayload.of(row)


@strawberry.type
class ApprovalQuery:
    @connection(Connection[Approval], "All approvals of the viewer, in sessions and outside, the oldest request first.")
    async def approvals(self, ctx: Context, window: Window, filter: ApprovalConditions = None) -> Slice[ApprovalRow]:
        return await approval.page(ctx, window, ApprovalFilter.parameters(filter))
