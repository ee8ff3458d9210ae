"""Mutations of agents: inputs, payloads and fields."""

import strawberry
from strawberry import Maybe

from app.resolvers import agent
from app.schema import ids
from app.schema.agent import Agent, AgentStatus
from app.schema.descriptions import CHANGED_METADATA, EXPECTED_REVISION, NEW_METADATA
from app.schema.inputs import provided_fields, value_of
from app.schema.mutation import mutation
from app.schema.payload import errors
from app.schema.scalars import Decimal, Json
from app.schema.user_errors import UserError
from app.unit_of_work import UnitOfWork

field = strawberry.field


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
