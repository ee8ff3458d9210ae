"""The server in this process, and the requests of one owner."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from app import sweeper
from app.auth import mint
from app.main import create_app
from app.server import Server
from app.settings import Settings

SECRET = "a secret of at least thirty-two bytes"
ROLES = ["rare", "common"]


def settings(url: str) -> Settings:
    """Of a server that cancels no request, and whose sweeper has all of its steps."""
    return Settings(
        database_url=url,
        jwt_secret=SECRET,
        host="127.0.0.1",
        port=0,
        pool_size=4,
        request_timeout_seconds=600,
        session_purge_days=30,
        max_active_sessions_per_agent_type=5,
        log_level="error",
    )


class Client:
    """Sends operations for any owner."""

    def __init__(self, url: str, chosen: Settings, http: httpx2.AsyncClient) -> None:
        self._url, self._settings, self._http = url, chosen, http
        self._tokens: dict[str, str] = {}

    async def run(self, owner: str, document: str, variables: dict[str, Any], key: str | None = None) -> None:
        """One operation, to its end. Raises for an error, of the payload too."""
        token = self._tokens.setdefault(owner, mint(self._settings, sub=owner, ttl_seconds=86_400, roles=ROLES))
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        headers |= {"idempotency-key": key} if key else {}
        streams = document.lstrip().startswith("subscription")
        path, accept = ("/graphql/stream", "text/event-stream") if streams else ("/graphql", "application/json")
        body = json.dumps({"query": document, "variables": variables})
        response = await self._http.post(f"{self._url}{path}", content=body, headers={**headers, "accept": accept})
        answer = response.text
        if '"errors":[{' in answer or (streams and "CaughtUp" not in answer) or response.status_code != 200:
            raise AssertionError(f"{document}: {answer[:500]}")


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[Client]:
    """A client of a server on the database at `url`."""
    chosen, address = settings(url), asyncio.get_running_loop().create_future()
    sweeper.PAUSE_SECONDS = 86_400  # beside what is measured, nothing else shall run

    async def ready(found: str) -> None:
        address.set_result(found)

    # The server binds its port itself: a connection of a socket that is passed in is without TCP_NODELAY.
    server = Server(create_app(chosen), chosen, ready)
    running = asyncio.create_task(server.serve())
    try:
        await asyncio.wait({running, address}, return_when=asyncio.FIRST_COMPLETED)
        async with httpx2.AsyncClient(timeout=600) as http:
            yield Client(address.result(), chosen, http)
    finally:
        server.should_exit = True
        await running
