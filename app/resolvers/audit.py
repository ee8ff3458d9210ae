"""Use cases of the audit. Events are only read here: the other use cases record them."""

from collections.abc import Mapping
from typing import Any

from app import db
from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AuditRow


async def page(ctx: Context, window: Window, filters: Mapping[str, Any]) -> Slice[AuditRow]:
    """One page of the viewer's audit events, the oldest first."""
    return await db.audit.page(ctx.reads, ctx.viewer, window, filters)
