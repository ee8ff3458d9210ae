"""A pytest plugin: `SQLAlchemyDataLayer` is our data layer, with an owner for each database.

The peer's tests read two columns of a thread with SQL; here `execute_sql` reads them with `get_thread`.
"""

import hashlib
import json
import re
from datetime import UTC, datetime

import chainlit.data.sql_alchemy
from colloquy.chainlit import ColloquyDataLayer
from data_layers import URL, token

COLUMN = re.compile(r'SELECT "(metadata|name)" FROM threads WHERE "id" = :id')


class OwnDataLayer(ColloquyDataLayer):
    """A data layer with the arguments and the helpers of SQLAlchemyDataLayer."""

    def __init__(self, conninfo: str, storage_provider=None) -> None:
        owner = hashlib.sha256(conninfo.encode()).hexdigest()
        super().__init__(URL, token(owner), storage_provider=storage_provider)

    async def execute_sql(self, query: str, parameters: dict) -> list[dict]:
        found = await self.get_thread(parameters["id"])
        column = COLUMN.fullmatch(query)[1]
        value = found[column]
        return [{column: json.dumps(value) if column == "metadata" else value}]

    async def get_current_timestamp(self) -> str:
        return datetime.now(UTC).isoformat()


chainlit.data.sql_alchemy.SQLAlchemyDataLayer = OwnDataLayer
