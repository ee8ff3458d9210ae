"""Outages of one database of a running PostgreSQL: it accepts no connections, or no writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url

from harness.postgres import connected

END_CONNECTIONS = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1"


class Outage:
    """Ends and permits the use of the database at `url`; `server` is a URL of the same server's administrator."""

    def __init__(self, server: str, url: str) -> None:
        self._server, self._database = server, make_url(url).database

    async def begin(self) -> None:
        """Ends all connections, and accepts no new ones."""
        await self._alter("allow_connections false")

    async def end(self) -> None:
        """Accepts connections."""
        await self._alter("allow_connections true", end_connections=False)

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        """All connections inside the block refuse writes, as those to a standby do."""
        await self._alter("set default_transaction_read_only = on")
        try:
            yield
        finally:
            await self._alter("reset default_transaction_read_only", end_connections=False)

    async def _alter(self, change: str, *, end_connections: bool = True) -> None:
        async with connected(self._server) as admin:
            await admin.execute(f'alter database "{self._database}" {change}')
            if end_connections:
                await admin.execute(END_CONNECTIONS, self._database)
