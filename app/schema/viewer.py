"""The viewer: who the token says you are, and your figures."""

from hashlib import sha256
from typing import Any

import strawberry

from app.db.stats import TypeStats
from app.resolvers import viewer
from app.schema.base import Info
from app.schema.scalars import DateTime

field = strawberry.field


@strawberry.type(description="Your sessions of one agent type.")
class AgentTypeCount:
    agent_type: str = field(description="The type.")
    count: int = field(description="All that are not deleted.")
    active_count: int = field(description="Those that are PENDING or ACTIVE and not archived: what the cap counts.")


@strawberry.type(description="Your figures, counted now.")
class UserStats:
    session_count: int = field(description="Your sessions; deleted ones do not count.")
    active_session_count: int = field(description="Those that are PENDING or ACTIVE and not archived.")
    archived_session_count: int = field(description="Those that are archived.")
    message_count: int = field(description="The messages in your sessions; deleted ones do not count.")
    agent_count: int = field(description="The agents in your catalogue.")
    sessions_by_agent_type: list[AgentTypeCount] = field(description="Your sessions that have an agent type.")
    last_activity_at: DateTime | None = field(description="When your newest message came; null without sessions.")

    @classmethod
    def of(cls, types: list[TypeStats]) -> "UserStats":
        """The sum of the figures by agent type; the sessions without one are a type of their own there."""
        held = [row for row in types if row.sessions is not None]
        return cls(
            session_count=sum(row.sessions or 0 for row in held),
            active_session_count=sum(row.active for row in held),
            archived_session_count=sum(row.archived for row in held),
            message_count=sum(row.messages for row in held),
            agent_count=types[0].agents,
            sessions_by_agent_type=[
                AgentTypeCount(agent_type=row.agent_type, count=row.sessions or 0, active_count=row.active)
                for row in sorted(held, key=lambda row: row.agent_type or "")
                if row.agent_type is not None
            ],
            last_activity_at=max((row.last_activity_at for row in held if row.last_activity_at), default=None),
        )


@strawberry.type(description="Who the token says you are.")
class Viewer:
    @field(description="Opaque, stable per subject: client caches key on it.")
    def id(self: Any) -> strawberry.ID:
        return strawberry.ID(f"usr_{sha256(self.subject.encode()).hexdigest()[:32]}")

    subject: str = field(description="The token's `sub`: the owner of everything you see.")

    @field(description="What the token may do: `chat:read`, `chat:write`.")
    def scopes(self: Any) -> list[str]:
        return sorted(self.scopes)

    @field(description="In which roles you may decide approvals.")
    def roles(self: Any) -> list[str]:
        return list(self.roles)

    @field(description="Your figures.")
    async def stats(self: Any, info: Info) -> UserStats:
        return UserStats.of(await viewer.stats(info.context))

    @field(description="How many of your sessions in the list hold something unread.")
    async def unread_session_count(self: Any, info: Info) -> int:
        return await viewer.unread_sessions(info.context)

    @field(description="Where `viewerEvents` must start so that nothing is missed after this read; not a page cursor.")
    async def event_cursor(self: Any, info: Info) -> str:
        ctx = info.context
        return str(ctx.horizon or await ctx.hub.viewer_cursor(ctx.viewer))
