"""The same schema, resolvers and loaders behind an unmodified `strawberry.asgi.GraphQL`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

from app.auth import bearer
from app.main import Services
from app.schema import schema
from app.settings import Settings

SETTINGS = "database_url", "jwt_secret", "pool_size", "max_subscribers_per_user"
values: dict[str, Any] = {name: os.environ[name.upper()] for name in SETTINGS if name.upper() in os.environ}
services = Services(Settings(**values))


class Stock(GraphQL[Any, Any]):
    """Strawberry's view with Colloquy's context, and the encoder that its scalars need."""

    async def get_context(self, request: HTTPConnection, response: Any) -> Any:
        viewer = await services.authenticator.viewer(bearer(request.headers.get("authorization")))
        return services.context(viewer)

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data, option=orjson.OPT_UTC_Z).decode()  # from bytes, a socket would send binary frames


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    await services.bus.start()
    try:
        yield
    finally:
        await services.bus.stop()
        await services.db.close()


view = Stock(schema, graphql_ide=None)
app = Starlette(routes=[Route("/graphql", view), WebSocketRoute("/graphql", view)], lifespan=lifespan)
