"""What the hand-written servers share: who asks, and a pool. The environment names the database."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import jwt
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SECRET = os.environ["JWT_SECRET"]
POOL = int(os.environ["POOL_SIZE"])
Answer = Callable[[asyncpg.Pool, str, dict[str, Any]], Awaitable[Any]]


def viewer(request: Request) -> str:
    """The owner that the token proves."""
    scheme, _, token = request.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    subject: str = jwt.decode(token, SECRET, algorithms=["HS256"])["sub"]
    return subject


async def keep(_connection: asyncpg.Connection) -> None:
    """In place of the pool's reset, which costs a round trip: these servers leave nothing in a session."""


def application(answers: dict[str, Answer], encode: Callable[[Any], bytes | str]) -> Starlette:
    """POST /graphql with `operationName` and `variables`, so that one load fits all servers."""

    async def answer(request: Request) -> Response:
        owner = viewer(request)
        asked = orjson.loads(await request.body())
        found = await answers[asked["operationName"]](request.app.state.pool, owner, asked.get("variables") or {})
        return Response(encode(found), media_type="application/json")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        settings = {"timezone": "UTC"}
        async with asyncpg.create_pool(min_size=POOL, max_size=POOL, reset=keep, server_settings=settings) as pool:
            app.state.pool = pool
            yield

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)
