"""Wake-ups over Redis pub/sub, for many replicas."""

import asyncio
from contextlib import aclosing

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.live.shared_bus import WAKE_UP_CHANNEL, SharedBus
from app.live.tuning import LiveTuning

HEARTBEAT_SECONDS = 1.0
SILENCE_SECONDS = 4.0
RESPONSE_SECONDS = 2.0


class RedisBus(SharedBus):
    """Every process receives all wake-ups on one channel, its own included, which serve as its heartbeat.

    A Redis that hangs, a dead connection, and a missing permission to publish all show as silence: after
    SILENCE_SECONDS without a payload of its own, the process reconnects.
    """

    name = "Redis"
    max_payload_bytes = 65_536

    def __init__(self, url: str, tuning: LiveTuning) -> None:
        super().__init__(heartbeat_seconds=HEARTBEAT_SECONDS, send_timeout_seconds=tuning.send_timeout_seconds)
        self._url = url
        self._publisher = self._client()

    def _client(self) -> Redis:
        """A client without retries, which this bus does itself, in RESP2, which every compatible server supports."""
        return Redis.from_url(
            self._url,
            protocol=2,
            socket_timeout=RESPONSE_SECONDS,
            socket_connect_timeout=RESPONSE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    async def stop(self) -> None:
        await super().stop()
        await self._publisher.aclose()

    async def receive(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SILENCE_SECONDS) as silence, self._client() as client, client.pubsub() as pubsub:
            await pubsub.subscribe(WAKE_UP_CHANNEL)
            async with aclosing(pubsub.listen()) as messages:
                async for message in messages:
                    if message["type"] == "message" and self.on_payload(message["data"]):
                        silence.reschedule(loop.time() + SILENCE_SECONDS)
                        self.on_connected()

    async def send(self, payload: str) -> None:
        await self._publisher.publish(WAKE_UP_CHANNEL, payload)

    async def heartbeat(self) -> None:
        """Publishes an empty wake-up."""
        await self.send(self.payload([]))
