"""Alembic's environment: runs migrations on the connection of `app.db.operations.migrate`, one process at a time.

Without a connection, for `scripts/migration_lint.py`, it prints their SQL.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import text

from app.db.operations import migrate, online
from app.db.tables import metadata


def declare_compatibility(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[str], run_args: Mapping[str, Any]
) -> None:
    """Stores beside the new revision which programs can use the database, in the transaction that reaches it."""
    if ctx.connection is None:
        return
    ctx.connection.execute(text("alter table alembic_version add column if not exists compatible_from text"))
    for revision in heads:
        oldest = online.compatible_from(context.script, revision)
        ctx.connection.execute(text("update alembic_version set compatible_from = :oldest"), {"oldest": oldest})


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", transaction_per_migration=True)
else:
    connection = context.config.attributes["connection"]
    migrate.take_turn(connection, Path(context.script.dir), context.config.attributes["report"])
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        on_version_apply=declare_compatibility,
    )
with context.begin_transaction():
    context.run_migrations()
