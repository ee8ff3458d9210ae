"""The three measurements, each on one server."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from bench import usage
from bench.live.sockets import Crowd, Subscriber
from bench.load import token
from bench.servers import DOCUMENTS, Running

LIVE = (DOCUMENTS / "live.graphql").read_text()
WARM = 200
SETTLE_SECONDS = 2.0
PIECE = "as a model says it, word "  # 25 characters
PIECES, PIECES_PER_SECOND = 400, 40
WATCHERS = 10
LATE_SECONDS = 10
CREATE = "mutation ($i: CreateSessionInput!) { createSession(input: $i) { session { id } errors { message } } }"
START = """mutation ($i: StartMessageInput!) {
  startMessage(input: $i) { message { id } fence errors { message } } }"""
EXTEND = "mutation ($i: ExtendMessageInput!) { extendMessage(input: $i) { cursor errors { message } } }"
FINISH = "mutation ($i: FinishMessageInput!) { finishMessage(input: $i) { cursor errors { message } } }"
APPEND = """mutation ($i: AppendMessageInput!) {
  appendMessage(input: $i) { message { id sequence } errors { message } } }"""


@dataclass(frozen=True)
class Quiet:
    """Memory of subscribers who only wait."""

    subscribers: int
    kib: float
    rss_mib: float
    joining_ms: float
    """Server CPU of one handshake, subscription and CaughtUp."""


@dataclass(frozen=True)
class FanOut:
    """Messages of one session to many; milliseconds, latency from the moment that the append is sent."""

    subscribers: int
    rate: float
    messages: int
    delivered: int
    expected: int
    cpu_ms: float
    pg_ms: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Answer:
    """One streamed answer; CPU in milliseconds for all of it."""

    watchers: int
    pieces: int
    deltas: int
    cpu_ms: float
    pg_ms: float
    equal: bool


class Client:
    """One owner's requests to the measured server."""

    def __init__(self, server: Running, owner: str, http: httpx2.AsyncClient) -> None:
        self._url, self.token, self._http = server.url, token(owner), http

    async def does(self, document: str, **given: Any) -> Any:
        """A mutation's payload. Raises RuntimeError on any error."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = await self._http.post(self._url, json={"query": document, "variables": {"i": given}}, headers=headers)
        response = answer.json()
        if response.get("errors"):
            raise RuntimeError(str(response["errors"]))
        [payload] = response["data"].values()
        if payload["errors"]:
            raise RuntimeError(str(payload["errors"]))
        return payload

    async def session(self) -> dict[str, Any]:
        """A new one with one message by an agent in it, so that the agent is not new any more."""
        made: dict[str, Any] = (await self.does(CREATE, title="Live"))["session"]
        await self.says(made["id"], "Good morning.")
        return made

    async def says(self, session: str, text: str) -> None:
        message = {"role": "ASSISTANT", "text": text, "agentKey": "guide"}
        await self.does(APPEND, sessionId=session, message=message)

    async def streams(self, session: str) -> None:
        """A message in `PIECES`, each at its time or as soon as the last one is stored."""
        made = await self.does(START, sessionId=session, agentKey="guide")
        of = {"id": made["message"]["id"], "fence": made["fence"]}
        start = time.perf_counter()
        for number in range(PIECES):
            await asyncio.sleep(max(0.0, start + number / PIECES_PER_SECOND - time.perf_counter()))
            await self.does(EXTEND, **of, offset=number * len(PIECE), text=PIECE)
        await self.does(FINISH, **of)

    def watching(self, session: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """What a subscriber of it says."""
        variables = {"session": session["id"], "after": None}
        return self.token, {"query": LIVE, "variables": variables}


async def quiet(server: Running, subscribers: int, *, shared: bool) -> Quiet:
    """RSS with all of them less RSS with the first few, by head; each with a token and a session of its own, or
    all in one session."""
    crowd = Crowd(server.url, lambda *_: None)
    async with httpx2.AsyncClient(timeout=30) as http:
        clients = [Client(server, f"quiet-{0 if shared else n}", http) for n in range(subscribers + WARM)]
        one = await clients[0].session()
        sessions = [one if shared or n == 0 else await clients[n].session() for n in range(len(clients))]
    wanted = [client.watching(session) for client, session in zip(clients, sessions, strict=True)]
    await crowd.join(wanted[:WARM])
    await asyncio.sleep(SETTLE_SECONDS)
    before, cpu = usage.rss_mib(server.pid), usage.cpu_ms(server.pid)
    await crowd.join(wanted[WARM:])
    spent = usage.cpu_ms(server.pid) - cpu
    await asyncio.sleep(SETTLE_SECONDS)
    after = usage.rss_mib(server.pid)
    assert not crowd.lost
    crowd.leave()
    await asyncio.sleep(SETTLE_SECONDS)
    return Quiet(subscribers, (after - before) * 1024 / subscribers, after, spent / subscribers)


async def fan_out(server: Running, postgres: int, subscribers: int, rate: float, seconds: float) -> FanOut:
    """Appends at a rate; every subscriber is to hear every message."""
    sent: dict[str, float] = {}
    latencies: list[float] = []

    def heard(_: Subscriber, frame: bytes) -> None:
        begin = frame.find(b"<") + 1
        if begin:
            text = frame[begin : frame.index(b">", begin)].decode()
            latencies.append((time.perf_counter() - sent[text]) * 1000)

    crowd = Crowd(server.url, heard)
    async with httpx2.AsyncClient(timeout=30) as http:
        client = Client(server, "crowd", http)
        session = await client.session()
        await crowd.join([client.watching(session)] * subscribers)
        await client.says(session["id"], "Everybody there?")
        await asyncio.sleep(SETTLE_SECONDS)
        cpu, pg = usage.cpu_ms(server.pid), usage.cpu_ms(postgres)
        messages = round(rate * seconds)
        start = time.perf_counter()
        for number in range(messages):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            sent[str(number)] = time.perf_counter()
            await client.says(session["id"], f"<{number}> The kettle boils, and somebody asks for milk.")
        await _all_there(latencies, messages * subscribers)
        cpu, pg = usage.cpu_ms(server.pid) - cpu, usage.cpu_ms(postgres) - pg
    crowd.leave()
    return _fan_out(subscribers, rate, messages, sorted(latencies), cpu, pg)


async def answer(server: Running, postgres: int) -> Answer:
    """A model's answer in pieces, at the pace of a model, while some watch."""
    texts: dict[Subscriber, str] = {}
    deltas = [0]

    def heard(watcher: Subscriber, frame: bytes) -> None:
        event = json.loads(frame)["payload"]["data"]["sessionEvents"]
        if event["__typename"] == "MessageDelta":
            deltas[0] += 1
            texts[watcher] = texts[watcher][: event["offset"]] + event["text"]
        elif "message" in event:
            texts[watcher] = event["message"]["text"]

    crowd = Crowd(server.url, heard)
    async with httpx2.AsyncClient(timeout=30) as http:
        client = Client(server, "listener", http)
        session = await client.session()
        await crowd.join([client.watching(session)] * WATCHERS)
        await asyncio.sleep(SETTLE_SECONDS)
        cpu, pg = usage.cpu_ms(server.pid), usage.cpu_ms(postgres)
        await client.streams(session["id"])
        await asyncio.sleep(SETTLE_SECONDS)
        cpu, pg = usage.cpu_ms(server.pid) - cpu, usage.cpu_ms(postgres) - pg
    crowd.leave()
    equal = list(texts.values()) == [PIECE * PIECES] * WATCHERS
    return Answer(WATCHERS, PIECES, deltas[0] // WATCHERS, cpu, pg, equal)


async def _all_there(latencies: list[float], expected: int) -> None:
    deadline = time.perf_counter() + LATE_SECONDS
    while len(latencies) < expected and time.perf_counter() < deadline:
        await asyncio.sleep(0.02)


def _fan_out(subscribers: int, rate: float, messages: int, latencies: list[float], cpu: float, pg: float) -> FanOut:
    p50, p99 = (latencies[int(len(latencies) * p)] for p in (0.5, 0.99))
    delivered, expected = len(latencies), messages * subscribers
    return FanOut(subscribers, rate, messages, delivered, expected, cpu / delivered, pg / messages, p50, p99)
