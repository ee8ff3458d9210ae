"""A proxy in front of Redis that loses, doubles and delays published messages."""

import asyncio
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

COPIES = {"lost": 0, "delivered": 1, "doubled": 2}
FATES = [*COPIES, "delayed"]
MESSAGE = b"*3\r\n$7\r\nmessage\r\n"


class UnreliableRedis:
    """Applies one of `fates` to each message that contains `marker`; a delayed one comes after the next one."""

    def __init__(self, redis_url, marker):
        self._redis, self._marker = urlsplit(redis_url), marker
        self._delayed = []
        self.fates = []
        self.url = ""

    async def serve(self, client, to_client):
        """One connection, until either side closes it."""
        redis, to_redis = await asyncio.open_connection(self._redis.hostname, self._redis.port)
        directions = [
            asyncio.ensure_future(copy(client, to_redis)),
            asyncio.ensure_future(self._deliver(redis, to_client)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            for stream in (to_redis, to_client):
                stream.close()

    async def _deliver(self, redis, to_client):
        while value := await read_value(redis):
            to_client.write(value if not self._is_marked(value) else self._after_its_fate(value))

    def _is_marked(self, value):
        return value.startswith(MESSAGE) and self._marker in value

    def _after_its_fate(self, message):
        fate = self.fates.pop() if self.fates else "delivered"
        if fate == "delayed":
            self._delayed.append(message)
            return b""
        messages, self._delayed = [message] * COPIES[fate] + self._delayed[::-1], []
        return b"".join(messages)


async def copy(source, target):
    while data := await source.read(65_536):
        target.write(data)


async def read_value(stream):
    """The bytes of the next value (RESP2); none at the end of the stream."""
    value = await stream.readline()
    kind, number = value[:1], value[1:-2]
    if kind == b"$" and int(number) >= 0:
        value += await stream.readexactly(int(number) + 2)
    elif kind == b"*":
        for _ in range(int(number)):
            value += await read_value(stream)
    return value


@asynccontextmanager
async def unreliable_redis(redis_url, marker):
    """A running proxy; clients use its `url`."""
    proxy, connections = UnreliableRedis(redis_url, marker), set()

    async def connect(client, to_client):
        connections.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.CancelledError):
            await proxy.serve(client, to_client)

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy.url = redis_url.replace(f":{proxy._redis.port}/", f":{port}/")
        try:
            yield proxy
        finally:
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
