"""The load: several owners' conversations, written and followed while something breaks."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import httpx2

from chaos.owner import Owner
from chaos.readers import Reader, SessionReader, ViewerReader
from chaos.writers import Writer

OWNERS, SESSIONS, WRITERS, READERS = 3, 2, 2, 2
REQUEST_SECONDS = 15
LEAST_ACTS = 20  # between two faults
PATIENCE_SECONDS = 30
CREATE = "session { id eventCursor }"


class Load:
    """Everybody who writes and reads, and when something was broken."""

    def __init__(self, name: str, urls: list[str], http: httpx2.AsyncClient, random: Random) -> None:
        self.name, self._urls, self._http, self._random = name, urls, http, random
        self.owners: list[Owner] = []
        self.writers: list[Writer] = []
        self.readers: list[Reader] = []
        self.windows: list[tuple[float, float]] = []  # what fails in them is the fault's
        self._writing: list[asyncio.Task[None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def owner(self, name: str) -> Owner:
        """This owner once more: with ways, chances and failures of its own."""
        made = Owner(f"{self.name}/{name}".replace(" ", "-"), self._urls, self._http, Random(self._random.random()))
        self.owners.append(made)
        return made

    async def begins(self) -> None:
        """Owners, each with a sidebar and sessions that several write and read."""
        for name in (f"owner {number}" for number in range(OWNERS)):
            owner = self.owner(name)
            cursor = (await owner.asks("{ viewer { eventCursor } }"))["viewer"]["eventCursor"]
            self.follows(ViewerReader(owner, cursor))
            for number in range(SESSIONS):
                await self._session(name, f"{name} session {number}")

    async def _session(self, owner: str, title: str) -> None:
        payload = await self.owner(owner).does("createSession", CREATE, title, title=title)
        session = payload["session"]
        for number in range(WRITERS):
            writer = Writer(self.owner(owner), session["id"], f"{title} writer {number}", renames=number == 0)
            self.writers.append(writer)
            self._writing.append(asyncio.create_task(writer.writes()))
        for _ in range(READERS):
            self.follows(SessionReader(self.owner(owner), session["id"], session["eventCursor"]))

    def follows(self, reader: Reader) -> None:
        """One more reader, from now on."""
        self.readers.append(reader)
        self.beside(reader.follows())

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs until everything ends."""
        self._tasks.append(asyncio.create_task(work))

    @property
    def acts(self) -> int:
        """How many were acknowledged so far."""
        return sum(writer.told.acts for writer in self.writers)

    async def goes_on(self) -> None:
        """Returns after some more acts; a writer that was refused ends the experiment."""
        goal = self.acts + LEAST_ACTS
        while self.acts < goal:
            for task in self._writing:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)

    async def ends(self) -> None:
        """Every writer's last act is acknowledged."""
        for writer in self.writers:
            writer.stopping = True
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*self._writing)

    async def gone(self) -> None:
        """Nobody is left."""
        everybody = [*self._writing, *self._tasks]
        for task in everybody:
            task.cancel()
        await asyncio.gather(*everybody, return_exceptions=True)


class Probe:
    """One more owner, who writes to herself: how long until that works again, there and back."""

    def __init__(self, owner: Owner, reader: SessionReader) -> None:
        self._owner, self._reader = owner, reader
        self._number = 0

    @classmethod
    async def of(cls, load: Load) -> "Probe":
        """A session of its own, followed through another way than the one that is written through."""
        owner = load.owner("prober")
        session = (await owner.does("createSession", CREATE, "probe"))["session"]
        reader = SessionReader(load.owner("prober"), session["id"], session["eventCursor"])
        load.follows(reader)
        return cls(owner, reader)

    async def heard(self) -> None:
        """Returns when a write made now is acknowledged, and its event has come."""
        self._number += 1
        text = f"probe {self._number}"
        message = {"role": "USER", "text": text}
        payload = await self._owner.does(
            "appendMessage", "message { id }", text, sessionId=self._reader.session, message=message
        )
        while payload["message"]["id"] not in self._reader.messages:
            await asyncio.sleep(0.005)


@asynccontextmanager
async def loaded(name: str, urls: list[str], random: Random) -> AsyncIterator[tuple[Load, Probe]]:
    """A load under way, and a probe; gone at the end."""
    async with httpx2.AsyncClient(timeout=REQUEST_SECONDS) as http:
        load = Load(name, urls, http, random)
        try:
            await load.begins()
            yield load, await Probe.of(load)
        finally:
            await load.gone()
