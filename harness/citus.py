"""Databases on a cluster of Citus: the tests run on it when COLLOQUY_CITUS_URL names a database of its coordinator.

The nodes are those of that database (`pg_dist_node`). Every test database is copied from one that is distributed, on
each node.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.engine import make_url

from app.db.operations import distribution, migrate
from harness.postgres import NUMBERS, OUR_DATABASES, NewDatabase, at, connected, fingerprint, in_use

VARIABLE = "COLLOQUY_CITUS_URL"
NOT_TESTED = f"Citus is NOT tested: {VARIABLE} names no cluster (docs/scale.md)"
NODES = "select nodename as host, nodeport as port from pg_dist_node where isactive order by groupid"
ADD_NODE = "select citus_add_node($1, $2)"
SET_COORDINATOR = "select citus_set_coordinator_host($1, $2)"
ATTEMPTS = 20
CLIENTS = """
select datname from pg_stat_activity
where datname = any($1::text[]) and backend_type = 'client backend' and application_name not like 'citus%'
"""
END_PROCESSES = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = any($1::text[])"


def cluster_url() -> str | None:
    """The URL of the coordinator, if the tests shall run on Citus."""
    url = os.environ.get(VARIABLE)
    return url and make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


ACTIVITY = "citus_stat_activity" if cluster_url() else "pg_stat_activity"
"""The view of what the processes of all servers do: those that wait for a lock of a row are on the row's node."""


@asynccontextmanager
async def databases(coordinator: str, *, migrated: bool = True) -> AsyncIterator[NewDatabase]:
    """Creates databases without rows on the cluster, distributed ones if `migrated`; they are dropped at the end."""
    template, made = await _template(coordinator) if migrated else None, list[str]()

    async def new() -> str:
        await _end_daemons(coordinator, made)
        made.append(f"colloquy_test_{os.getpid()}_{next(NUMBERS)}")
        await create(coordinator, made[-1], template=template)
        return at(coordinator, made[-1])

    try:
        yield new
    finally:
        await drop(coordinator, made)


async def _end_daemons(coordinator: str, names: Sequence[str]) -> None:
    """Ends what Citus runs in databases without clients until the next client connects.

    It is a daemon on every node, with connections to all others: after a hundred databases a node has none left.
    """
    nodes = await nodes_of(coordinator)
    used = {
        row["datname"]
        for rows in await asyncio.gather(*(_fetch(node, CLIENTS, names) for node in nodes))
        for row in rows
    }
    unused = [name for name in names if name not in used]
    await asyncio.gather(*(_fetch(node, END_PROCESSES, unused) for node in nodes))


async def _fetch(node: str, query: str, names: Sequence[str]) -> list[asyncpg.Record]:
    async with connected(node) as admin:
        return await admin.fetch(query, names)


async def _template(coordinator: str) -> str:
    """The database that all others are copied from; the first worker after a change of the migrations creates it."""
    name, building = f"colloquy_template_{fingerprint()}", "colloquy_building"
    async with connected(coordinator) as admin:
        await admin.execute("select pg_advisory_lock(815)")
        existing = [row["datname"] for row in await admin.fetch(OUR_DATABASES)]
        if name not in existing:
            await drop(coordinator, [building, *(other for other in existing if not in_use(other))])
            await create(coordinator, building)
            await asyncio.to_thread(migrate.upgrade, at(coordinator, building))
            await asyncio.to_thread(distribution.distribute, at(coordinator, building))
            for node in await nodes_of(coordinator):
                await _rename(node, building, name)
    return name


async def nodes_of(coordinator: str) -> list[str]:
    """The URLs of all nodes, the coordinator first."""
    async with connected(coordinator) as connection:
        others = [tuple(node) for node in await connection.fetch(NODES)]
    url = make_url(coordinator)
    every = [(url.host, url.port or 5432), *others]
    return [url.set(host=host, port=port).render_as_string(hide_password=False) for host, port in dict.fromkeys(every)]


async def create(coordinator: str, name: str, *, template: str | None = None) -> None:
    """A database on all nodes: a copy of `template`, or without a table and with the nodes added."""
    nodes = await nodes_of(coordinator)
    await asyncio.gather(*(_create_on(node, name, template) for node in nodes))
    if template is None:
        await _join(nodes, name)


async def drop(coordinator: str, names: Sequence[str]) -> None:
    """Drops databases on all nodes."""
    await asyncio.gather(*(_drop_on(node, names) for node in await nodes_of(coordinator)))


async def _drop_on(node: str, names: Sequence[str]) -> None:
    async with connected(node) as admin:
        for name in names:
            await admin.execute(f"drop database if exists {name} with (force)")


async def _rename(node: str, before: str, after: str) -> None:
    async with connected(node) as admin:
        await _without_connections(admin, before, f"alter database {before} rename to {after}")


async def _create_on(node: str, name: str, template: str | None) -> None:
    async with connected(node) as admin:
        await _without_connections(admin, template, f"create database {name} template {template or 'template1'}")
        if template:  # a copy has no settings
            for setting, value in distribution.SETTINGS.items():
                await admin.execute(f"alter database {name} set {setting} to '{value}'")
    if template is None:
        async with connected(at(node, name)) as connection:
            await connection.execute("create extension citus")


async def _join(nodes: Sequence[str], name: str) -> None:
    async with connected(at(nodes[0], name)) as connection:
        for query, node in zip([SET_COORDINATOR, *[ADD_NODE] * len(nodes)], nodes, strict=False):
            url = make_url(node)
            await connection.execute(query, url.host, url.port)


async def _without_connections(admin: asyncpg.Connection, database: str | None, statement: str) -> None:
    """Runs a statement that needs a database without connections: a daemon of Citus is connected to each."""
    await admin.execute("set citus.enable_ddl_propagation = off")
    for _ in range(ATTEMPTS):
        await admin.execute(
            f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{database}'"
        )
        try:
            await admin.execute(statement)
        except asyncpg.ObjectInUseError:
            continue
        return
    raise TimeoutError(statement)
