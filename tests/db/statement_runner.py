"""Runs any statement for a generated owner as the program would, counts its buffers, and keeps no change."""

import re
from contextlib import asynccontextmanager

from app.db.access.statement import REGISTERED, AcrossOwners
from app.db.tables import metadata
from harness.buffers import BufferCount, explain
from tests.db.generated_arguments import Arguments, OwnerRows
from tests.support.databases import open_database

# A foreign key refuses the deletion of agents before that of their messages.
PRECEDED = {"session_erasure.session_agents": "session_erasure.messages"}


class StatementRunner:
    """On one connection of the pool, with the settings and the plan mode that the program uses.

    `rows` are those of every owner of a kind of its own (`harness/generated_data.py`).
    """

    def __init__(self, url, connection, count, rows, begin_custom_plan):
        self.url, self._connection, self._count, self.rows = url, connection, count, rows
        self._begin_custom_plan = begin_custom_plan
        self._prepared, self._arguments = {}, {}
        self._touched, self._reads = 0, None

    @classmethod
    @asynccontextmanager
    async def of(cls, url):
        """Runs on the database at `url`."""
        db = open_database(url, pool_size=1)
        pooled = await db.pool.acquire()
        driver = pooled.driver
        # The count does not include what parallel workers touch.
        await driver.execute("set max_parallel_workers_per_gather = 0")
        owners = await driver.fetch("select distinct owner_id from sessions where owner_id not like '%-%'")
        rows = {owner["owner_id"]: await OwnerRows.of(driver, owner["owner_id"]) for owner in owners}
        try:
            yield cls(url, driver, await BufferCount.of(driver), rows, db._begin_custom_plan)
        finally:
            await driver.execute("ROLLBACK")
            db.pool.release(pooled)
            await db.close()

    async def buffers(self, query, owner, wanted):
        """How many buffers the statement touches."""
        if query not in self._prepared:
            self._prepared[query] = await self._connection.prepare(query.sql)
            await self._run(query, owner, wanted)  # PostgreSQL makes the generic plan, which touches buffers too
        return await self._run(query, owner, wanted)

    async def clean(self, query):
        """Removes what earlier statements have left when they were rolled back: dead rows, and entries of GIN indexes."""
        tables = [table for table in metadata.tables if re.search(rf"\b{table}\b", query.sql)]
        self._reads = None
        await self._connection.execute("ROLLBACK")
        await self._connection.execute(f"vacuum {', '.join(tables)}")

    async def row_count(self, query, owner, wanted):
        """How many rows the statement returns or changes."""
        await self.buffers(query, owner, wanted)
        return int(self._prepared[query].get_statusmsg().split()[-1])

    async def plan(self, query, owner, wanted):
        """The lines of the plan that the statement runs with."""
        await self._begin(query, owner, wanted)
        arguments = self._bind(query, owner, wanted)
        return await explain(self._connection, query.sql, arguments, custom=query.custom_plan)

    async def _run(self, query, owner, wanted):
        arguments = self._bind(query, owner, wanted)
        await self._begin(query, owner, wanted)
        try:
            await self._prepared[query].fetch(*arguments)
        except Exception as error:
            self._reads = None
            await self._connection.execute("ROLLBACK")
            error.add_note(f"in the statement {query.name} for {wanted}")
            raise
        before, self._touched = self._touched, await self._count.touched()
        return self._touched - before

    def _bind(self, query, owner, wanted):
        if (query, owner) not in self._arguments:
            self._arguments[query, owner] = Arguments(query, self.rows[owner])
        values = self._arguments[query, owner].values(wanted)
        return query.bind(None if isinstance(query, AcrossOwners) else owner, **values)

    async def _begin(self, query, owner, wanted):
        """A transaction of its own for a statement that writes; statements that read share one."""
        if query.reads and self._reads == query.custom_plan:
            return
        self._reads = query.custom_plan if query.reads else None
        await self._connection.execute("ROLLBACK")
        await self._connection.execute(self._begin_custom_plan if query.custom_plan else "BEGIN")
        if query.name in PRECEDED:
            first = REGISTERED[PRECEDED[query.name]]
            await self._connection.fetch(first.sql, *self._bind(first, owner, wanted))
        self._touched = await self._count.touched()
