"""Agents: the catalogue."""

from asyncio import Future
from enum import StrEnum
from typing import Annotated

import strawberry
from strawberry import Maybe

from app.db import session as sessions
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow, PartialAgent, SessionRow
from app.db.stats import AgentMetricsRow
from app.resolvers import agent
from app.schema import ids
from app.schema.base import Info, Node, UserError, enum, errors, provided_fields, rows_of
from app.schema.connection import After, Before, Connection, First, Last
from app.schema.mutation import mutation
from app.schema.scalars import DateTime, Decimal, Json

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
field = strawberry.field


@enum(
    "Whether an agent can be given work.",
    AVAILABLE="Free.",
    BUSY="At work.",
    OFFLINE="Not reachable.",
    RETIRED="Kept for its history only.",
)
class AgentStatus(StrEnum):
    AVAILABLE = "AVAILABLE"
    BUSY = "BUSY"
    OFFLINE = "OFFLINE"
    RETIRED = "RETIRED"


@enum(
    "By what agents are ordered.",
    NAME="By name, code point by code point.",
    CREATED_AT="By the time of creation.",
    HOURLY_RATE="By rate; agents without one come before the cheapest.",
)
class AgentOrderField(StrEnum):
    NAME = "NAME"
    CREATED_AT = "CREATED_AT"
    HOURLY_RATE = "HOURLY_RATE"


@enum("Which end comes first.", ASC="The smallest or oldest.", DESC="The largest or newest.")
class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


@strawberry.input(description="How agents are ordered.")
class AgentOrder:
    field: AgentOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(description="Which end comes first.")


@strawberry.input(description="Which agents are wanted; what is not set does not restrict.")
class AgentFilter:
    status: list[AgentStatus] | None = field(default=None, description="In one of these statuses.")
    type: str | None = field(default=None, description="Of this type.")
    skills: list[str] | None = field(default=None, description="With all of these skills.")
    max_hourly_rate: Decimal | None = field(
        default=None, description="At this rate or below; agents without a rate are left out."
    )
    query: str | None = field(default=None, description="With this text in name or description, letter case ignored.")


@strawberry.type(description="What an agent has done, counted now.")
class AgentMetrics:
    session_count: int = field(description="Sessions it takes part in.")
    active_session_count: int = field(description="Those that are PENDING or ACTIVE and not archived.")
    message_count: int = field(description="Messages it has said; deleted ones do not count.")
    failed_session_count: int = field(description="Sessions that FAILED.")
    mean_response_seconds: float | None = field(
        description="Mean time from a user's message to this agent's next one, over its last 1,000 messages; "
        "null before the first answer."
    )
    last_active_at: DateTime | None = field(description="When it said something last.")


@strawberry.type(description="An entry of the catalogue.")
class Agent(Node):
    key: str | None = field(description="The client's own name for the agent, unique per owner.")
    name: str = field(description="What people call it.")
    description: str | None = field(description="What it does.")
    type: str = field(description="The kind of work it does, in the owner's words.")
    status: AgentStatus = field(description="Whether it can be given work.")
    skills: list[str] = field(description="What it can do, in the owner's words.")
    hourly_rate: Decimal | None = field(description="Its price, in the owner's currency.")
    metadata: Json = field(description="Whatever the client keeps with it.")
    revision: int = field(description="1, 2, 3 ...: what `expectedRevision` compares.")
    created_at: DateTime = field(description="When it was created.")
    updated_at: DateTime = field(description="When it was last changed.")

    is_type_of = rows_of(AgentRow, PartialAgent)

    @field(description="Opaque, never reused; `node(id:)` finds the thing again.")
    def id(self: AgentRow) -> strawberry.ID:
        return ids.agent(self.id)

    @field(graphql_type=AgentMetrics, description="What it has done.")
    def metrics(self: AgentRow, info: Info) -> "Future[AgentMetricsRow | None]":
        return info.context.loaders.agent_metrics.load(self.id)

    @field(
        graphql_type=Connection[Session],
        description="The sessions it takes part in, the latest active first.",
    )
    def sessions(
        self: AgentRow,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> "Future[Slice[SessionRow]]":
        window = Window.of(first, after, last, before)
        return info.context.loaders.page(sessions.OF_AGENTS, self.id, window)


@strawberry.input(description="A new entry of the catalogue.")
class CreateAgentInput:
    key: Maybe[str | None] = field(description="The client's own name for it, unique per owner.")
    name: str = field(description="What people call it, 1 to 255 characters.")
    type: str = field(description="The kind of work it does, 1 to 255 characters.")
    description: Maybe[str | None] = field(description="What it does.")
    status: Maybe[AgentStatus | None] = field(description="AVAILABLE when not set.")
    skills: Maybe[list[str] | None] = field(description="What it can do; none when not set.")
    hourly_rate: Maybe[Decimal | None] = field(description="Its price, not below zero.")
    metadata: Maybe[Json | None] = field(description="Whatever the client keeps with it; {} when not set.")


@strawberry.input(description="What changes; what is not set stays as it is.")
class UpdateAgentInput:
    id: strawberry.ID = field(description="Which agent.")
    expected_revision: Maybe[int | None] = field(description="Refuse with CONFLICT if it is not at this revision.")
    name: Maybe[str | None] = field(description="1 to 255 characters.")
    description: Maybe[str | None] = field(description="null clears it.")
    skills: Maybe[list[str] | None] = field(description="All of them, in place of the old ones.")
    hourly_rate: Maybe[Decimal | None] = field(description="Not below zero; null clears it.")
    metadata: Maybe[Json | None] = field(description="In place of the old one.")


@strawberry.input(description="A new status.")
class SetAgentStatusInput:
    id: strawberry.ID = field(description="Which agent.")
    status: AgentStatus = field(description="Any status may follow any other.")


@strawberry.input(description="One agent.")
class AgentIdInput:
    id: strawberry.ID = field(description="Which agent.")


@strawberry.type(description="The agent as it is now.")
class AgentPayload:
    agent: Agent | None = field(default=None, description="Null when it was refused.")
    errors: list[UserError] = errors()


@strawberry.type(description="What was deleted.")
class DeleteAgentPayload:
    deleted_id: strawberry.ID | None = field(default=None, description="Null when nothing was.")
    errors: list[UserError] = errors()


@strawberry.type
class AgentMutation:
    @mutation("Adds an agent to the catalogue.")
    async def create_agent(self, info: Info, input: CreateAgentInput) -> AgentPayload:
        return AgentPayload(agent=await agent.create(info.context, provided_fields(input)))

    @mutation("Changes an agent.")
    async def update_agent(self, info: Info, input: UpdateAgentInput) -> AgentPayload:
        agent_id = ids.named(ids.agent_of, input.id, "agent")
        expected = input.expected_revision.value if input.expected_revision else None
        fields = provided_fields(input, "id", "expected_revision")
        return AgentPayload(agent=await agent.update(info.context, agent_id, fields, expected))

    @mutation("Says whether an agent can be given work.")
    async def set_agent_status(self, info: Info, input: SetAgentStatusInput) -> AgentPayload:
        agent_id = ids.named(ids.agent_of, input.id, "agent")
        return AgentPayload(agent=await agent.update(info.context, agent_id, {"status": input.status.value}, None))

    @mutation("Deletes an agent from the catalogue; its parts in sessions stay, without it.")
    async def delete_agent(self, info: Info, input: AgentIdInput) -> DeleteAgentPayload:
        row = await agent.delete(info.context, ids.named(ids.agent_of, input.id, "agent"))
        return DeleteAgentPayload(deleted_id=ids.agent(row.id))
