"""How things break. Each fault returns the moment from which all is whole again, on the clock of `time.monotonic`."""

import asyncio
import time

from chaos.arena import Arena
from chaos.places import LISTENING


async def kill_server(arena: Arena) -> float:
    server = arena.random.choice(arena.servers)
    server.kill()
    server.start()
    return server.started


async def stop_server(arena: Arena) -> float:
    server = arena.random.choice(arena.servers)
    code, seconds = await server.stops()
    arena.counts.notes.append(f"stopped in {seconds:.1f} s")
    if code != 0:
        arena.counts.findings.append(f"SIGTERM: the server ended with {code} after {seconds:.1f} s")
    server.start()
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
    await asyncio.sleep(arena.random.uniform(0.2, 2))
    arena.redis.start()
    await arena.redis.ready()
    return time.monotonic()


async def freeze_redis(arena: Arena) -> float:
    assert arena.redis
    arena.redis.freeze()
    await asyncio.sleep(2 if arena.quick else 20)
    arena.redis.thaw()
    return time.monotonic()


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
