"""The connection pool: one SQLAlchemy engine, whose connections serve one statement or one transaction at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, NamedTuple, cast

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection

from app.db.access import engine, failures
from app.db.access.async_engine import AsyncConnection, AsyncEngine, open_engine
from app.db.access.servers import Servers
from app.db.access.slots import Slots
from app.errors import Unavailable

CLOSE_TIMEOUT_SECONDS = 5


class PooledConnection(NamedTuple):
    """A connection of the engine: SQLAlchemy's proxy, the driver's connection, and when it was opened (monotonic)."""

    proxy: PoolProxiedConnection
    driver: Any
    opened_at: float


class Pool:
    """At most `size` connections; a wait for one that exceeds `acquire_timeout` seconds raises Unavailable.

    An idle connection stays checked out of SQLAlchemy's pool: a checkout for every statement would cost as much as the
    statement.
    """

    def __init__(
        self, url: str, *, size: int, acquire_timeout: float, statement_cache: int, settings: dict[str, str]
    ) -> None:
        self.database_engine: engine.DatabaseEngine | None = None
        """The engine behind the newest connection; None before the first one."""
        self._statement_cache = statement_cache
        self._servers = Servers(url)
        self.engine = _engine(self._servers, size, acquire_timeout, statement_cache, settings)
        self._pool = cast(AsyncAdaptedQueuePool, self.engine.sync_engine.pool)
        event.listen(self._pool, "connect", self._on_connect)
        event.listen(self._pool, "checkout", _on_checkout)
        self._slots = Slots(size, acquire_timeout)
        self._idle: list[PooledConnection] = []

    @property
    def waiting(self) -> int:
        """How many tasks wait for a connection."""
        return self._slots.waiting

    @property
    def idle(self) -> int:
        """How many open connections are not in use."""
        return len(self._idle) + self._pool.checkedin()

    @property
    def busy(self) -> int:
        """How many connections are in use."""
        return self._pool.checkedout() - len(self._idle)

    async def acquire(self, opened_after: float = 0) -> PooledConnection:
        """A connection that is open as far as this side knows, and was opened after that moment (monotonic).

        Raises Unavailable.
        """
        await self._slots.acquire()
        try:
            while True:
                connection = self._idle.pop() if self._idle else await self._open()
                if not connection.driver.is_closed() and connection.opened_at >= opened_after:
                    return connection
                connection.proxy.invalidate()
        except BaseException:
            self._slots.release()
            raise

    def take(self) -> PooledConnection | None:
        """An idle connection, as `acquire` returns it, without a coroutine; None if only `acquire` can get one."""
        if not self._idle or not self._slots.try_acquire():
            return None
        connection = self._idle.pop()
        if connection.driver.is_closed():
            connection.proxy.invalidate()
            self._slots.release()
            return None
        return connection

    def is_current(self, driver: Any) -> bool:
        """False if the server of this open connection has become read-only, although it is for writing.

        It may have been replaced, and lack what others have written elsewhere. To a connection that was idle meanwhile
        the server reports the change with the answer to the next statement.
        """
        return not self._servers.left(driver)

    def release(self, connection: PooledConnection) -> bool:
        """Takes an acquired connection back; one that is closed, in a transaction or not current is discarded.

        False if it is not current: what it has read may be outdated.
        """
        driver, current = connection.driver, True
        try:
            if driver.is_closed() or driver.is_in_transaction() or not (current := not self._servers.left(driver)):
                connection.proxy.invalidate()
            else:
                self._idle.append(connection)
        finally:
            self._slots.release()
        return current

    def on_failure(self, connection: PooledConnection, error: BaseException) -> None:
        """Closes a connection that was lost, or that a cancellation interrupted in the middle of the protocol.

        Raises Unavailable if the server is the reason. No connection to a read-only server is used again: the next
        ones may lead to the server that has replaced it.
        """
        if isinstance(error, asyncio.CancelledError) or failures.connection_lost(error):
            connection.driver.terminate()
        if failures.read_only(error):
            connection.driver.terminate()
            self._discard_idle()
        if failures.unavailable(error):
            raise Unavailable(failures.reason(error)) from error

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection of SQLAlchemy's, for rare statements outside of the request path."""
        await self._slots.acquire()
        try:
            if self._idle:
                self._idle.pop().proxy.close()  # SQLAlchemy's pool may have no connection left otherwise
            async with self.engine.connect() as connection:
                yield connection
        finally:
            self._slots.release()

    async def close(self) -> None:
        """Closes every connection; waits at most CLOSE_TIMEOUT_SECONDS for the server."""
        while self._idle:
            self._idle.pop().proxy.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self.engine.dispose()

    def _discard_idle(self) -> None:
        while self._idle:
            self._idle.pop().proxy.invalidate()

    def _on_connect(self, connection: Any, record: Any) -> None:
        connection.run_async(self._prepare)
        record.info["opened_at"] = monotonic()

    async def _prepare(self, driver: Any) -> None:
        await use_text_codecs(driver)
        self.database_engine = await engine.detect(driver)
        if self.database_engine.version and self._statement_cache:
            await driver.execute(engine.PLAN_MODE)

    async def _open(self) -> PooledConnection:
        try:
            proxy = await self.engine.raw_connection()
        except Exception as error:
            read_only = failures.read_only(error.__cause__ or error)  # SQLAlchemy has an error of its own
            raise Unavailable(failures.READ_ONLY if read_only else failures.UNREACHABLE) from error
        return PooledConnection(proxy, proxy.driver_connection, proxy.info["opened_at"])


async def use_text_codecs(driver: Any) -> None:
    """Transports uuid, json and jsonb as text in both directions: the program only passes them on."""
    for name in ("uuid", "json", "jsonb"):
        await driver.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")


def _on_checkout(connection: Any, *_: Any) -> None:
    """Makes SQLAlchemy's pool replace a connection that was closed while it was idle there."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _engine(servers: Servers, size: int, timeout: float, statement_cache: int, settings: dict[str, str]) -> AsyncEngine:
    return open_engine(
        servers,
        pool_size=size,
        max_overflow=0,
        pool_reset_on_return=None,
        connect_args={
            "timeout": timeout,
            "statement_cache_size": statement_cache,
            "max_cached_statement_lifetime": 0,
            "prepared_statement_cache_size": 0,
            "server_settings": {"application_name": "colloquy", "timezone": "UTC", **settings},
        },
    )
