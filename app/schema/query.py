"""What can be read."""

from asyncio import Future
from typing import Annotated, Any

import strawberry

from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow, SessionRow
from app.errors import BadInput
from app.resolvers import agent, session
from app.schema import ids
from app.schema.agent import Agent, AgentFilter, AgentOrder, AgentOrderField, OrderDirection
from app.schema.base import Info, Node, to_python
from app.schema.connection import After, Before, Connection, First, Last
from app.schema.session import Session, SessionFilter, SessionOrder, SessionOrderField
from app.schema.viewer import Viewer

field, argument = strawberry.field, strawberry.argument
LATEST = SessionOrder(field=SessionOrderField.LAST_ACTIVITY, direction=OrderDirection.DESC)
BY_NAME = AgentOrder(field=AgentOrderField.NAME, direction=OrderDirection.ASC)
MOST_NODES = 100


@strawberry.type
class RootQuery:
    @field(graphql_type=Node | None, description="Whatever has this id.")
    def node(self, info: Info, id: Annotated[strawberry.ID, argument(description="Its id.")]) -> Any:
        return ids.load(info.context.loaders, id)

    @field(
        graphql_type=list[Node | None],
        description="Whatever has these ids, in their order; null where nothing has.",
    )
    def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], argument(description="At most 100 ids.")]
    ) -> list[Any]:
        if len(ids) > MOST_NODES:
            raise BadInput(f"ids takes at most {MOST_NODES}; it has {len(ids)}.")
        return [load(info.context.loaders, one) for one in ids]

    @field(graphql_type=Viewer, description="Who the token says you are.")
    def viewer(self, info: Info) -> Any:
        return info.context.viewer

    @field(
        graphql_type=Session | None,
        description="By server id or by the client's own key: exactly one of them.",
    )
    def session(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, argument(description="The session's id.")] = None,
        key: Annotated[str | None, argument(description="The client's own name for it.")] = None,
    ) -> "Future[SessionRow | None] | None":
        loaders = info.context.loaders
        return _one(ids.session_of, loaders.sessions, loaders.sessions_by_key, id, key)

    @field(
        graphql_type=Connection[Session],
        description="Your sessions; without a filter neither archived nor deleted ones.",
    )
    async def sessions(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[SessionFilter | None, argument(description="Which sessions are wanted.")] = None,
        order_by: Annotated[SessionOrder, argument(description="In which order.")] = LATEST,
    ) -> Slice[SessionRow]:
        wanted = filter or SessionFilter()
        filters = {
            "status": to_python(wanted.status),
            "agent_type": wanted.agent_type,
            "role": wanted.role,
            "task_id": None if wanted.task_id is None else ids.task_of(wanted.task_id) or ids.NOTHING,
            "query": wanted.query,
            "archived": bool(wanted.archived),
            "deleted": bool(wanted.deleted),
        }
        window = Window.of(first, after, last, before)
        return await session.page(info.context, window, order_by.field.value, order_by.direction.value, filters)

    @field(graphql_type=Agent | None, description="By server id or by the client's own key: exactly one of them.")
    def agent(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, argument(description="The agent's id.")] = None,
        key: Annotated[str | None, argument(description="The client's own name for it.")] = None,
    ) -> "Future[AgentRow | None] | None":
        loaders = info.context.loaders
        return _one(ids.agent_of, loaders.agents, loaders.agents_by_key, id, key)

    @field(graphql_type=Connection[Agent], description="Your catalogue.")
    async def agents(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[AgentFilter | None, argument(description="Which agents are wanted.")] = None,
        order_by: Annotated[AgentOrder, argument(description="In which order.")] = BY_NAME,
    ) -> Slice[AgentRow]:
        wanted = filter or AgentFilter()
        filters = {name: to_python(value) for name, value in vars(wanted).items()}
        window = Window.of(first, after, last, before)
        return await agent.page(info.context, window, order_by.field.value, order_by.direction.value, filters)


load = ids.load


def _one(parse: Any, by_id: Any, by_key: Any, id: str | None, key: str | None) -> Any:
    """The future of what an id or a key names."""
    if (id is None) == (key is None):
        raise BadInput("Name it by exactly one of id and key.")
    if key is not None:
        return by_key.load(key)
    found = parse(id)
    return by_id.load(found) if found else None
