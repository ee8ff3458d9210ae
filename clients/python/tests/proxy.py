"""A way to the server that breaks when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on; `lose` answers that the server has given, `cut` what is open, be `down`."""

    def __init__(self, server: str) -> None:
        self._host, self._port = urlsplit(server).hostname, urlsplit(server).port
        self._open: set[asyncio.StreamWriter] = set()
        self.lose = self.requests = 0
        self.down = False
        self.url = ""

    def cut(self) -> None:
        """Ends every connection."""
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, there and back."""
        if self.down:
            writer.transport.abort()
            return
        there, onward = await asyncio.open_connection(self._host, self._port)
        ends = {writer, onward}
        self._open |= ends
        try:
            await asyncio.gather(self._ask(reader, onward), self._answer(there, writer))
        except OSError:
            pass
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.requests += data.startswith(b"POST")
            onward.write(data)
        onward.close()

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await there.read(65536):
            if self.lose:
                self.lose -= 1
                raise OSError("lost")
            writer.write(data)
        writer.close()


@asynccontextmanager
async def proxy(server: str) -> AsyncIterator[Proxy]:
    """A way to this server."""
    way = Proxy(server)
    listener = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield way
    finally:
        listener.close()
        way.cut()
        await listener.wait_closed()
