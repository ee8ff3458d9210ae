"""The root fields for reading objects by id or key, sessions, agents and the viewer."""

from asyncio import Future
from typing import Annotated, Any

import strawberry

from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow, SessionRow
from app.errors import BadInput
from app.limits import MAX_BATCH
from app.resolvers import agent, session
from app.schema import ids
from app.schema.agent import Agent, AgentFilter, AgentOrder, AgentOrderField, OrderDirection
from app.schema.base import Info, Node
from app.schema.connection import Connection, connection
from app.schema.session import Session, SessionFilter, SessionOrder, SessionOrderField
from app.schema.viewer import Viewer

field, argument = strawberry.field, strawberry.argument
LATEST = SessionOrder(field=SessionOrderField.LAST_ACTIVITY, direction=OrderDirection.DESC)
BY_NAME = AgentOrder(field=AgentOrderField.NAME, direction=OrderDirection.ASC)


@strawberry.type
class RootQuery:
    @field(graphql_type=Node | None, description="The object with this id; null if the viewer has none.")
    def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, argument(description="The id of any object, as its `id` field returned it.")],
    ) -> Any:
        return ids.load(info.context.loaders, id)

    @field(
        graphql_type=list[Node | None],
        description="The objects with these ids, in the order of the ids; null for an id without an object.",
    )
    def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], argument(description=f"At most {MAX_BATCH} ids; more are refused.")],
    ) -> list[Any]:
        if len(ids) > MAX_BATCH:
            raise BadInput(f"ids takes at most {MAX_BATCH}; it has {len(ids)}.")
        return [load(info.context.loaders, one) for one in ids]

    @field(graphql_type=Viewer, description="The subject of the token, and figures about its objects.")
    def viewer(self, info: Info) -> Any:
        return info.context.viewer

    @field(
        graphql_type=Session | None,
        description="The session with this id or this key; null if there is none. It needs exactly one of `id` and "
        "`key`.",
    )
    def session(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, argument(description="The id of the session.")] = None,
        key: Annotated[str | None, argument(description="The key that the client gave the session.")] = None,
    ) -> "Future[SessionRow | None] | None":
        loaders = info.context.loaders
        return _one(ids.parse_session, loaders.sessions, loaders.sessions_by_key, id, key)

    @connection(
        Connection[Session],
        "The sessions of the viewer. Archived and deleted sessions are included only if the filter asks for them.",
    )
    async def sessions(
        self,
        ctx: Context,
        window: Window,
        filter: Annotated[
            SessionFilter | None,
            argument(
                description="Conditions on the sessions. Null or omitted: sessions that are neither archived nor "
                "deleted."
            ),
        ] = None,
        order_by: Annotated[
            SessionOrder, argument(description="The order of the sessions. Default: the most recently active first.")
        ] = LATEST,
    ) -> Slice[SessionRow]:
        order = order_by.field.value, order_by.direction.value
        return await session.page(ctx, window, order, SessionFilter.parameters(filter))

    @field(
        graphql_type=Agent | None,
        description="The agent with this id or this key; null if there is none. Send exactly one of `id` and `key`.",
    )
    def agent(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, argument(description="The id of the agent.")] = None,
        key: Annotated[str | None, argument(description="The key that the client gave the agent.")] = None,
    ) -> "Future[AgentRow | None] | None":
        loaders = info.context.loaders
        return _one(ids.parse_agent, loaders.agents, loaders.agents_by_key, id, key)

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


load = ids.load


def _one(parse: Any, by_id: Any, by_key: Any, id: str | None, key: str | None) -> Any:
    """The future of what an id or a key names."""
    if (id is None) == (key is None):
        raise BadInput("Name it by exactly one of id and key.")
    if key is not None:
        return by_key.load(key)
    found = parse(id)
    return by_id.load(found) if found else None
