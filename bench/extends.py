"""What an extension with parts costs beside one with as much text: `python -m bench.extends`.

One server program on one core; everything else is on another one. In alternating rounds one message is written in
extensions of about a KiB: text, or the `text-delta` chunks of AI SDK.
"""

import asyncio
import json
import os
from statistics import median
from typing import Annotated, Any

import httpx2
import typer

from app.db.operations.embedded import embedded_postgres
from bench import servers
from bench.live.measures import EXTEND, FINISH, START, Client
from bench.servers import PEERS, RunningPeer
from harness import usage
from harness.postgres import databases, postmaster

WORK_DIRECTORY = servers.ROOT / ".bench"
WORD = "as a model sends it, word"
KIB_OF_PARTS = [{"type": "text-delta", "id": "0", "delta": WORD}] * 15
KIB_OF_TEXT = "".join(json.dumps(part, separators=(",", ":")) for part in KIB_OF_PARTS)
EXTENSIONS = 400
Cost = tuple[float, float]
"""Of the server and of PostgreSQL, in milliseconds an extension."""


def main(rounds: Annotated[int, typer.Option(min=1)] = 5) -> None:
    """Measure both, and print the medians and their ratio."""
    server_core, other_core = sorted(os.sched_getaffinity(0))[:2]
    usage.pin_this_process(other_core)
    WORK_DIRECTORY.mkdir(exist_ok=True)
    with embedded_postgres(WORK_DIRECTORY) as postgres:
        process = postmaster(WORK_DIRECTORY)
        usage.pin(process, other_core)
        found = asyncio.run(_on_a_new_database(postgres, process, server_core, rounds))
    text, parts = ((median(cpu for cpu, _ in costs), median(pg for _, pg in costs)) for costs in found)
    print(f"text  {text[0]:.3f} + {text[1]:.3f} ms an extension of {len(KIB_OF_TEXT)} bytes, server + PostgreSQL")
    print(f"parts {parts[0]:.3f} + {parts[1]:.3f} ms")
    print(f"parts cost {parts[0] / text[0]:.2f} times the server's CPU, {sum(parts) / sum(text):.2f} times together")


async def _on_a_new_database(postgres: str, process: int, core: int, rounds: int) -> tuple[list[Cost], list[Cost]]:
    async with databases(postgres) as new:
        with servers.running(PEERS["colloquy"], await new(), core, WORK_DIRECTORY) as server:
            return await _measure(server, process, rounds)


async def _measure(server: RunningPeer, postgres: int, rounds: int) -> tuple[list[Cost], list[Cost]]:
    text, parts = [], []
    async with httpx2.AsyncClient(timeout=30) as http:
        client = Client(server, "writer", http)
        session = (await client.session())["id"]
        for number in range(rounds + 1):
            costs = [await _text(client, session, server, postgres), await _parts(client, session, server, postgres)]
            if number:  # the first round fills caches
                text.append(costs[0])
                parts.append(costs[1])
    return text, parts


async def _text(client: Client, session: str, server: RunningPeer, postgres: int) -> Cost:
    fields = [{"offset": number * len(KIB_OF_TEXT), "text": KIB_OF_TEXT} for number in range(EXTENSIONS)]
    return await _written(client, {"sessionId": session}, fields, server, postgres)


async def _parts(client: Client, session: str, server: RunningPeer, postgres: int) -> Cost:
    fields = [{"offset": number * len(KIB_OF_PARTS), "parts": KIB_OF_PARTS} for number in range(EXTENSIONS)]
    kind = {"sessionId": session, "stream": "PARTS", "partsFormat": "AI_SDK"}
    return await _written(client, kind, fields, server, postgres)


async def _written(
    client: Client, start: dict[str, Any], fields: list[dict[str, Any]], server: RunningPeer, postgres: int
) -> Cost:
    started = await client.mutate(START, **start)
    message = {"id": started["message"]["id"], "fence": started["fence"]}
    cpu, pg = usage.cpu_ms(server.pid), usage.cpu_ms(postgres)
    for each in fields:
        await client.mutate(EXTEND, **message, **each)
    spent = (usage.cpu_ms(server.pid) - cpu) / len(fields), (usage.cpu_ms(postgres) - pg) / len(fields)
    await client.mutate(FINISH, **message)
    return spent


if __name__ == "__main__":
    typer.run(main)
