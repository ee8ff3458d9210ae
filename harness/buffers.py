"""The shared buffers that a statement touches, and the plan that it runs with.

PostgreSQL counts every read of a buffer, hit or not, per table and index. Unlike the buffers of EXPLAIN, these counts
include triggers and the checks of foreign keys, and they are of the execution itself, not of a second one.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import asyncpg

RELATIONS = """
with tables as (
    select oid, reltoastrelid from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
), heaps as (select oid from tables union select reltoastrelid from tables where reltoastrelid <> 0)
select oid from heaps union select indexrelid from pg_index where indrelid in (select oid from heaps)
"""
TOUCHED = "select coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0)::bigint from unnest($1::oid[]) oid"
NUMBERS = count()


class BufferCount:
    """Counts the buffers of the statements that one connection runs, inside of a transaction."""

    def __init__(self, connection: asyncpg.Connection, relations: Sequence[int]) -> None:
        self._connection, self._relations = connection, relations

    @classmethod
    async def of(cls, connection: asyncpg.Connection) -> "BufferCount":
        """A count of all tables of the public schema, and of their indexes."""
        return cls(connection, [row["oid"] for row in await connection.fetch(RELATIONS)])

    async def touched(self) -> int:
        """How many buffers the connection has touched: the difference of two calls in one transaction counts."""
        touched: int = await self._connection.fetchval(TOUCHED, self._relations)
        return touched


async def explain(connection: asyncpg.Connection, sql: str, arguments: Sequence[Any], *, custom: bool) -> list[str]:
    """The lines of the plan that really runs, each with its rows and buffers. Needs a transaction; leaves nothing."""
    name, mode = f"explained_{next(NUMBERS)}", "custom" if custom else "generic"
    types = [kind.name for kind in (await connection.prepare(sql)).get_parameters()]
    values = [f"quote_nullable(${n}::{kind}::text)" for n, kind in enumerate(types, 1)]
    quoted = await connection.fetchrow(f"select {', '.join(values)}", *arguments) if types else ()
    call = name + (
        f"({', '.join(f'{value}::{kind}' for value, kind in zip(quoted, types, strict=True))})" if types else ""
    )
    await connection.execute(f"savepoint explain; set local plan_cache_mode = force_{mode}_plan")
    try:
        await connection.execute(f"prepare {name} as {sql}")
        plan = await connection.fetchval(f"explain (analyze, buffers, timing off, format json) execute {call}")
        return list(_lines(json.loads(plan)[0]["Plan"]))
    finally:
        await connection.execute("rollback to savepoint explain")
        await connection.execute(f"deallocate {name}")


def _lines(node: dict[str, Any], depth: int = 0) -> Iterator[str]:
    relation = " ".join(str(node[key]) for key in ("Index Name", "Relation Name") if key in node)
    conditions = [f"{key}: {node[key]}" for key in ("Index Cond", "Filter", "Recheck Cond") if key in node]
    removed = sum(node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck", "Join Filter"))
    buffers = node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0)
    loops = node.get("Actual Loops", 1)
    counts = f"{node.get('Actual Rows', 0) * loops:.0f} rows, {removed * loops:.0f} removed, {buffers} buffers"
    yield "  " * depth + " ".join(filter(None, [node["Node Type"], relation, f"({counts})", *conditions]))
    for child in node.get("Plans", ()):
        yield from _lines(child, depth + 1)
