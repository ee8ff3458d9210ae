"""An agent's part in a session: the state that its framework keeps."""

from asyncio import Future
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from app.db import message as messages
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow, MessageRow, SessionAgentRow, SessionRow
from app.live.cursors import SessionCursor
from app.resolvers import session_agent
from app.schema import ids
from app.schema.agent import Agent
from app.schema.base import Info, Node, UserError, cursor, enum, errors, provided_fields, rows_of
from app.schema.connection import After, Before, Connection, First, Last
from app.schema.mutation import mutation
from app.schema.scalars import DateTime, Json

Session = Annotated["Session", strawberry.lazy("app.schema.session")]
Message = Annotated["Message", strawberry.lazy("app.schema.message")]
field = strawberry.field


@enum(
    "What takes part in a session.",
    AGENT="One agent.",
    MULTI_AGENT="An orchestrator of several agents.",
)
class SessionAgentKind(StrEnum):
    AGENT = "AGENT"
    MULTI_AGENT = "MULTI_AGENT"


@enum(
    "Whether the thing must, may or must not exist.",
    CREATE="It must not: CONFLICT.",
    UPDATE="It must: NOT_FOUND.",
    UPSERT="It may.",
)
class PutMode(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    UPSERT = "UPSERT"


@strawberry.type(description="One agent's part in one session: the state its framework keeps.")
class SessionAgent(Node):
    key: str = field(description="The framework's name for it, unique per session and kind.")
    kind: SessionAgentKind = field(description="One agent, or an orchestrator of several.")
    state: Json = field(description="What the agent itself keeps.")
    conversation_manager_state: Json = field(description="What its framework keeps about the conversation.")
    internal_state: Json = field(description="What its framework keeps for itself.")
    raw: str | None = field(
        description="The whole document as its framework sent it, character for character; "
        "null when only the states were sent."
    )
    revision: int = field(
        description="The number of its newest change in the session: what `expectedRevision` compares."
    )
    client_created_at: DateTime | None = field(description="When the client says it was created.")
    created_at: DateTime = field(description="When it was first put.")
    updated_at: DateTime = field(description="When it was last put.")

    is_type_of = rows_of(SessionAgentRow)

    @field(description="Opaque, never reused; `node(id:)` finds the thing again.")
    def id(self: SessionAgentRow) -> strawberry.ID:
        return ids.part(self.session_id, self.kind, self.key)

    @field(graphql_type=Agent | None, description="Its entry in the catalogue.")
    def agent(self: SessionAgentRow, info: Info) -> "Future[AgentRow | None] | None":
        return info.context.loaders.agents.load(self.agent_id) if self.agent_id else None

    @field(graphql_type=Session, description="The session it takes part in.")
    def session(self: SessionAgentRow, info: Info) -> "Future[SessionRow | None]":
        return info.context.loaders.sessions.load(self.session_id)

    @field(
        graphql_type=Connection[Message],
        description="Its messages in the session, in their order; without `first` and `last` the newest 50.",
    )
    def messages(
        self: SessionAgentRow,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> "Future[Slice[MessageRow]]":
        window = Window.of(first, after, last, before, newest=True)
        return info.context.loaders.page(messages.OF_SESSION_AGENTS, (self.session_id, self.key), window)


@strawberry.input(description="An agent's part in a session; what is not set stays as it is, or starts empty.")
class PutSessionAgentInput:
    session_id: strawberry.ID = field(description="In which session.")
    key: str = field(description="The framework's name for it, unique per session and kind, 1 to 255 characters.")
    mode: PutMode = field(default=PutMode.UPSERT, description="Whether it must, may or must not exist.")
    kind: SessionAgentKind = field(default=SessionAgentKind.AGENT, description="One agent, or an orchestrator.")
    agent_id: Maybe[strawberry.ID | None] = field(description="Its entry in the catalogue; null unties it.")
    state: Maybe[Json | None] = field(description="What the agent itself keeps.")
    conversation_manager_state: Maybe[Json | None] = field(
        description="What its framework keeps about the conversation."
    )
    internal_state: Maybe[Json | None] = field(description="What its framework keeps for itself.")
    raw: Maybe[str | None] = field(
        description="The whole document; the three states are read from it where they are not set themselves."
    )
    client_created_at: Maybe[DateTime | None] = field(description="When the client says it was created.")
    expected_revision: Maybe[int | None] = field(description="Refuse with CONFLICT if it is not at this revision.")


@strawberry.type(description="The agent's part as it is now.")
class SessionAgentPayload:
    session_agent: SessionAgent | None = field(default=None, description="Null when it was refused.")
    cursor: str | None = cursor()
    errors: list[UserError] = errors()


@strawberry.type
class SessionAgentMutation:
    @mutation("Keeps an agent's part in a session: creates it, updates it, or either.")
    async def put_session_agent(self, info: Info, input: PutSessionAgentInput) -> SessionAgentPayload:
        row = await session_agent.put(
            info.context,
            session_id=ids.named(ids.session_of, input.session_id, "session", "sessionId"),
            kind=input.kind.value,
            key=input.key,
            mode=input.mode.value,
            fields=provided_fields(input, "session_id", "kind", "key", "mode", "agent_id", "expected_revision")
            | _agent(input),
            expected=input.expected_revision.value if input.expected_revision else None,
        )
        return SessionAgentPayload(session_agent=row, cursor=str(SessionCursor.at(row.session_id, row.revision)))


def _agent(input: PutSessionAgentInput) -> dict[str, Any]:
    """The catalogue entry, where one was named or taken away."""
    if input.agent_id is None:
        return {}
    wanted = input.agent_id.value
    return {"agent_id": ids.named(ids.agent_of, wanted, "agent", "agentId") if wanted is not None else None}
