"""How things break. Each fault returns the moment from which all is whole again, on the clock of `time.monotonic`."""

import asyncio
import time

from chaos.arena import Arena
from chaos.places import LISTENING, SHUTDOWN_SECONDS, Server


async def kill_server(arena: Arena) -> float:
    server = arena.random.choice(arena.servers)
    server.kill()
    return await _started(arena, server)


async def stop_server(arena: Arena) -> float:
    server = arena.random.choice(arena.servers)
    code, seconds = await server.stops()
    arena.counts.note("seconds from SIGTERM to the end", seconds)
    if code != 0 or seconds > SHUTDOWN_SECONDS + 1:
        arena.counts.findings.append(f"SIGTERM: the server ended with {code} after {seconds:.1f} s")
    return await _started(arena, server)


async def _started(arena: Arena, server: Server) -> float:
    server.start()
    arena.counts.note("seconds of it until the started program listened", await server.listens())
    return server.started


async def kill_postgres(arena: Arena) -> float:
    arena.postgres.kill()
    await arena.postgres.restart()
    return time.monotonic()


async def cut_database(arena: Arena) -> float:
    await asyncio.sleep(2)
    await arena.postgres.cut(arena.database)
    return time.monotonic()


async def cut_listener(arena: Arena) -> float:
    cut = await arena.postgres.cut(arena.database, LISTENING)
    if cut != len(arena.servers):
        arena.counts.findings.append(f"{cut} listening connections of {len(arena.servers)} servers")
    return time.monotonic()


async def kill_redis(arena: Arena) -> float:
    assert arena.redis
    arena.redis.kill()
    await _without_redis(arena, arena.random.uniform(0.2, 2))
    arena.redis.start()
    await arena.redis.ready()
    return time.monotonic()


async def freeze_redis(arena: Arena) -> float:
    """Every third time for 20 s, and as long as it takes to be noticed otherwise."""
    assert arena.redis
    arena.redis.freeze()
    await _without_redis(arena, 20 if arena.counts.faults % 3 == 0 and not arena.quick else 5)
    arena.redis.thaw()
    return time.monotonic()


async def _without_redis(arena: Arena, seconds: float) -> None:
    """Whatever is written is stored at once, and heard when the other replica looks for itself."""
    until = time.monotonic() + seconds
    while (asked := time.monotonic()) < until:
        await arena.probe.heard()
        arena.counts.note("seconds until a write was heard without Redis", time.monotonic() - asked)
        await asyncio.sleep(0.1)


async def cut_clients(arena: Arena) -> float:
    await asyncio.sleep(arena.random.uniform(0.5, 2))
    for reader in arena.load.readers:
        reader.cut()
    return time.monotonic()


async def hop(arena: Arena) -> float:
    """Everybody goes to the other replica: readers are cut, writers turn with their next request."""
    await asyncio.sleep(arena.random.uniform(0.2, 1))
    for owner in arena.load.owners:
        owner.hop()
    for reader in arena.load.readers:
        reader.cut()
    return time.monotonic()
