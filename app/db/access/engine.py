"""The engine behind a connection: PostgreSQL, or Citus with all tables distributed by `owner_id`.

This module, the second forms of statements (`routed`) and `failures.violates` are all that differs between the two.
Everything else is the same text on both; `scripts/routing.py` checks that Citus sends it to one node.
"""

from typing import Any, NamedTuple

from app.db.tables import metadata

EXTENSION = "select extversion from pg_extension where extname = 'citus'"
DISTRIBUTED = """
select count(*) from pg_dist_partition join pg_class on pg_class.oid = logicalrelid
where partmethod = 'h' and relname = any($1::text[]) and relnamespace = current_schema()::regnamespace
"""
NODES = "select nodename || ':' || nodeport from pg_dist_node where isactive and shouldhaveshards order by 1"
GROUP = "select groupid from pg_dist_local_group"
COORDINATOR = 0
NO_ROLE = "row-level security does not reach the nodes of Citus"
# A generic plan has no owner, and Citus chooses the node by the owner.
PLAN_MODE = "set plan_cache_mode = auto"

LOCK_TIMEOUT = "5s"
# A transaction waits for a row on the row's node, to which Citus passes on no setting of a connection by itself.
NODE_LIMITS = f"; SET LOCAL citus.propagate_set_commands = 'local'; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"


class DatabaseEngine(NamedTuple):
    """`version` is that of Citus; None on PostgreSQL. `distributed` is the number of our tables that it distributes.

    `nodes` are the addresses of the nodes with rows.
    """

    version: str | None = None
    distributed: int = 0
    nodes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For operators: `PostgreSQL`, `Citus 13.2-1`."""
        return f"Citus {self.version}" if self.version else "PostgreSQL"

    @property
    def routes(self) -> bool:
        """True if a coordinator sends each statement to the node of its owner."""
        return self.distributed == len(metadata.tables)

    def unusable(self, role: str | None) -> str | None:
        """Why no request can be served; None if they can. `role` is the role of the server's statements."""
        if self.routes and role:
            return f"{NO_ROLE}; unset DATABASE_ROLE"
        if 0 < self.distributed < len(metadata.tables):
            number = f"{self.distributed} of {len(metadata.tables)}"
            return f"{number} tables are distributed; run `colloquy migrate --distribute`"
        return None


POSTGRESQL = DatabaseEngine()


async def is_worker(driver: Any) -> bool:
    """True if a connection leads to a worker of Citus, whose NOTIFY reaches no client of another node."""
    return await driver.fetchval(EXTENSION) is not None and await driver.fetchval(GROUP) != COORDINATOR


async def detect(driver: Any) -> DatabaseEngine:
    """The engine of a new connection, in a transaction: PgBouncer may lead two statements to two servers otherwise."""
    async with driver.transaction():
        version = await driver.fetchval(EXTENSION)
        if version is None:
            return POSTGRESQL
        distributed = await driver.fetchval(DISTRIBUTED, list(metadata.tables))
        return DatabaseEngine(version, distributed, tuple(node[0] for node in await driver.fetch(NODES)))
