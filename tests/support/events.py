"""A client of server-sent events (HTML standard, section 9.2.6), without the features that our server never uses."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2


class Event(NamedTuple):
    """One event with its data decoded; `id` is None if the event has none."""

    kind: str
    data: Any
    id: str | None


class EventStream:
    """The events of one response; `beats` counts the comments in between."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.beats = 0
        self.last_id: str | None = None
        self._lines = response.aiter_lines()

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> Event:
        """The next event; the iteration ends with the response."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line:
                name, _, value = line.partition(":")
                self.beats += not name
                fields[name] = value.removeprefix(" ")
            elif "event" in fields:
                self.last_id = fields.get("id", self.last_id)
                return Event(fields["event"], json.loads(fields["data"] or "null"), fields.get("id"))
            else:
                fields = {}
        raise StopAsyncIteration


@asynccontextmanager
async def events(
    http: httpx2.AsyncClient, url: str, request: dict[str, Any], headers: dict[str, str], method: str = "POST"
) -> AsyncIterator[EventStream]:
    """The event stream that responds to a GraphQL request."""
    content: dict[str, Any] = {"params": request} if method == "GET" else {"json": request}
    async with http.stream(method, url, headers={"accept": "text/event-stream", **headers}, **content) as response:
        yield EventStream(response)
