"""Distribution of all tables over the nodes of Citus: by `owner_id` and colocated, so one node has all of an owner."""

from alembic.config import Config
from sqlalchemy import Connection, text

from app.db.access.engine import COORDINATOR, GROUP
from app.db.operations import migrate
from app.db.operations.migrate import MigrationError, Report, ignore
from app.db.operations.readiness import SCRIPTS
from app.db.tables import metadata

FIRST = "agents"
"""It refers to no other table; all others lie beside it."""
VERSION = text("select extversion from pg_extension where extname = 'citus'")
IS_DISTRIBUTED = text("select exists (select from pg_dist_partition where logicalrelid = to_regclass(:table))")
DISTRIBUTE = text("select create_distributed_table(:table, 'owner_id', colocate_with => :beside)")
COPY = text("select create_reference_table('alembic_version')")
EMPTY = text("select truncate_local_data_after_distributing_table(to_regclass(:table))")
HAS_LOCAL_ROWS = text("select pg_relation_size(to_regclass(:table)) > 0")
# Our triggers write into the row alone, which is on their node. Times become text on the nodes: in UTC, as here.
SETTINGS = {"timezone": "UTC", "citus.enable_unsafe_triggers": "on"}
SET_ON_ALL_NODES = text("""
select nodeid, success, result from run_command_on_all_nodes(
    format('set citus.enable_ddl_propagation to off; alter database %I set %s to %L',
           current_database(), cast(:name as text), cast(:value as text)))
where not success
""")
# The trigger of sessions calls it, of which Citus has no record.
FUNCTION = "colloquy_timeline()"
FUNCTION_IS_DISTRIBUTED = text("""
select exists (select from pg_dist_object where classid = 'pg_proc'::regclass and objid = to_regprocedure(:name))
""")
DISTRIBUTE_FUNCTION = text("select create_distributed_function(:name)")
LOCAL_GROUP = text(GROUP)
ON_A_WORKER = "the URL leads to a worker of Citus; give that of the coordinator"
NO_EXTENSION = "the database has no extension citus; create it on every node, and add the nodes (docs/scale.md)"


def distribute(url: str, *, report: Report = ignore) -> None:
    """Distributes what is not distributed yet, rows included, and prepares all nodes, those added since too.

    Writes to a table wait while its rows are copied. Blocks, as `migrate.upgrade` does. Raises MigrationError.
    """
    migrate.alembic(url, _distribute, report=report)


def _distribute(config: Config) -> None:
    connection, report = config.attributes["connection"], config.attributes["report"]
    migrate.take_turn(connection, SCRIPTS, report)
    if connection.scalar(VERSION) is None:
        raise MigrationError(NO_EXTENSION)
    if connection.scalar(LOCAL_GROUP) != COORDINATOR:
        raise MigrationError(ON_A_WORKER)
    _prepare_nodes(connection)
    tables = [table.name for table in metadata.sorted_tables if table.name != FIRST]
    names = [FIRST, *tables]
    for number, table in enumerate(names, 1):
        if not connection.scalar(IS_DISTRIBUTED, {"table": table}):
            connection.execute(DISTRIBUTE, {"table": table, "beside": "none" if table == FIRST else FIRST})
            report(f"{table}: its rows are on the nodes, {number} of {len(names)} tables.")
        connection.commit()
    if not connection.scalar(IS_DISTRIBUTED, {"table": "alembic_version"}):
        connection.execute(COPY)
    connection.commit()
    _remove_local_rows(connection, names, report)


def _prepare_nodes(connection: Connection) -> None:
    for name, value in SETTINGS.items():
        if failed := connection.execute(SET_ON_ALL_NODES, {"name": name, "value": value}).first():
            raise MigrationError(f"node {failed.nodeid}: {failed.result}")
        connection.execute(text(f"set {name} to '{value}'"))
    if not connection.scalar(FUNCTION_IS_DISTRIBUTED, {"name": FUNCTION}):
        connection.execute(DISTRIBUTE_FUNCTION, {"name": FUNCTION})
    connection.commit()


def _remove_local_rows(connection: Connection, tables: list[str], report: Report) -> None:
    """Removes the rows that the distribution has copied; until then they take room, and no statement reads them."""
    for table in tables:
        if connection.scalar(HAS_LOCAL_ROWS, {"table": table}):
            connection.execute(text("set local citus.enable_ddl_propagation to off"))
            connection.execute(text(f"alter table {table} disable trigger user"))  # audit events are append-only
            connection.execute(EMPTY, {"table": table})
            connection.execute(text(f"alter table {table} enable trigger user"))
            report(f"{table}: the coordinator's copy is removed.")
        connection.commit()
