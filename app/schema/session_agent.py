"""SessionAgents: the part of an agent in one session, with the states that its framework stores."""

from enum import StrEnum
from typing import Annotated, Any

import strawberry
from graphql_compiled.batch import BatchValue
from strawberry import Maybe

from app.context import Context
from app.db import message as messages
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow, MessageRow, PartialSessionAgent, SessionAgentRow, SessionRow
from app.limits import DEFAULT_PAGE_SIZE
from app.live.cursors import SessionCursor
from app.resolvers import session_agent
from app.schema import ids
from app.schema.agent import Agent
from app.schema.base import Info, Node, enum, rows_of
from app.schema.connection import Connection, connection
from app.schema.descriptions import CLIENT_CREATED_AT, EXPECTED_REVISION, NODE_ID
from app.schema.inputs import provided_fields, value_of
from app.schema.mutation import mutation
from app.schema.payload import cursor, errors
from app.schema.scalars import DateTime, Json
from app.schema.user_errors import UserError
from app.unit_of_work import UnitOfWork

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
Message = Annotated["Message", strawberry.lazy("app.schema.message")]
field = strawberry.field


@enum(
    "The kind of a SessionAgent.",
    AGENT="A single agent.",
    MULTI_AGENT="An orchestrator of several agents.",
)
class SessionAgentKind(StrEnum):
    AGENT = "AGENT"
    MULTI_AGENT = "MULTI_AGENT"


@enum(
    "What a put does if the object exists, and if it does not.",
    CREATE="Create the object. If it exists: CONFLICT.",
    UPDATE="Change the object. If it does not exist: NOT_FOUND.",
    UPSERT="Change the object, or create it if it does not exist.",
)
class PutMode(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    UPSERT = "UPSERT"


@strawberry.type(description="The part of one agent in one session, with the states that its framework stores.")
class SessionAgent(Node):
    key: str = field(description="The name of the agent in its framework, unique per session and kind.")
    kind: SessionAgentKind = field(description="A single agent, or an orchestrator of several.")
    state: Json = field(description="The state of the agent itself; `{}` if none was stored.")
    conversation_manager_state: Json = field(
        description="The state of the framework's conversation manager; `{}` if none was stored."
    )
    internal_state: Json = field(description="The internal state of the framework; `{}` if none was stored.")
    raw: str | None = field(
        description="The whole document of the framework, character for character as it was sent; null if only states "
        "were sent."
    )
    revision: int = field(
        description="The change number of the session at the newest change of this SessionAgent. `expectedRevision` is "
        "compared with it."
    )
    client_created_at: DateTime | None = field(description=CLIENT_CREATED_AT)
    created_at: DateTime = field(description="The time at which the server created the SessionAgent.")
    updated_at: DateTime = field(description="The time of the newest change of the SessionAgent.")

    is_type_of = rows_of(SessionAgentRow, PartialSessionAgent)

    @field(description=NODE_ID)
    def id(self: SessionAgentRow) -> strawberry.ID:
        return ids.session_agent(self.session_id, self.kind, self.key)

    @field(
        graphql_type=Agent | None,
        description="The agent in the catalogue; null if none is linked, or after its deletion.",
    )
    def agent(self: SessionAgentRow, info: Info) -> "AgentRow | BatchValue[AgentRow | None] | None":
        return info.context.loaders.catalogue_agent(self.agent_id) if self.agent_id else None

    @field(graphql_type=Session, description="The session in which the agent takes part.")
    def session(self: SessionAgentRow, info: Info) -> "BatchValue[SessionRow | None]":
        return info.context.loaders.sessions.load(self.session_id)

    @connection(
        Connection[Message],
        "The messages of this agent in the session, in the order of their `sequence`, without deleted "
        f"ones. Without `first` and `last`: the newest {DEFAULT_PAGE_SIZE}.",
        newest=True,
    )
    def messages(self: SessionAgentRow, ctx: Context, window: Window) -> "BatchValue[Slice[MessageRow]]":
        return ctx.loaders.page(messages.OF_SESSION_AGENTS, (self.session_id, self.key), window, role=None, status=None)


STATE = "Any JSON value. Omitted: the value in `raw`, else the stored value, else `{}`. Null is refused."


@strawberry.input(description="The values of a SessionAgent. An omitted field keeps its value, or starts empty.")
class PutSessionAgentInput:
    session_id: strawberry.ID = field(description="The id of the session.")
    key: str = field(
        description="The name of the agent in its framework, unique per session and kind, 1 to 255 characters."
    )
    mode: PutMode = field(
        default=PutMode.UPSERT, description="Whether the SessionAgent is created, changed, or either of the two."
    )
    kind: SessionAgentKind = field(
        default=SessionAgentKind.AGENT, description="A single agent, or an orchestrator of several."
    )
    agent_id: Maybe[strawberry.ID | None] = field(
        description="The id of the agent in the catalogue. Null removes the link. Omitted: no change."
    )
    state: Maybe[Json | None] = field(description=f"The state of the agent itself. {STATE}")
    conversation_manager_state: Maybe[Json | None] = field(
        description=f"The state of the framework's conversation manager. {STATE}"
    )
    internal_state: Maybe[Json | None] = field(description=f"The internal state of the framework. {STATE}")
    raw: Maybe[str | None] = field(
        description="The whole document of the framework, by default at most 1 MiB (MAX_RAW_BYTES), stored character "
        "for character. The server reads the three states from it unless the input has them. U+0000 and single "
        "surrogates must be written as JSON escapes. Null removes the stored document."
    )
    client_created_at: Maybe[DateTime | None] = field(
        description="The time of creation on the client's clock. The server stores it and does not use it for any "
        "order."
    )
    expected_revision: Maybe[int | None] = field(
        description=f"{EXPECTED_REVISION} With a revision, the SessionAgent must exist: else NOT_FOUND."
    )


@strawberry.type(description="The result of a put of a SessionAgent.")
class SessionAgentPayload:
    session_agent: SessionAgent | None = field(
        default=None, description="The SessionAgent after the mutation; null after an error."
    )
    cursor: str | None = cursor()
    errors: list[UserError] = errors()


@strawberry.type
class SessionAgentMutation:
    @mutation(
        "Creates or changes the SessionAgent with a key in a session. A retry with the same values stores the same "
        "values again. Errors: VALIDATION; NOT_FOUND for the session, the agent, or in mode UPDATE; CONFLICT in mode "
        "CREATE, or if `expectedRevision` differs.",
        input="The session, the key and the values of the SessionAgent.",
    )
    async def put_session_agent(self, work: UnitOfWork, input: PutSessionAgentInput) -> SessionAgentPayload:
        fields = provided_fields(input, "session_id", "kind", "key", "mode", "agent_id", "expected_revision")
        row = await session_agent.put(
            work,
            session_id=ids.require_session(input.session_id, "sessionId"),
            kind=input.kind.value,
            key=input.key,
            mode=input.mode.value,
            fields=fields | _agent_field(input),
            expected_revision=value_of(input.expected_revision),
        )
        return SessionAgentPayload(session_agent=row, cursor=str(SessionCursor.at(row.session_id, row.revision)))


def _agent_field(input: PutSessionAgentInput) -> dict[str, Any]:
    """The link to the catalogue: empty if the client omitted it, None for null."""
    if input.agent_id is None:
        return {}
    return {"agent_id": ids.optional(ids.require_agent, input.agent_id.value, "agentId")}
