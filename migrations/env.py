"""Alembic's environment: runs migrations on the connection of `app.db.operations.migrate`, one process at a time."""

from alembic import context
from sqlalchemy import func, select, text

from app.db.tables import metadata

# Any number that nothing else in this database locks.
LOCK = 4_605_102_861

connection = context.config.attributes["connection"]
# A session's lock: it persists when a migration commits in between, to build an index concurrently.
connection.execute(select(func.pg_advisory_lock(LOCK)))
connection.execute(text("set lock_timeout = '10s'"))
connection.commit()

context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
