"""The audit: who did what."""

from asyncio import Future
from typing import Annotated, Any

import strawberry

from app.db.reading.page import Slice, Window
from app.db.reading.rows import AuditRow
from app.resolvers import audit
from app.schema import ids
from app.schema.base import Info, Node, rows_of
from app.schema.connection import After, Before, Connection, First, Last
from app.schema.scalars import DateTime, Json

field, argument = strawberry.field, strawberry.argument


@strawberry.input(description="Which events are wanted; what is not set does not restrict.")
class AuditEventFilter:
    event_type: str | None = field(default=None, description="Of this type, such as `session.created`.")
    role: str | None = field(default=None, description="Done in this role.")
    trace_id: str | None = field(default=None, description="Done in this trace.")
    subject_id: strawberry.ID | None = field(default=None, description="Done to this thing, there or gone.")
    since: DateTime | None = field(default=None, description="From then on.")
    until: DateTime | None = field(default=None, description="Before then.")

    @staticmethod
    def parameters(filter: "AuditEventFilter | None") -> dict[str, Any]:
        """As the statements take it."""
        wanted = filter or AuditEventFilter()
        kind, subject, sequence = ids.subject_of(wanted.subject_id) if wanted.subject_id is not None else (None,) * 3
        return vars(wanted) | {"subject_kind": kind, "subject_id": subject, "subject_sequence": sequence}


@strawberry.type(description="That somebody did something to a thing; kept for good, with ids and codes only.")
class AuditEvent(Node):
    event_type: str = field(
        description="`session.created`, `.updated`, `.status_changed`, `.archived`, `.restored`, `.deleted`, "
        "`.evicted` (archived by the cap), `.expired`; `message.redacted`, `.deleted`; `agent.created`, `.updated`, "
        "`.status_changed`, `.deleted`; `task.created`, `.status_changed`; `approval.requested`, `.decided`."
    )
    actor: str = field(description="The subject of the token, or `system` for what nobody asked for.")
    role: str | None = field(
        description="The token's role that allowed it, where one was needed; otherwise the first that it names."
    )
    trace_id: str | None = field(description="The trace of the request, from its `traceparent`.")
    at: DateTime = field(description="When it was done.")
    metadata: Json = field(description="What else there is to know: ids and codes.")

    is_type_of = rows_of(AuditRow)

    @field(description="Opaque, never reused; `node(id:)` finds the thing again.")
    def id(self: AuditRow) -> strawberry.ID:
        return ids.audit_event(self.id)

    @field(description="The id of the thing, even when it is gone.")
    def subject_id(self: AuditRow) -> strawberry.ID:
        return ids.subject(self.subject_kind, self.subject_id, self.subject_sequence)

    @field(graphql_type=Node | None, description="The thing as it is now; null when it is gone.")
    def subject(self: AuditRow, info: Info) -> "Future[Any] | None":
        return ids.load(info.context.loaders, ids.subject(self.subject_kind, self.subject_id, self.subject_sequence))


@strawberry.type
class AuditQuery:
    @field(
        graphql_type=Connection[AuditEvent],
        description="What was done to your things, the oldest first: `last` asks for the newest.",
    )
    async def audit_events(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[AuditEventFilter | None, argument(description="Which events are wanted.")] = None,
    ) -> Slice[AuditRow]:
        window = Window.of(first, after, last, before)
        return await audit.page(info.context, window, AuditEventFilter.parameters(filter))
