"""The audit: a permanent record of changes, with their actor."""

from typing import Annotated, Any

import strawberry
from graphql_compiled.batch import BatchValue

from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AuditRow
from app.resolvers import audit
from app.schema import ids
from app.schema.base import Info, Node, rows_of
from app.schema.connection import Connection, connection
from app.schema.descriptions import NODE_ID
from app.schema.scalars import DateTime, Json

field, argument = strawberry.field, strawberry.argument


@strawberry.input(
    description="Conditions on a list of audit events. An event must meet all conditions; null or omitted: no "
    "condition."
)
class AuditEventFilter:
    event_type: str | None = field(
        default=None, description="The event has exactly this type, such as `session.created`."
    )
    role: str | None = field(default=None, description="The event has exactly this role.")
    trace_id: str | None = field(default=None, description="The event has exactly this trace id.")
    subject_id: strawberry.ID | None = field(
        default=None, description="The event is about the object with this id. The object may be deleted or erased."
    )
    since: DateTime | None = field(default=None, description="The event happened at this time or later.")
    until: DateTime | None = field(default=None, description="The event happened before this time.")

    @staticmethod
    def parameters(filter: "AuditEventFilter | None") -> dict[str, Any]:
        """The filter as parameters of the statements."""
        conditions = vars(filter or AuditEventFilter())
        subject_id = conditions["subject_id"]
        kind, subject, sequence = (None, None, None) if subject_id is None else ids.parse_subject(subject_id)
        return conditions | {"subject_kind": kind, "subject_id": subject, "subject_sequence": sequence}


AuditConditions = Annotated[
    AuditEventFilter | None, argument(description="Conditions on the events. Null or omitted: all events.")
]


@strawberry.type(
    description="The permanent record of one change of one object. It holds ids and codes, and no content of the "
    "object."
)
class AuditEvent(Node):
    event_type: str = field(
        description="The kind of change: `session.created`, `session.updated`, `session.status_changed`, "
        "`session.archived`, `session.restored`, `session.deleted`, `session.evicted` (archived by the cap on active "
        "sessions), `session.expired`, `message.redacted`, `message.deleted`, `agent.created`, `agent.updated`, "
        "`agent.status_changed`, `agent.deleted`, `task.created`, `task.status_changed`, `approval.requested` or "
        "`approval.decided`. Later versions may add kinds."
    )
    actor: str = field(
        description="The subject of the token that made the change, or `system` for a change without a request."
    )
    role: str | None = field(
        description="The role of the token that the change needed; otherwise the first role of the token; null for a "
        "token without roles, and for `system`."
    )
    trace_id: str | None = field(
        description="The trace id of the request, from its `traceparent` header (W3C Trace Context); null without one."
    )
    at: DateTime = field(description="The time of the change.")
    metadata: Json = field(description="Details of the change as an object of ids and codes, such as `toStatus`.")

    is_type_of = rows_of(AuditRow)

    @field(description=NODE_ID)
    def id(self: AuditRow) -> strawberry.ID:
        return ids.audit_event(self.id)

    @field(description="The id of the changed object, also after the object was deleted or erased.")
    def subject_id(self: AuditRow) -> strawberry.ID:
        return ids.subject(self.subject_kind, self.subject_id, self.subject_sequence)

    @field(
        graphql_type=Node | None,
        description="The changed object in its present state; null if it does not exist any more.",
    )
    def subject(self: AuditRow, info: Info) -> "BatchValue[Any] | None":
        return ids.load(info.context.loaders, ids.subject(self.subject_kind, self.subject_id, self.subject_sequence))


@strawberry.type
class AuditQuery:
    @connection(
        Connection[AuditEvent],
        "The audit events of the viewer, the oldest first; `last` without `before` returns the newest.",
    )
    async def audit_events(self, ctx: Context, window: Window, filter: AuditConditions = None) -> Slice[AuditRow]:
        return await audit.page(ctx, window, AuditEventFilter.parameters(filter))
