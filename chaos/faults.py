"""The faults. Each returns the moment at which everything runs again, on the clock of `time.monotonic`."""

import asyncio
import os
import signal
import time

from chaos.context import Context
from harness.previous_program import PreviousProgram
from harness.server_process import ServerProcess

SHUTDOWN_SECONDS = 5
# A server listens and notifies on one connection: its last statement is one of the two.
LISTENING = "(query ilike 'listen %' or query ilike '%pg_notify%')"


async def kill_server(context: Context) -> float:
    server = context.random.choice(context.servers)
    server.kill()
    return await _start(context, server)


async def kill_worker(context: Context) -> float:
    server = context.random.choice(context.servers)
    workers = server.workers()
    victim = context.random.choice(sorted(workers))
    os.kill(victim, signal.SIGKILL)
    while len(server.workers() - {victim}) < len(workers):
        await asyncio.sleep(0.02)
    return time.monotonic()


async def stop_server(context: Context) -> float:
    server, began = context.random.choice(context.servers), time.monotonic()
    code = await asyncio.to_thread(server.stop)
    seconds = time.monotonic() - began
    context.counts.note("seconds from SIGTERM to the end", seconds)
    if code != 0 or seconds > SHUTDOWN_SECONDS + 1:
        context.counts.findings.append(f"SIGTERM: the server ended with {code} after {seconds:.1f} s")
    return await _start(context, server)


async def _start(context: Context, server: ServerProcess) -> float:
    server.start()
    listening = await asyncio.to_thread(server.wait_until_listening, server.port)
    context.counts.note("seconds of it until the started program listened", listening)
    return server.started


async def kill_postgres(context: Context) -> float:
    context.postgres.kill()
    await context.postgres.restart()
    return time.monotonic()


async def deploy(context: Context) -> float:
    """A load balancer would send nothing to a server that stops: nothing but its connections may fail."""
    if "previous" not in context.state:
        context.state["previous"] = PreviousProgram(context.directory / "previous")
        context.state["today"] = [(server.command, server.environment) for server in context.servers]
    previous: PreviousProgram = context.state["previous"]
    began, number = time.monotonic(), context.counts.faults % len(context.servers)
    server, (command, environment) = context.servers[number], context.state["today"][number]
    await asyncio.to_thread(server.stop)
    if server.command == command:
        server.command, server.environment = [*previous.command, "serve"], environment | previous.environment
    else:
        server.command, server.environment = command, environment
    await _start(context, server)  # the other server serves meanwhile
    refused = [failure.reason for failure in context.load.failed_since(began) if not failure.lost_connection]
    context.counts.find("refused during a deploy", refused)
    return time.monotonic()


async def cut_database(context: Context) -> float:
    await asyncio.sleep(2)
    await context.postgres.end_connections(context.database)
    return time.monotonic()


async def cut_listener(context: Context) -> float:
    await asyncio.gather(*(server.ready() for server in context.servers))  # they listen again since the last cut
    cut = await context.postgres.end_connections(context.database, LISTENING)
    if cut != len(context.servers):
        context.counts.findings.append(f"{cut} listening connections of {len(context.servers)} servers")
    return time.monotonic()


async def kill_redis(context: Context) -> float:
    assert context.redis
    context.redis.kill()
    await _write_without_redis(context, context.random.uniform(0.2, 2))
    context.redis.start()
    await asyncio.to_thread(context.redis.wait_until_listening, context.redis.port)
    return time.monotonic()


async def freeze_redis(context: Context) -> float:
    """Every third time for 20 s; otherwise for as long as the servers need to notice."""
    assert context.redis
    context.redis.freeze()
    await _write_without_redis(context, 20 if context.counts.faults % 3 == 0 and not context.quick else 5)
    context.redis.thaw()
    return time.monotonic()


async def _write_without_redis(context: Context, seconds: float) -> None:
    """A write is acknowledged at once, and delivered when the other replica polls."""
    until = time.monotonic() + seconds
    while (sent := time.monotonic()) < until:
        await context.probe.round_trip()
        context.counts.note("seconds until a write was received without Redis", time.monotonic() - sent)
        await asyncio.sleep(0.1)


async def cut_clients(context: Context) -> float:
    await asyncio.sleep(context.random.uniform(0.5, 2))
    for reader in context.load.readers:
        reader.cut()
    return time.monotonic()


async def switch_replica(context: Context) -> float:
    """Every client goes to the other replica: readers are cut, writers go with their next request."""
    await asyncio.sleep(context.random.uniform(0.2, 1))
    for client in context.load.clients:
        client.switch_replica()
    for reader in context.load.readers:
        reader.cut()
    return time.monotonic()
