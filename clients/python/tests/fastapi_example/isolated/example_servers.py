"""Servers of the example, started as docs/frontends.md does it, and users with a browser."""

import asyncio
import json
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx2
import jwt
from colloquy import AsyncClient

ROOT = Path(__file__).resolve().parents[5]
EXAMPLE = ROOT / "examples/fastapi"
URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]
SECTION = (ROOT / "docs/frontends.md").read_text().partition("\n## A server in Python\n")[2].partition("\n## ")[0]
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', SECTION, re.S | re.M))
INSTALL, START = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.S | re.M)


class Browser:
    """A user with a browser on the example, and a client of Colloquy."""

    def __init__(self, api: str, client: AsyncClient, http: httpx2.AsyncClient, token: str) -> None:
        self.api, self.client, self.token = api, client, token
        self.headers = {"authorization": f"Bearer {token}"}
        self._http = http

    async def asks(self, text: str, session_id: str | None = None) -> str:
        """Stores a question, as ColloquyChatTransport does it. Returns the id of the session."""
        session_id = session_id or (await self.client.create_session(title="Trains")).session.id
        question = {"id": uuid4().hex, "role": "user", "parts": [{"type": "text", "text": text}]}
        await self.client.append_message(session_id, "USER", raw=json.dumps(question), key=question["id"])
        return session_id

    def posts(self, body: dict, headers: dict | None = None):
        """The response to a question, which the browser reads as a stream."""
        return self._http.stream("POST", self.api, json=body, headers=self.headers if headers is None else headers)

    async def reads(self, session_id: str, count: int | None = None) -> list[dict]:
        """The chunks of an answer; after `count` of them the browser leaves."""
        chunks: list[dict] = []
        async with self.posts({"id": session_id}) as response:
            assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
            async for line in response.aiter_lines():
                if len(chunks) == count or line == "data: [DONE]":
                    break
                if line:
                    chunks.append(json.loads(line.removeprefix("data: ")))
        return chunks

    async def last(self, session_id: str):
        """The newest message, once it is not being written."""
        session = await self.client.session(session_id)
        page = await self.client.message_page(session_id, last=1)
        if page.nodes[-1].status == "STREAMING":
            events = self.client.events(session_id, after=session.event_cursor)
            async for event in events:
                if getattr(event, "message", page.nodes[-1]).status != "STREAMING":
                    break
            await events.aclose()
            page = await self.client.message_page(session_id, last=1)
        return page.nodes[-1]


class ExampleServer:
    """A running server of the example."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.api = f"http://127.0.0.1:{port}/api/chat"
        self.process = process

    @asynccontextmanager
    async def user(self) -> AsyncIterator[Browser]:
        """A new user."""
        claims = {"sub": f"fastapi-{uuid4().hex}", "iat": int(time.time()), "exp": int(time.time()) + 3600}
        token = jwt.encode(claims, SECRET, "HS256")
        async with AsyncClient(URL, token) as client, httpx2.AsyncClient(timeout=60) as http:
            yield Browser(self.api, client, http, token)


@asynccontextmanager
async def example_server(directory: Path, module: str = "app") -> AsyncIterator[ExampleServer]:
    """The server that the last commands of the page start in `directory`, or the same with another module."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    commands = START.replace("http://127.0.0.1:8000", URL).replace("--port 8001", f"--port {port}")
    commands = commands.replace("uvicorn app:app", f"exec uvicorn {module}:app")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    process = await asyncio.create_subprocess_exec(
        *("bash", "-ec", commands), cwd=directory, env={**os.environ, "PATH": path}, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with httpx2.AsyncClient() as http, asyncio.timeout(60):
            while not await _is_ready(http, f"http://127.0.0.1:{port}/openapi.json"):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield ExampleServer(port, process)
    finally:
        process.terminate()
        await process.communicate()


async def _is_ready(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx2.TransportError:
        return False
