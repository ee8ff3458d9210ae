"""The load: several owners' conversations, written and followed while something is broken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import httpx2

from chaos.client import Client, Failure
from chaos.pollers import Poller
from chaos.readers import Reader, SessionReader, ViewerReader
from chaos.writers import Writer

OWNERS, SESSIONS, WRITERS, READERS = 3, 2, 2, 2
REQUEST_SECONDS = 15
IDLE_SECONDS = 2  # below the 5 after which a server closes a connection, maybe while a request is on its way
ACTS_BETWEEN_FAULTS = 20
STOP_SECONDS = 30
CREATE = "session { id eventCursor }"


class Load:
    """All clients that write and read, and the windows of time in which something was broken."""

    def __init__(self, name: str, urls: list[str], http: httpx2.AsyncClient, random: Random) -> None:
        self.name, self._urls, self._http, self._random = name, urls, http, random
        self.clients: list[Client] = []
        self.writers: list[Writer] = []
        self.readers: list[Reader] = []
        self.pollers: list[Poller] = []
        self.fault_windows: list[tuple[float, float]] = []  # a failure in one of them is excused
        self._writing: list[asyncio.Task[None]] = []
        self._polling: list[asyncio.Task[None]] = []
        self._reading: list[asyncio.Task[None]] = []

    def client(self, owner: str) -> Client:
        """One more client of this owner, with random choices and failures of its own."""
        made = Client(f"{self.name}/{owner}".replace(" ", "-"), self._urls, self._http, Random(self._random.random()))
        self.clients.append(made)
        return made

    async def start(self) -> None:
        """Owners, each with a sidebar and with sessions that several clients write and read."""
        for owner in (f"owner {number}" for number in range(OWNERS)):
            client = self.client(owner)
            cursor = (await client.execute("{ viewer { eventCursor } }"))["viewer"]["eventCursor"]
            self.add_reader(ViewerReader(client, cursor))
            for number in range(SESSIONS):
                await self._add_session(owner, f"{owner} session {number}")

    async def _add_session(self, owner: str, title: str) -> None:
        payload = await self.client(owner).mutate("createSession", CREATE, title, title=title)
        session = payload["session"]
        names = [f"{title} writer {number}" for number in range(WRITERS)]
        writers = [Writer(self.client(owner), session["id"], name, renames=name == names[0]) for name in names]
        self.writers += writers
        self._writing += [asyncio.create_task(writer.write()) for writer in writers]
        poller = Poller(self.client(owner), session["id"], writers)
        self.pollers.append(poller)
        self._polling.append(asyncio.create_task(poller.poll()))
        for _ in range(READERS):
            self.add_reader(SessionReader(self.client(owner), session["id"], session["eventCursor"]))

    def add_reader(self, reader: Reader) -> None:
        """Follows from now on, until `cancel`."""
        self.readers.append(reader)
        self._reading.append(asyncio.create_task(reader.follow()))

    @property
    def acts(self) -> int:
        """The number of writes that were acknowledged so far."""
        return sum(writer.acknowledged.acts for writer in self.writers)

    def failed_since(self, began: float) -> list[Failure]:
        """The failures that ended after this moment."""
        return [failure for client in self.clients for failure in client.failures if failure.ended > began]

    async def wait_for_acts(self) -> None:
        """Returns after some more acts. Raises what a client raised: one that is refused ends the experiment."""
        goal = self.acts + ACTS_BETWEEN_FAULTS
        while self.acts < goal:
            for task in (*self._writing, *self._polling):
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)

    async def finish_writing(self) -> None:
        """Stops the writers; returns when each one's last act is acknowledged."""
        for writer in self.writers:
            writer.stopping = True
        async with asyncio.timeout(STOP_SECONDS):
            await asyncio.gather(*self._writing)

    async def cancel(self) -> None:
        """Ends all writers, pollers and readers."""
        tasks = [*self._writing, *self._polling, *self._reading]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Probe:
    """A session of its own that is written through one client and followed through another: does the service work?"""

    def __init__(self, client: Client, reader: SessionReader) -> None:
        self._client, self._reader = client, reader
        self._number = 0

    @classmethod
    async def start(cls, load: Load) -> "Probe":
        """Creates the session and follows it."""
        client = load.client("prober")
        session = (await client.mutate("createSession", CREATE, "probe"))["session"]
        reader = SessionReader(load.client("prober"), session["id"], session["eventCursor"])
        load.add_reader(reader)
        return cls(client, reader)

    async def round_trip(self) -> None:
        """Returns when a write made now is acknowledged and its event has arrived."""
        self._number += 1
        text = f"probe {self._number}"
        message = {"role": "USER", "text": text}
        payload = await self._client.mutate(
            "appendMessage", "message { id }", text, sessionId=self._reader.session, message=message
        )
        while payload["message"]["id"] not in self._reader.messages:
            await asyncio.sleep(0.005)


@asynccontextmanager
async def loaded(name: str, urls: list[str], random: Random) -> AsyncIterator[tuple[Load, Probe]]:
    """A load that runs, and a probe; both end with the block."""
    limits = httpx2.Limits(keepalive_expiry=IDLE_SECONDS)
    async with httpx2.AsyncClient(timeout=REQUEST_SECONDS, limits=limits) as http:
        load = Load(name, urls, http, random)
        try:
            await load.start()
            yield load, await Probe.start(load)
        finally:
            await load.cancel()
