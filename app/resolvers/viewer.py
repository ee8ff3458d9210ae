"""Use cases of the viewer: figures about its objects."""

from app import db
from app.context import Context
from app.db.session_totals import Totals
from app.db.stats import OwnerStats


async def stats(ctx: Context) -> tuple[list[Totals], OwnerStats]:
    """The totals of the viewer's sessions, a row for each agent type, and the other figures."""
    totals = await db.session_totals.read(ctx.reads, ctx.viewer)
    [others] = await ctx.reads.fetch(ctx.viewer, db.stats.OF_OWNER)
    return totals, others


async def unread_sessions(ctx: Context) -> int:
    """The number of sessions with unread messages that are neither archived nor deleted."""
    return sum(row.unread for row in await db.session_totals.read(ctx.reads, ctx.viewer))
