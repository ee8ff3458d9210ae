"""Agents: the entries of the catalogue."""

from enum import StrEnum
from typing import Annotated, Any

import strawberry
from graphql_compiled.batch import BatchValue

from app.context import Context
from app.db import session as sessions
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow, PartialAgent, SessionRow
from app.db.stats import AgentMetricsRow
from app.resolvers import agent
from app.schema import ids
from app.schema.base import Info, Node, OrderDirection, enum, rows_of
from app.schema.connection import Connection, connection
from app.schema.descriptions import METADATA, NODE_ID
from app.schema.inputs import to_python
from app.schema.scalars import DateTime, Decimal, Json

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
field, argument = strawberry.field, strawberry.argument


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

    is_type_of = rows_of(AgentRow, PartialAgent)

    @field(description=NODE_ID)
    def id(self: AgentRow) -> strawberry.ID:
        return ids.agent(self.id)

    @field(graphql_type=AgentMetrics, description="Figures about the work of the agent.")
    def metrics(self: AgentRow, info: Info) -> "BatchValue[AgentMetricsRow | None]":
        return info.context.loaders.agent_metrics.load(self.id)

    @connection(
        Connection[Session],
        "The sessions in which the agent takes part, the most recently active first. "
        "Archived sessions are included, deleted ones are not.",
    )
    def sessions(self: AgentRow, ctx: Context, window: Window) -> "BatchValue[Slice[SessionRow]]":
        return ctx.loaders.page(sessions.OF_AGENTS, self.id, window)


BY_NAME = AgentOrder(field=AgentOrderField.NAME, direction=OrderDirection.ASC)


@strawberry.type
class AgentQuery:
    @field(
        graphql_type=Agent | None,
        description="The agent with this id or this key; null if there is none. Send exactly one of `id` and `key`.",
    )
    def agent(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, argument(description="The id of the agent.")] = None,
        key: Annotated[str | None, argument(description="The key that the client gave the agent.")] = None,
    ) -> "BatchValue[AgentRow | None] | None":
        loaders = info.context.loaders
        return ids.load_by_id_or_key(ids.parse_agent, loaders.agents, loaders.agents_by_key, id, key)

    @connection(Connection[Agent], "The agents in the catalogue of the viewer.")
    async def agents(
        self,
        ctx: Context,
        window: Window,
        filter: Annotated[
            AgentFilter | None, argument(description="Conditions on the agents. Null or omitted: all agents.")
        ] = None,
        order_by: Annotated[AgentOrder, argument(description="The order of the agents. Default: by name.")] = BY_NAME,
    ) -> Slice[AgentRow]:
        order = order_by.field.value, order_by.direction.value
        return await agent.page(ctx, window, order, AgentFilter.parameters(filter))
