"""Takes the place of every connection that a pool hands out: nothing is committed, and buffers are counted."""

import re
from dataclasses import dataclass, field
from typing import Any

from app.db.access.pool import Pool, PooledConnection
from app.db.access.statement import REGISTERED, Query
from harness.buffers import BufferCount

NAME = re.compile(r"/\* (\S+) \*/")


@dataclass
class Recorder:
    """The statements that ran while `on`: name and buffers of each."""

    on: bool = False
    statements: list[tuple[str, int]] = field(default_factory=list)

    def install(self) -> None:
        """From now on, for all pools of this process."""
        acquire = Pool.acquire

        async def acquire_recorded(pool: Pool, opened_after: float = 0) -> PooledConnection:
            held = await acquire(pool, opened_after)
            if isinstance(held.driver, RecordedDriver):
                return held
            return held._replace(driver=RecordedDriver(held.driver, self))

        Pool.acquire = acquire_recorded  # type: ignore[assignment, method-assign]


class RecordedDriver:
    """A driver's connection that commits nothing: a statement on its own, if it writes, gets a transaction too."""

    def __init__(self, driver: Any, recorder: Recorder) -> None:
        self._driver, self._recorder = driver, recorder
        self._count: BufferCount | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def execute(self, command: str) -> str:
        if command != "COMMIT":
            return await self._driver.execute(command)
        await self._driver.execute("ROLLBACK")
        return command

    async def fetch(self, sql: str, *arguments: Any, **options: Any) -> Any:
        named = NAME.search(sql)
        assert named
        query = REGISTERED[named[1]]
        if self._driver.is_in_transaction() or (query.reads and not self._recorder.on):
            return await self._counted(query, sql, arguments, options)
        await self._driver.execute("BEGIN")
        try:
            return await self._counted(query, sql, arguments, options)
        finally:
            await self._driver.execute("ROLLBACK")

    async def _counted(self, query: Query[Any], sql: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if not self._recorder.on:
            return await self._driver.fetch(sql, *arguments, **options)
        self._count = self._count or await BufferCount.of(self._driver)
        before = await self._count.touched()
        rows = await self._driver.fetch(sql, *arguments, **options)
        self._recorder.statements.append((query.name, await self._count.touched() - before))
        return rows
