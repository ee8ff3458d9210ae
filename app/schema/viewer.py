"""The viewer: the subject of the token, and figures about its objects."""

from hashlib import sha256
from typing import Any

import strawberry

from app.db.session_totals import Totals
from app.db.stats import OwnerStats
from app.resolvers import viewer
from app.schema.base import Info
from app.schema.scalars import DateTime

field = strawberry.field


@strawberry.type(description="The numbers of sessions of one agent type.")
class AgentTypeCount:
    agent_type: str = field(description="The agent type.")
    count: int = field(description="The number of sessions of this type, without deleted ones.")
    active_count: int = field(
        description="The number of these sessions that are PENDING or ACTIVE and not archived: those for which the cap "
        "on active sessions holds."
    )


@strawberry.type(
    description="Figures about the objects of the viewer, counted when they are read. Deleted sessions, messages and "
    "agents do not count."
)
class UserStats:
    session_count: int = field(description="The number of sessions, archived ones included.")
    active_session_count: int = field(description="The number of sessions that are PENDING or ACTIVE and not archived.")
    archived_session_count: int = field(description="The number of archived sessions.")
    message_count: int = field(description="The number of messages in these sessions.")
    agent_count: int = field(description="The number of agents in the catalogue.")
    sessions_by_agent_type: list[AgentTypeCount] = field(
        description="The numbers of sessions per agent type, ordered by the type. Sessions without a type are left out."
    )
    last_activity_at: DateTime | None = field(
        description="The newest `lastActivityAt` of the sessions; null without sessions."
    )

    @classmethod
    def of(cls, types: list[Totals], others: OwnerStats) -> "UserStats":
        """The sum of the totals by agent type; the sessions without one are a type of their own there."""
        return cls(
            session_count=sum(row.sessions for row in types),
            active_session_count=sum(row.active for row in types),
            archived_session_count=sum(row.archived for row in types),
            message_count=sum(row.messages for row in types),
            agent_count=others.agents,
            sessions_by_agent_type=[
                AgentTypeCount(agent_type=row.agent_type, count=row.sessions, active_count=row.active)
                for row in sorted(types, key=lambda row: row.agent_type)
                if row.agent_type
            ],
            last_activity_at=others.last_activity_at,
        )


@strawberry.type(
    description="The owner of all objects that this request can read: the subject of the token, or the owner named in "
    "the header `Colloquy-Owner` by a token with the scope `chat:act`."
)
class Viewer:
    @field(
        description="An opaque id of the subject that never changes, for client caches. `node(id:)` does not accept it."
    )
    def id(self: Any) -> strawberry.ID:
        return strawberry.ID(f"usr_{sha256(self.subject.encode()).hexdigest()[:32]}")

    subject: str = field(description="The `sub` claim of the token, or the owner that the request names.")

    @field(
        description="The scopes of the token: `chat:read` for queries and subscriptions, `chat:write` for mutations, "
        "`chat:act` for acting for other owners."
    )
    def scopes(self: Any) -> list[str]:
        return sorted(self.scopes)

    @field(description="The roles of the token. They decide which approvals the token may decide.")
    def roles(self: Any) -> list[str]:
        return list(self.roles)

    @field(description="Figures about the objects of the viewer.")
    async def stats(self: Any, info: Info) -> UserStats:
        return UserStats.of(*await viewer.stats(info.context))

    @field(description="The number of sessions with `unreadCount` above 0 that are neither archived nor deleted.")
    async def unread_session_count(self: Any, info: Info) -> int:
        return await viewer.unread_sessions(info.context)

    @field(
        description="The event cursor of this read. `viewerEvents(after:)` with it misses no later change. It is not a "
        "page cursor."
    )
    async def event_cursor(self: Any, info: Info) -> str:
        ctx = info.context
        return str(ctx.horizon or await ctx.hub.viewer_cursor(ctx.viewer))


@strawberry.type
class ViewerQuery:
    @field(graphql_type=Viewer, description="The subject of the token, and figures about its objects.")
    def viewer(self, info: Info) -> Any:
        return info.context.viewer
