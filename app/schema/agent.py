"""Agents: the entries of the catalogue."""

from asyncio import Future
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from app.context import Context
from app.db import session as sessions
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow, ListedAgent, SessionRow
from app.db.stats import AgentMetricsRow
from app.resolvers import agent
from app.schema import ids
from app.schema.base import (
    CHANGED_METADATA,
    EXPECTED_REVISION,
    METADATA,
    NEW_METADATA,
    NODE_ID,
    Info,
    Node,
    UserError,
    enum,
    errors,
    provided_fields,
    rows_of,
    to_python,
    value_of,
)
from app.schema.connection import Connection, connection
from app.schema.mutation import mutation
from app.schema.scalars import DateTime, Decimal, Json
from app.unit_of_work import UnitOfWork

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
field = strawberry.field


@enum(
    "Whether an agent can take work. The client sets the status; the server only stores it and filters by it.",
    AVAILABLE="The agent can take work.",
    BUSY="The agent works and takes no more work now.",
    OFFLINE="The agent cannot be reached.",
    RETIRED="The agent takes no more work; its entry remains for its history.",
)
class AgentStatus(StrEnum):
    AVAILABLE = "AVAILABLE"
    BUSY = "BUSY"
    OFFLINE = "OFFLINE"
    RETIRED = "RETIRED"


@enum(
    "The value by which agents are ordered. Agents with equal values are ordered by their time of creation.",
    NAME="The name, compared by Unicode code points.",
    CREATED_AT="The time of creation.",
    HOURLY_RATE="The hourly rate. An agent without a rate counts as cheaper than every other.",
)
class AgentOrderField(StrEnum):
    NAME = "NAME"
    CREATED_AT = "CREATED_AT"
    HOURLY_RATE = "HOURLY_RATE"


@enum(
    "The direction of an order.",
    ASC="Ascending: the smallest or oldest first.",
    DESC="Descending: the largest or newest first.",
)
class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


@strawberry.input(description="The order of a list of agents.")
class AgentOrder:
    field: AgentOrderField = strawberry.field(description="The value by which agents are ordered.")
    direction: OrderDirection = strawberry.field(description="The direction of the order.")


@strawberry.input(
    description="Conditions on a list of agents. An agent must meet all conditions; null or omitted: no condition."
)
class AgentFilter:
    status: list[AgentStatus] | None = field(default=None, description="The agent has one of these statuses.")
    type: str | None = field(default=None, description="The agent has exactly this type.")
    skills: list[str] | None = field(default=None, description="The agent has all of these skills.")
    max_hourly_rate: Decimal | None = field(
        default=None, description="The agent has a rate, and the rate is not above this one."
    )
    query: str | None = field(
        default=None,
        description="The name or the description of the agent contains this text. Upper and lower case are equal.",
    )

    @staticmethod
    def parameters(filter: "AgentFilter | None") -> dict[str, Any]:
        """The filter as parameters of the statements."""
        return {name: to_python(value) for name, value in vars(filter or AgentFilter()).items()}


@strawberry.type(
    description="Figures about the work of one agent, counted when they are read. "
    "Deleted sessions and deleted messages do not count."
)
class AgentMetrics:
    session_count: int = field(description="The number of sessions in which the agent takes part.")
    active_session_count: int = field(
        description="The number of these sessions that are PENDING or ACTIVE and not archived."
    )
    message_count: int = field(description="The number of messages of the agent.")
    failed_session_count: int = field(description="The number of its sessions with status FAILED.")
    mean_response_seconds: float | None = field(
        description="The mean time in seconds from a USER message to the next message of the agent, over the newest "
        "1,000 messages of the agent. Null before the first answer."
    )
    last_active_at: DateTime | None = field(
        description="The time of the newest message of the agent; null without messages."
    )


@strawberry.type(
    description="An agent in the catalogue of the owner. It takes part in sessions through its SessionAgents."
)
class Agent(Node):
    key: str | None = field(description="The key that the client gave the agent, unique per owner; null if none.")
    name: str = field(description="The name for people.")
    description: str | None = field(description="What the agent does, for people; null if not set.")
    type: str = field(description="The kind of work that the agent does, as the client names it.")
    status: AgentStatus = field(description="Whether the agent can take work.")
    skills: list[str] = field(description="The skills of the agent, as the client names them, in the stored order.")
    hourly_rate: Decimal | None = field(
        description="The price of one hour, in the currency of the client; null if not set."
    )
    metadata: Json = field(description=METADATA)
    revision: int = field(
        description="The number of changes of the agent, its creation included: 1, 2, 3. "
        "`expectedRevision` is compared with it."
    )
    created_at: DateTime = field(description="The time at which the server created the agent.")
    updated_at: DateTime = field(description="The time of the newest change of the agent.")

    is_type_of = rows_of(AgentRow, ListedAgent)

    @field(description=NODE_ID)
    def id(self: AgentRow) -> strawberry.ID:
        return ids.agent(self.id)

    @field(graphql_type=AgentMetrics, description="Figures about the work of the agent.")
    def metrics(self: AgentRow, info: Info) -> "Future[AgentMetricsRow | None]":
        return info.context.loaders.agent_metrics.load(self.id)

    @connection(
        Connection[Session],
        "The sessions in which the agent takes part, the most recently active first. "
        "Archived sessions are included, deleted ones are not.",
    )
    def sessions(self: AgentRow, ctx: Context, window: Window) -> "Future[Slice[SessionRow]]":
        return ctx.loaders.page(sessions.OF_AGENTS, self.id, window)


