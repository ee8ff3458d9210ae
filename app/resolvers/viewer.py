"""The viewer's own figures."""

from app import db
from app.context import Context
from app.db.stats import TypeStats


async def stats(ctx: Context) -> list[TypeStats]:
    """The figures of the viewer's sessions by agent type, one row at least."""
    return await ctx.db.fetch(ctx.viewer, db.stats.BY_AGENT_TYPE)


async def unread_sessions(ctx: Context) -> int:
    """How many sessions, neither archived nor deleted, hold something unread."""
    [row] = await ctx.db.fetch(ctx.viewer, db.stats.UNREAD)
    return row.total
