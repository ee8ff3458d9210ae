"""A TCP proxy that loses responses, drops connections, or refuses them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class UnreliableProxy:
    """Forwards bytes. It drops the next `lost_responses` responses, and every new connection while `is_down`."""

    def __init__(self, server: str) -> None:
        self._host, self._port = urlsplit(server).hostname, urlsplit(server).port
        self._open: set[asyncio.StreamWriter] = set()
        self.lost_responses = self.requests = self.connections = 0
        self.is_down = False
        self.url = ""

    def disconnect(self) -> None:
        """Drops all open connections."""
        for writer in self._open:
            writer.transport.abort()

    async def forward(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Forwards one connection in both directions until one end closes it."""
        self.connections += 1
        if self.is_down:
            to_client.transport.abort()
            return
        try:
            server, to_server = await asyncio.open_connection(self._host, self._port)
        except OSError:  # the server is away: as if the client had asked it itself
            to_client.transport.abort()
            return
        writers = {to_client, to_server}
        self._open |= writers
        try:
            await asyncio.gather(self._forward_requests(client, to_server), self._forward_responses(server, to_client))
        except OSError:
            pass
        finally:
            self._open -= writers
            for writer in writers:
                writer.transport.abort()

    async def _forward_requests(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while data := await client.read(65536):
            self.requests += data.startswith(b"POST")
            to_server.write(data)
        to_server.close()

    async def _forward_responses(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while data := await server.read(65536):
            if self.lost_responses:
                self.lost_responses -= 1
                raise OSError("the response is lost")
            to_client.write(data)
        to_client.close()


@asynccontextmanager
async def unreliable_proxy(server: str) -> AsyncIterator[UnreliableProxy]:
    """A proxy before the server at this URL."""
    proxy = UnreliableProxy(server)
    listener = await asyncio.start_server(proxy.forward, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listener.close()
        proxy.disconnect()
        await listener.wait_closed()
