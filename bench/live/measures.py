"""The three measurements, each of one server."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from bench.servers import DOCUMENTS, RunningPeer
from harness import usage
from harness.server_settings import token
from harness.subscribers import Subscriber, Subscribers

LIVE = (DOCUMENTS / "live.graphql").read_text()
WARM = 200
SETTLE_SECONDS = 2.0
CHUNK = "as a model sends it, word"  # 25 characters
CHUNKS, CHUNKS_PER_SECOND = 400, 40
FOLLOWERS = 10
LATE_SECONDS = 10
CREATE = "mutation ($i: CreateSessionInput!) { createSession(input: $i) { session { id } errors { message } } }"
START = """mutation ($i: StartMessageInput!) {
  startMessage(input: $i) { message { id } fence errors { message } } }"""
EXTEND = "mutation ($i: ExtendMessageInput!) { extendMessage(input: $i) { cursor errors { message } } }"
FINISH = "mutation ($i: FinishMessageInput!) { finishMessage(input: $i) { cursor errors { message } } }"
APPEND = """mutation ($i: AppendMessageInput!) {
  appendMessage(input: $i) { message { id sequence } errors { message } } }"""


@dataclass(frozen=True)
class Idle:
    """Memory of subscribers that only wait."""

    subscribers: int
    kib: float
    rss_mib: float
    connecting_ms: float
    """Server CPU of one handshake, subscription and CaughtUp."""


@dataclass(frozen=True)
class FanOut:
    """Messages of one session delivered to many; milliseconds, latency from the moment at which the append is sent."""

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
    """One streamed answer; CPU in milliseconds for the whole of it."""

    subscribers: int
    chunks: int
    deltas: int
    cpu_ms: float
    pg_ms: float
    equal: bool


class Client:
    """One owner's requests to the measured server."""

    def __init__(self, server: RunningPeer, owner: str, http: httpx2.AsyncClient) -> None:
        self._url, self.token, self._http = server.url, token(owner), http

    async def mutate(self, document: str, **fields: Any) -> Any:
        """A mutation's payload. Raises RuntimeError on any error."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = await self._http.post(self._url, json={"query": document, "variables": {"i": fields}}, headers=headers)
        response = answer.json()
        if response.get("errors"):
            raise RuntimeError(str(response["errors"]))
        [payload] = response["data"].values()
        if payload["errors"]:
            raise RuntimeError(str(payload["errors"]))
        return payload

    async def session(self) -> dict[str, Any]:
        """A new session with one message by its agent: the agent's row exists before anything is measured."""
        session: dict[str, Any] = (await self.mutate(CREATE, title="Live"))["session"]
        await self.append(session["id"], "Good morning.")
        return session

    async def append(self, session: str, text: str) -> None:
        message = {"role": "ASSISTANT", "text": text, "agentKey": "guide"}
        await self.mutate(APPEND, sessionId=session, message=message)

    async def stream(self, session: str) -> None:
        """Streams one message in `CHUNKS`, each at its time or as soon as the one before is stored."""
        started = await self.mutate(START, sessionId=session, agentKey="guide")
        message = {"id": started["message"]["id"], "fence": started["fence"]}
        start = time.perf_counter()
        for number in range(CHUNKS):
            await asyncio.sleep(max(0.0, start + number / CHUNKS_PER_SECOND - time.perf_counter()))
            await self.mutate(EXTEND, **message, offset=number * len(CHUNK), text=CHUNK)
        await self.mutate(FINISH, **message)

    def subscription(self, session: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """A token and the payload of a subscribe message."""
        variables = {"session": session["id"], "after": None}
        return self.token, {"query": LIVE, "variables": variables}


async def idle(server: RunningPeer, subscribers: int, *, shared: bool) -> Idle:
    """RSS with all subscribers minus RSS with the first few, per subscriber.

    Each has an owner and a session of its own, or all share one.
    """
    group = Subscribers(server.url, lambda *_: None)
    async with httpx2.AsyncClient(timeout=30) as http:
        clients = [Client(server, f"idle-{0 if shared else n}", http) for n in range(subscribers + WARM)]
        one = await clients[0].session()
        sessions = [one if shared or n == 0 else await clients[n].session() for n in range(len(clients))]
    subscriptions = [client.subscription(session) for client, session in zip(clients, sessions, strict=True)]
    await group.connect(subscriptions[:WARM])
    await asyncio.sleep(SETTLE_SECONDS)
    before, cpu = usage.rss_mib(server.pid), usage.cpu_ms(server.pid)
    await group.connect(subscriptions[WARM:])
    spent = usage.cpu_ms(server.pid) - cpu
    await asyncio.sleep(SETTLE_SECONDS)
    after = usage.rss_mib(server.pid)
    assert not group.lost
    group.disconnect()
    await asyncio.sleep(SETTLE_SECONDS)
    return Idle(subscribers, (after - before) * 1024 / subscribers, after, spent / subscribers)


async def fan_out(server: RunningPeer, postgres: int, subscribers: int, rate: float, seconds: float) -> FanOut:
    """Appends at a rate; every subscriber must receive every message."""
    sent: dict[str, float] = {}
    latencies: list[float] = []

    def on_event(_: Subscriber, frame: bytes) -> None:
        begin = frame.find(b"<") + 1
        if begin:
            text = frame[begin : frame.index(b">", begin)].decode()
            latencies.append((time.perf_counter() - sent[text]) * 1000)

    group = Subscribers(server.url, on_event)
    async with httpx2.AsyncClient(timeout=30) as http:
        client = Client(server, "fan-out", http)
        session = await client.session()
        await group.connect([client.subscription(session)] * subscribers)
        await client.append(session["id"], "Is everybody connected?")
        await asyncio.sleep(SETTLE_SECONDS)
        cpu, pg = usage.cpu_ms(server.pid), usage.cpu_ms(postgres)
        messages = round(rate * seconds)
        start = time.perf_counter()
        for number in range(messages):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            sent[str(number)] = time.perf_counter()
            await client.append(session["id"], f"<{number}> The kettle boils, and somebody asks for milk.")
        await _until_delivered(latencies, messages * subscribers)
        cpu, pg = usage.cpu_ms(server.pid) - cpu, usage.cpu_ms(postgres) - pg
    group.disconnect()
    return _fan_out(subscribers, rate, messages, sorted(latencies), cpu, pg)


async def answer(server: RunningPeer, postgres: int) -> Answer:
    """A model's answer in chunks, at the pace of a model, followed by some subscribers."""
    texts: dict[Subscriber, str] = {}
    deltas = [0]

    def on_event(subscriber: Subscriber, frame: bytes) -> None:
        event = json.loads(frame)["payload"]["data"]["sessionEvents"]
        if event["__typename"] == "MessageDelta":
            deltas[0] += 1
            texts[subscriber] = texts[subscriber][: event["offset"]] + event["text"]
        elif "message" in event:
            texts[subscriber] = event["message"]["text"]

    group = Subscribers(server.url, on_event)
    async with httpx2.AsyncClient(timeout=30) as http:
        client = Client(server, "listener", http)
        session = await client.session()
        await group.connect([client.subscription(session)] * FOLLOWERS)
        await asyncio.sleep(SETTLE_SECONDS)
        cpu, pg = usage.cpu_ms(server.pid), usage.cpu_ms(postgres)
        await client.stream(session["id"])
        await asyncio.sleep(SETTLE_SECONDS)
        cpu, pg = usage.cpu_ms(server.pid) - cpu, usage.cpu_ms(postgres) - pg
    group.disconnect()
    equal = list(texts.values()) == [CHUNK * CHUNKS] * FOLLOWERS
    return Answer(FOLLOWERS, CHUNKS, deltas[0] // FOLLOWERS, cpu, pg, equal)


async def _until_delivered(latencies: list[float], expected: int) -> None:
    deadline = time.perf_counter() + LATE_SECONDS
    while len(latencies) < expected and time.perf_counter() < deadline:
        await asyncio.sleep(0.02)


def _fan_out(subscribers: int, rate: float, messages: int, latencies: list[float], cpu: float, pg: float) -> FanOut:
    p50, p99 = (latencies[int(len(latencies) * p)] for p in (0.5, 0.99))
    delivered, expected = len(latencies), messages * subscribers
    return FanOut(subscribers, rate, messages, delivered, expected, cpu / delivered, pg / messages, p50, p99)
