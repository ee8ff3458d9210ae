"""What every launched server offers: its address, an HTTP client, tokens, and when it is ready."""

import asyncio
from typing import Any

import httpx2

from harness import server_settings

READY = {"status": "ready", "reasons": [], "degraded": []}


def is_ready(answer: dict[str, Any]) -> bool:
    """True for an answer of `/readyz` that lists nothing; programs before 0.2 do not name the engine in it."""
    return {name: answer.get(name) for name in READY} == READY


class RunningServer:
    """A server's `url` without a path, and a client that is open as long as the server runs."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self.url, self.http = url, http

    @property
    def exit_code(self) -> int | None:
        """None while the server runs."""
        return None

    def token(self, owner: str, **claims: Any) -> str:
        """A token of this owner."""
        return server_settings.token(owner, **claims)

    async def ready(self) -> None:
        """Returns once `/readyz` reports all ready, wake-ups included. Raises RuntimeError if the server ends."""
        while not await self._is_ready():
            if self.exit_code is not None:
                raise RuntimeError(f"the server at {self.url} ended with {self.exit_code}")
            await asyncio.sleep(0.05)

    async def _is_ready(self) -> bool:
        try:
            answer: dict[str, Any] = (await self.http.get(f"{self.url}/readyz")).json()
        except httpx2.TransportError:
            return False
        return is_ready(answer)

    async def count(self, metric: str) -> float:
        """The value of a metric at `/metrics`, by its name with labels. 0 if the server has none of it."""
        lines = (await self.http.get(f"{self.url}/metrics")).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{metric} "))
