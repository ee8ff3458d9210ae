"""The engine's pool: one `create_async_engine`, whose connections are handed out for one statement or transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, NamedTuple, cast

from sqlalchemy import event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection

from app.db.access import failures
from app.db.access.async_engine import AsyncConnection, AsyncEngine, create_async_engine
from app.errors import TimedOut

GOODBYE_SECONDS = 5


class Held(NamedTuple):
    """A connection of the engine: SQLAlchemy's hold on it, the driver's own, and when it was opened."""

    pooled: PoolProxiedConnection
    driver: Any
    opened: float


class Pool:
    """At most `size` connections; who waits longer than `patience` seconds for one gets TimedOut.

    One that is not in use stays checked out of SQLAlchemy's pool: to go through it for every statement would
    cost as much as the statement.
    """

    def __init__(
        self, url: str, *, size: int, acquire_timeout: float, statement_cache: bool, settings: dict[str, str]
    ) -> None:
        self.engine = _engine(url, size, statement_cache, settings)
        self._pool = cast(AsyncAdaptedQueuePool, self.engine.sync_engine.pool)
        event.listen(self._pool, "connect", _on_connect)
        event.listen(self._pool, "checkout", _on_checkout)
        self._acquire_timeout = acquire_timeout
        self._free = asyncio.Semaphore(size)
        self._resting: list[Held] = []

    @property
    def idle(self) -> int:
        """Open connections that wait for work."""
        return len(self._resting) + self._pool.checkedin()

    @property
    def busy(self) -> int:
        """Connections at work."""
        return self._pool.checkedout() - len(self._resting)

    async def take(self, opened_after: float = 0) -> Held:
        """A connection that is alive as far as this end knows."""
        await self._wait_for_one()
        try:
            while True:
                held = self._resting.pop() if self._resting else await self._open()
                if not held.driver.is_closed() and held.opened >= opened_after:
                    return held
                held.pooled.invalidate()
        except BaseException:
            self._free.release()
            raise

    def give_back(self, held: Held) -> None:
        """Whoever took it is done with it; one that is closed or still in a transaction is thrown away."""
        try:
            if held.driver.is_closed() or held.driver.is_in_transaction():
                held.pooled.invalidate()
            else:
                self._resting.append(held)
        finally:
            self._free.release()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """One of SQLAlchemy's own, for what is rare."""
        await self._wait_for_one()
        try:
            if self._resting:
                self._resting.pop().pooled.close()  # its pool may have none left otherwise
            async with self.engine.connect() as connection:
                yield connection
        finally:
            self._free.release()

    async def close(self) -> None:
        """Says goodbye to the server, but not for longer than it takes to answer."""
        while self._resting:
            self._resting.pop().pooled.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self.engine.dispose()

    async def _wait_for_one(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._acquire_timeout):
                await self._free.acquire()
        except TimeoutError:
            raise TimedOut("The server has more to do than it can; try again.") from None

    async def _open(self) -> Held:
        pooled = await self.engine.raw_connection()
        return Held(pooled, pooled.driver_connection, pooled.info["opened"])


def hang_up_if_useless(held: Held, error: BaseException) -> None:
    """A connection that was lost; or cut off in mid-protocol by a cancellation, which it may never recover from."""
    if isinstance(error, asyncio.CancelledError) or failures.connection_lost(error):
        held.driver.terminate()


def _on_connect(connection: Any, record: Any) -> None:
    connection.run_async(plain_values)
    record.info["opened"] = monotonic()


def _on_checkout(connection: Any, *_: Any) -> None:
    """Asks for another one in place of one that was closed while it waited in SQLAlchemy's pool."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _engine(url: str, size: int, statement_cache: bool, settings: dict[str, str]) -> AsyncEngine:
    address = make_url(url).set(drivername="postgresql+asyncpg")
    query = {"ssl" if name == "sslmode" else name: value for name, value in address.query.items()}
    return create_async_engine(
        address.set(query=query),
        pool_size=size,
        max_overflow=0,
        pool_reset_on_return=None,
        connect_args={
            "statement_cache_size": 512 if statement_cache else 0,
            "max_cached_statement_lifetime": 0,
            "prepared_statement_cache_size": 0,
            "server_settings": {"application_name": "colloquy", "timezone": "UTC", **settings},
        },
    )


async def plain_values(driver: Any) -> None:
    """uuid, json and jsonb are text on both ends: nothing is parsed that is only passed on."""
    for name in ("uuid", "json", "jsonb"):
        await driver.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")
