"""What the hand-written servers share: authentication and a pool. The environment names the database."""

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
    """The owner whose token it is."""
    scheme, _, token = request.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    subject: str = jwt.decode(token, SECRET, algorithms=["HS256"])["sub"]
    return subject


async def keep(_connection: asyncpg.Connection) -> None:
    """Replaces the pool's reset, which costs a round trip: these servers change nothing in a database session."""


def application(answers: dict[str, Answer], encode: Callable[[Any], bytes | str]) -> Starlette:
    """POST /graphql with `operationName` and `variables`, so that one load script fits all servers."""

    async def answer(request: Request) -> Response:
        owner = viewer(request)
        body = orjson.loads(await request.body())
        data = await answers[body["operationName"]](request.app.state.pool, owner, body.get("variables") or {})
        return Response(encode(data), media_type="application/json")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        settings = {"timezone": "UTC"}
        async with asyncpg.create_pool(min_size=POOL, max_size=POOL, reset=keep, server_settings=settings) as pool:
            app.state.pool = pool
            yield

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)
