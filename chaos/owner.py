"""Somebody who wants each thing done once, and asks until it is acknowledged."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Any

import httpx2

from chaos.places import token

# A twin is in flight, or a lock was not to be had in time: the same request again, under the same key.
BUSY = {"IDEMPOTENCY_IN_PROGRESS", "CONFLICT"}
AGAIN_SECONDS = 0.1, 0.5


class Failed(Exception):
    """No acknowledgement: a broken connection, a 5xx, an INTERNAL or a TIMEOUT."""


class Refused(Exception):
    """An answer that no fault excuses."""


@dataclass(frozen=True)
class Failure:
    """A request or a subscription without an answer, and when; `time.monotonic`."""

    began: float
    ended: float
    words: str


class Owner:
    """One `sub`, who knows every address of the service and tries the next one when one fails."""

    def __init__(self, name: str, urls: list[str], http: httpx2.AsyncClient, random: Random) -> None:
        self.name, self.random, self._http = name, random, http
        self.token = token(name)
        self._ways: Iterator[str] = cycle(random.sample(urls, len(urls)))
        self.url = next(self._ways)
        self.failures: list[Failure] = []

    def hop(self) -> None:
        """Goes to the next address."""
        self.url = next(self._ways)

    async def asks(self, document: str, key: str | None = None, **variables: Any) -> Any:
        """The data of one operation, asked for until it comes."""
        while True:
            began, url = time.monotonic(), self.url
            try:
                return await self._once(document, key, variables)
            except Failed as failed:
                self.failed(began, f"{url} {failed}")
                if url == self.url:
                    self.hop()
                await self.pauses(*AGAIN_SECONDS)

    async def does(self, mutation: str, selection: str, key: str | None = None, **given: Any) -> Any:
        """A mutation's payload, once it is acknowledged. Raises Refused."""
        name = INPUTS.get(mutation, mutation[0].upper() + mutation[1:] + "Input")
        document = (
            f"mutation ($input: {name}!) {{ {mutation}(input: $input) {{ {selection} errors {{ code message }} }} }}"
        )
        while True:
            payload = (await self.asks(document, key, input=given))[mutation]
            codes = {error["code"] for error in payload["errors"]}
            if not codes:
                return payload
            if not codes <= BUSY:
                raise Refused(f"{mutation}: {payload['errors']}")
            await self.pauses(*AGAIN_SECONDS)

    async def _once(self, document: str, key: str | None, variables: dict[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {self.token}"} | ({"idempotency-key": key} if key else {})
        body = {"query": document, "variables": variables}
        try:
            answer = await self._http.post(f"{self.url}/graphql", json=body, headers=headers)
        except httpx2.TransportError as error:
            raise Failed(type(error).__name__) from None
        if answer.status_code >= 500:
            raise Failed(f"{answer.status_code} {answer.text[:100]}")
        response = answer.json()
        if errors := response.get("errors"):
            if errors[0]["extensions"]["code"] in ("INTERNAL", "TIMEOUT"):
                raise Failed(errors[0]["extensions"]["code"])
            raise Refused(str(errors))
        return response["data"]

    def failed(self, began: float, words: str) -> None:
        self.failures.append(Failure(began, time.monotonic(), words))

    async def pauses(self, least: float, most: float) -> None:
        await asyncio.sleep(self.random.uniform(least, most))


INPUTS = {"cancelMessage": "MessageIdInput"}
