"""What reading documents costs: `python -m bench.formats [ROUNDS]`.

First microseconds for reading each sample into text, blocks and usage, and what that makes of an append: the CPU of a
server for an append in one of the formats of the first version, with the reading of that one replaced by the reading of
the sample. Differences of a few microseconds are lost in the noise of whole appends. Then milliseconds for adversarial
documents of 1 MiB.
"""

import asyncio
import gc
import json
import sys
import tempfile
import time
import timeit
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import httpx2

from app.db.operations import migrate
from app.documents.reader import read
from bench.adversarial import ADVERSARIAL
from harness.postgres import own_server
from harness.server_process import ServerProcess
from harness.usage import cpu_ms

OLD = ("anthropic", "openai_chat", "openai_responses", "strands")
SAMPLES = {
    path.stem: [(each["role"], json.dumps(each["document"])) for each in json.loads(path.read_text())["messages"]]
    for path in sorted(Path("tests/documents/samples").glob("*.json"))
}
APPENDS = 400
CREATE = "mutation ($input: CreateSessionInput!) { createSession(input: $input) { session { id } } }"
APPEND = "mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { errors { message } } }"


def microseconds(raw: str, rounds: int) -> float:
    """Reading a document and encoding its blocks, in the fastest of many short runs."""
    seconds = timeit.repeat(lambda: read(raw), number=10, repeat=100 * rounds)
    return min(seconds) / 10 * 1e6


def milliseconds(raw: str, rounds: int) -> float:
    fastest = []
    for _ in range(rounds):
        begin = time.process_time()
        read(raw)
        fastest.append(time.process_time() - begin)
    return min(fastest) * 1e3


async def send(server: ServerProcess, token: str, query: str, **input: Any) -> Any:
    body = {"query": query, "variables": {"input": input}}
    answer = await server.http.post(f"{server.url}/graphql", json=body, headers={"authorization": f"Bearer {token}"})
    data = answer.json()["data"]
    assert not data.get("appendMessage", {}).get("errors")
    return data


async def append_milliseconds(server: ServerProcess, name: str) -> float:
    """CPU of the server for one append of the sample's messages in turn."""
    token = server.token(f"bench-{uuid4().hex}")
    session = (await send(server, token, CREATE))["createSession"]["session"]["id"]
    before = cpu_ms(server.pid)
    for index in range(APPENDS):
        role, raw = SAMPLES[name][index % len(SAMPLES[name])]
        await send(server, token, APPEND, sessionId=session, message={"role": role, "raw": raw})
    return (cpu_ms(server.pid) - before) / APPENDS


async def usual_append(url: str, rounds: int) -> float:
    """The median over rounds and the formats of the first version."""
    found = []
    with tempfile.TemporaryDirectory() as directory:
        async with httpx2.AsyncClient(timeout=30) as http:
            server = ServerProcess("serve", url, Path(directory), http)
            try:
                await server.ready()
                await append_milliseconds(server, "strands")  # compiles the operations
                for _ in range(rounds):
                    found += [await append_milliseconds(server, name) for name in OLD]
            finally:
                server.stop()
    return median(found)


def main(rounds: int) -> None:
    with own_server() as postgres:
        migrate.upgrade(postgres.url)
        append = asyncio.run(usual_append(postgres.url, rounds)) * 1e3
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as app/server.py
    reading = {
        name: sum(microseconds(raw, rounds) for _, raw in messages) / len(messages)
        for name, messages in SAMPLES.items()
    }
    usual = sum(reading[name] for name in OLD) / len(OLD)
    print(f"An append of a message of {', '.join(OLD)}: {append:.0f} µs CPU of the server\n")
    print("| sample | bytes of a message | read, µs | append with this reading, × |\n| --- | ---: | ---: | ---: |")
    for name, messages in SAMPLES.items():
        size = sum(len(raw) for _, raw in messages) / len(messages)
        print(f"| {name} | {size:.0f} | {reading[name]:.1f} | {(append + reading[name] - usual) / append:.3f} |")
    print("\n| document of 1 MiB | read, ms CPU |\n| --- | ---: |")
    for name, make in ADVERSARIAL.items():
        print(f"| {name} | {milliseconds(make(), 4 * rounds):.1f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
