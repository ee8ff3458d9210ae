"""The clients of one owner: one for blocking calls, and one for each event loop."""

import asyncio
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from colloquy.async_client import AsyncClient
from colloquy.client import Client, Token
from colloquy.steps import Steps, T, run, run_async


class Clients:
    """Sends procedures from any thread and any event loop; connections are reused within each."""

    def __init__(self, url: str, token: Token, **options: Any) -> None:
        self.sync = Client(url, token, **options)
        self._arguments = (url, token)
        self._options = options
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()

    def run(self, steps: Steps[T]) -> T:
        """Runs the procedure with blocking calls."""
        return run(self.sync, steps)

    async def run_async(self, steps: Steps[T]) -> T:
        """Runs the procedure in the running event loop."""
        return await run_async(self._of_this_loop(), steps)

    def close(self) -> None:
        """Closes the connections of blocking calls."""
        self.sync.close()

    async def aclose(self) -> None:
        """Closes the connections of the running event loop."""
        if client := self._by_loop.pop(asyncio.get_running_loop(), None):
            await client.close()

    def _of_this_loop(self) -> AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._by_loop.get(loop)
        if client is None:
            client = self._by_loop[loop] = AsyncClient(*self._arguments, **self._options)
        return client


class ClientsOwner:
    """Closes its clients, at the end of a `with` block too."""

    clients: Clients

    @property
    def client(self) -> Client:
        """The client of the methods that block."""
        return self.clients.sync

    def close(self) -> None:
        """Closes the connections of the methods that block."""
        self.clients.close()

    async def aclose(self) -> None:
        """Closes the connections of the running event loop."""
        await self.clients.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        self.close()
