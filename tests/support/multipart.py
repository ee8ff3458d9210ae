"""A client of subscriptions in parts, without the features that our server never uses."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

ACCEPT = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"
BOUNDARY = "\r\n--graphql"


class Parts:
    """The parts of one response as JSON; `beats` counts the empty ones, and `complete` is True after the last boundary."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.beats = 0
        self.complete = False
        self._texts = response.aiter_text()
        self._buffer = ""

    def __aiter__(self) -> "Parts":
        return self

    async def __anext__(self) -> Any:
        """The next part that is no heartbeat; the iteration ends with the response."""
        while True:
            part, found, rest = self._buffer.partition(BOUNDARY)
            if not found:
                self.complete = self._buffer == "--\r\n"
                self._buffer += await anext(self._texts)
                continue
            self._buffer = rest
            head, _, body = part.partition("\r\n\r\n")
            if not part:
                continue  # before the first boundary
            assert head == "\r\ncontent-type: application/json"
            if body != "{}":
                return json.loads(body)
            self.beats += 1


@asynccontextmanager
async def parts(
    http: httpx2.AsyncClient, url: str, request: dict[str, Any], headers: dict[str, str]
) -> AsyncIterator[Parts]:
    """The parts that respond to a GraphQL request."""
    async with http.stream("POST", url, headers={"accept": ACCEPT, **headers}, json=request) as response:
        yield Parts(response)
