"""A client that sends each request again, under the same key, until it is acknowledged."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Any

import httpx2

from harness.server_settings import token

# A concurrent duplicate is in flight, or a lock was not free in time: the same request again, under the same key.
BUSY = {"IDEMPOTENCY_IN_PROGRESS", "CONFLICT"}
RETRY_SECONDS = 0.1, 0.5
INPUTS = {"cancelMessage": "MessageIdInput"}


class NotAcknowledged(Exception):
    """A broken connection, a 5xx, an UNAVAILABLE or a TIMEOUT."""


class LostConnection(NotAcknowledged):
    """A broken connection."""


class Refused(Exception):
    """An error that no fault excuses."""


@dataclass(frozen=True)
class Failure:
    """A request or a subscription without an answer, and when, on the clock of `time.monotonic`."""

    began: float
    ended: float
    reason: str
    lost_connection: bool = False


class Client:
    """One owner's client, with the address of every replica: after a failure it switches to the next one."""

    def __init__(self, owner: str, urls: list[str], http: httpx2.AsyncClient, random: Random) -> None:
        self.owner, self.random, self._http = owner, random, http
        self.token = token(owner)
        self._replicas: Iterator[str] = cycle(random.sample(urls, len(urls)))
        self.url = next(self._replicas)
        self.failures: list[Failure] = []

    def switch_replica(self) -> None:
        """Goes to the next replica."""
        self.url = next(self._replicas)

    async def execute(self, document: str, key: str | None = None, **variables: Any) -> Any:
        """The data of one operation, sent until an answer comes. Raises Refused."""
        while True:
            began, url = time.monotonic(), self.url
            try:
                return await self._send(document, key, variables)
            except NotAcknowledged as error:
                self.record_failure(began, f"{url} {error}", lost_connection=isinstance(error, LostConnection))
                if url == self.url:
                    self.switch_replica()
                await self.pause(*RETRY_SECONDS)

    async def mutate(self, mutation: str, selection: str, key: str | None = None, **fields: Any) -> Any:
        """A mutation's payload, once it is acknowledged. Raises Refused."""
        name = INPUTS.get(mutation, mutation[0].upper() + mutation[1:] + "Input")
        document = (
            f"mutation ($input: {name}!) {{ {mutation}(input: $input) {{ {selection} errors {{ code message }} }} }}"
        )
        while True:
            payload = (await self.execute(document, key, input=fields))[mutation]
            codes = {error["code"] for error in payload["errors"]}
            if not codes:
                return payload
            if not codes <= BUSY:
                raise Refused(f"{mutation}: {payload['errors']}")
            await self.pause(*RETRY_SECONDS)

    async def _send(self, document: str, key: str | None, variables: dict[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {self.token}"} | ({"idempotency-key": key} if key else {})
        body = {"query": document, "variables": variables}
        try:
            answer = await self._http.post(f"{self.url}/graphql", json=body, headers=headers)
        except httpx2.TransportError as error:
            raise LostConnection(type(error).__name__) from None
        if answer.status_code >= 500:
            raise NotAcknowledged(f"{answer.status_code} {answer.text[:100]}")
        response = answer.json()
        if errors := response.get("errors"):
            if errors[0]["extensions"]["code"] in ("UNAVAILABLE", "TIMEOUT"):
                raise NotAcknowledged(errors[0]["extensions"]["code"])
            raise Refused(str(errors))
        return response["data"]

    def record_failure(self, began: float, reason: str, *, lost_connection: bool = False) -> None:
        """Notes a failure that ends now."""
        self.failures.append(Failure(began, time.monotonic(), reason, lost_connection))

    async def pause(self, minimum: float, maximum: float) -> None:
        """Sleeps for a random time in seconds."""
        await asyncio.sleep(self.random.uniform(minimum, maximum))