@strawberry.input(description="The values of a new agent.")
class CreateAgentInput:
    key: Maybe[str | None] = field(
        description="A key that the client chooses, unique per owner, 1 to 255 characters. If another agent has the "
        "key: CONFLICT. Null or omitted: no key."
    )
    name: str = field(description="The name for people, 1 to 255 characters.")
    type: str = field(description="The kind of work that the agent does, 1 to 255 characters.")
    description: Maybe[str | None] = field(
        description="What the agent does, for people, 1 to 10,000 characters. Null or omitted: no description."
    )
    status: Maybe[AgentStatus | None] = field(description="The first status. Null or omitted: AVAILABLE.")
    skills: Maybe[list[str] | None] = field(
        description="At most 100 skills of 1 to 255 characters each. Null or omitted: no skills."
    )
    hourly_rate: Maybe[Decimal | None] = field(
        description="The price of one hour, 0 or more, in the currency of the client. Null or omitted: no rate."
    )
    metadata: Maybe[Json | None] = field(description=NEW_METADATA)


@strawberry.input(description="The changes of an agent. An omitted field keeps its value.")
class UpdateAgentInput:
    id: strawberry.ID = field(description="The id of the agent to change.")
    expected_revision: Maybe[int | None] = field(description=EXPECTED_REVISION)
    name: Maybe[str | None] = field(description="The new name, 1 to 255 characters. Null is refused.")
    description: Maybe[str | None] = field(
        description="The new description, 1 to 10,000 characters. Null removes the description."
    )
    skills: Maybe[list[str] | None] = field(
        description="The skills that replace all stored ones: at most 100 of 1 to 255 characters each. Null is refused."
    )
    hourly_rate: Maybe[Decimal | None] = field(description="The new rate, 0 or more. Null removes the rate.")
    metadata: Maybe[Json | None] = field(description=CHANGED_METADATA)


@strawberry.input(description="The new status of an agent.")
class SetAgentStatusInput:
    id: strawberry.ID = field(description="The id of the agent to change.")
    status: AgentStatus = field(description="The new status. Every status may follow every other.")


@strawberry.input(description="The agent to which a mutation applies.")
class AgentIdInput:
    id: strawberry.ID = field(description="The id of the agent.")


@strawberry.type(description="The result of a mutation of an agent.")
class AgentPayload:
    agent: Agent | None = field(default=None, description="The agent after the mutation; null after an error.")
    errors: list[UserError] = errors()


@strawberry.type(description="The result of the deletion of an agent.")
class DeleteAgentPayload:
    deleted_id: strawberry.ID | None = field(
        default=None, description="The id of the deleted agent; null after an error."
    )
    errors: list[UserError] = errors()


@strawberry.type
class AgentMutation:
    @mutation(
        "Adds an agent to the catalogue. Errors: VALIDATION; CONFLICT if the key is in use.",
        input="The values of the new agent.",
    )
    async def create_agent(self, work: UnitOfWork, input: CreateAgentInput) -> AgentPayload:
        return AgentPayload(agent=await agent.create(work, provided_fields(input)))

    @mutation(
        "Changes the given values of an agent. Errors: VALIDATION, NOT_FOUND; CONFLICT if `expectedRevision` differs.",
        input="The agent and its new values.",
    )
    async def update_agent(self, work: UnitOfWork, input: UpdateAgentInput) -> AgentPayload:
        fields = provided_fields(input, "id", "expected_revision")
        row = await agent.update(work, ids.require_agent(input.id), fields, value_of(input.expected_revision))
        return AgentPayload(agent=row)

    @mutation(
        "Sets the status of an agent. Every status may follow every other. Errors: NOT_FOUND.",
        input="The agent and its new status.",
    )
    async def set_agent_status(self, work: UnitOfWork, input: SetAgentStatusInput) -> AgentPayload:
        status = {"status": input.status.value}
        return AgentPayload(agent=await agent.update(work, ids.require_agent(input.id), status, None))

    @mutation(
        "Deletes an agent from the catalogue; this cannot be undone. Its SessionAgents and their messages remain; "
        "`SessionAgent.agent` becomes null. Errors: NOT_FOUND.",
        input="The agent to delete.",
    )
    async def delete_agent(self, work: UnitOfWork, input: AgentIdInput) -> DeleteAgentPayload:
        row = await agent.delete(work, ids.require_agent(input.id))
        return DeleteAgentPayload(deleted_id=ids.agent(row.id))
