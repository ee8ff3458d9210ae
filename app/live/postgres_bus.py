"""Wake-ups by LISTEN and NOTIFY."""

import asyncio
from typing import Any

import asyncpg

from app.live.shared_bus import CHANNEL, SharedBus

CONNECT_SECONDS = 5.0


class PostgresBus(SharedBus):
    """One connection of its own, past the pool and any pooler; PostgreSQL refuses payloads of 8,000 bytes."""

    name = "PostgreSQL"
    payload_bytes = 7_900
    beat_seconds = 10.0

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn
        self._connection: Any = None

    async def listen(self) -> None:
        closed = asyncio.Event()
        connection: Any = await asyncpg.connect(  # type: ignore[no-untyped-call]
            self._dsn, timeout=CONNECT_SECONDS
        )
        try:
            connection.add_termination_listener(lambda _: closed.set())
            await connection.add_listener(CHANNEL, lambda _connection, _pid, _channel, payload: self.hear(payload))
            self._connection = connection
            self.connected()
            await closed.wait()
        finally:
            self._connection = None
            connection.terminate()

    async def tell(self, payload: str) -> None:
        await self._execute("SELECT pg_notify($1, $2)", CHANNEL, payload)

    async def beat(self) -> None:
        """A connection that died in silence is noticed by asking; NOTIFY would cost a transaction id."""
        await self._execute(f"LISTEN {CHANNEL}")

    async def _execute(self, statement: str, *values: str) -> None:
        connection = self._connection
        if connection is None:
            raise ConnectionError("there is no connection yet")
        try:
            await connection.execute(statement, *values)
        except BaseException:
            connection.terminate()  # also when the answer is late: `listen` ends and connects anew
            raise
