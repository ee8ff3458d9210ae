"""Use cases of the viewer: figures about its objects."""

from app import db
from app.context import Context
from app.db.stats import TypeStats


async def stats(ctx: Context) -> list[TypeStats]:
    """Figures of the viewer's sessions, a row for each agent type; at least one row."""
    return await ctx.db.fetch(ctx.viewer, db.stats.BY_AGENT_TYPE)


async def unread_sessions(ctx: Context) -> int:
    """The number of sessions with unread messages that are neither archived nor deleted."""
    [row] = await ctx.db.fetch(ctx.viewer, db.stats.UNREAD)
    return row.total
