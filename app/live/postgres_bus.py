"""Wake-ups over PostgreSQL: LISTEN and NOTIFY."""

import asyncio
from typing import Any

from app.db.access import engine
from app.db.access.servers import Servers
from app.live.shared_bus import OUT_OF_REACH, WAKE_UP_CHANNEL, SharedBus
from app.live.tuning import LiveTuning

CONNECT_SECONDS = 5.0
ON_A_WORKER = "leads to a worker of Citus; set DATABASE_DIRECT_URL to the coordinator, or REDIS_URL"


class PostgresBus(SharedBus):
    """Uses one connection of its own, outside of the pool; LISTEN does not work through a transaction pooler."""

    name = "PostgreSQL"
    max_payload_bytes = 7_900  # PostgreSQL refuses 8,000

    def __init__(self, url: str, tuning: LiveTuning) -> None:
        super().__init__(
            heartbeat_seconds=tuning.postgres_heartbeat_seconds, send_timeout_seconds=tuning.send_timeout_seconds
        )
        self._servers = Servers(url)
        self._connection: Any = None

    async def receive(self) -> None:
        closed = asyncio.Event()
        connection = await self._servers.connect(timeout=CONNECT_SECONDS)
        try:
            if await engine.is_worker(connection):
                self.trouble = ON_A_WORKER
                raise ConnectionError(ON_A_WORKER)
            self.trouble = OUT_OF_REACH
            connection.add_termination_listener(lambda _: closed.set())
            await connection.add_listener(
                WAKE_UP_CHANNEL, lambda _connection, _pid, _channel, payload: self.on_payload(payload)
            )
            self._connection = connection
            self.on_connected()
            await closed.wait()
        finally:
            self._connection = None
            connection.terminate()

    async def send(self, payload: str) -> None:
        await self._execute("SELECT pg_notify($1, $2)", WAKE_UP_CHANNEL, payload)

    async def heartbeat(self) -> None:
        """Executes LISTEN again: any statement finds a dead connection, and NOTIFY would use a transaction id."""
        await self._execute(f"LISTEN {WAKE_UP_CHANNEL}")

    async def _execute(self, statement: str, *values: str) -> None:
        connection = self._connection
        if connection is None:
            raise ConnectionError("there is no connection yet")
        try:
            await connection.execute(statement, *values)
            if self._servers.left(connection):
                raise ConnectionError("the server has become read-only")
        except BaseException:
            connection.terminate()  # after a timeout too: `receive` ends and reconnects
            raise
