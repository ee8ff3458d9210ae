"""Wake-ups by Redis pub/sub, for many replicas."""

import asyncio
from contextlib import aclosing

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.live.shared_bus import CHANNEL, SharedBus

SILENCE_SECONDS = 4.0
ANSWER_SECONDS = 2.0


class RedisBus(SharedBus):
    """Every process hears all wake-ups on one channel, its own too: one that does not hear itself is deaf.

    So a Redis that hangs, a line that died in silence, and a right to publish that is missing look alike: after
    `SILENCE_SECONDS` the bus is lost, and connects anew.
    """

    name = "Redis"
    payload_bytes = 65_536
    beat_seconds = 1.0

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._mouth = self._client()

    def _client(self) -> Redis:
        """Every retry is ours; RESP2 is what any server of the kind speaks."""
        return Redis.from_url(
            self._url,
            protocol=2,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    async def stop(self) -> None:
        await super().stop()
        await self._mouth.aclose()

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SILENCE_SECONDS) as silence, self._client() as client, client.pubsub() as ears:
            await ears.subscribe(CHANNEL)
            async with aclosing(ears.listen()) as messages:
                async for message in messages:
                    if message["type"] == "message" and self.hear(message["data"]):
                        silence.reschedule(loop.time() + SILENCE_SECONDS)
                        self.connected()

    async def tell(self, payload: str) -> None:
        await self._mouth.publish(CHANNEL, payload)

    async def beat(self) -> None:
        await self.tell(self.payload([]))
