"""What an append writes ahead: bytes of WAL by table and index: `python -m bench.wal [APPENDS]`.

Appends run one after another, over all sessions in turn, on an embedded PostgreSQL. Bytes are those of the records
without full page images: how many images there are depends on checkpoints, not on the append.
"""

import asyncio
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from itertools import cycle, islice
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

import asyncpg

from app.auth import Viewer
from app.db import append
from app.db.access.database import Database
from app.db.operations import migrate
from app.db.operations.binaries import Binaries
from app.settings import Settings
from harness import postgres
from harness.generated_data import Owners, fill
from harness.server_settings import settings_for

APPENDS = 5_000
OWNERS = Owners("owner", 100, sessions=20, messages=10)
VOCABULARY = [first + second for first in ("ka", "me", "to", "ri", "su", "no") for second in ascii_lowercase]
WORDS = 32  # of a message: some 130 characters, and 29 lexemes
RECORD = re.compile(r"rmgr: (\S+) +len \(rec/tot\): +(\d+)/.*?desc: (?:.*?blkref #0: rel \d+/\d+/(\d+))?")
RELATIONS = "select relfilenode::text, relname from pg_class where relfilenode <> 0"
SESSIONS = """
select owner_id, id::text from sessions
where status in ('PENDING', 'ACTIVE') and archived_at is null and deleted_at is null and expires_at is null order by id
"""
POSITION = "select pg_current_wal_flush_lsn()::text"
HOT = "select n_tup_hot_upd from pg_stat_user_tables where relname = 'sessions'"

Append = Callable[[int, Viewer, str], Coroutine[Any, Any, Any]]
"""Appends message number n to a session of the viewer."""


def draft(number: int, key: str | None = None) -> dict[str, Any]:
    """The columns of a message."""
    text = " ".join(Random(number).choices(VOCABULARY, k=WORDS))
    return dict.fromkeys(append.DRAFT_TYPES) | {"key": key, "role": "USER", "text": text, "metadata": "{}"}


def ways(db: Database, settings: Settings) -> dict[str, Append]:
    """How a message may be appended."""
    words = settings.indexing
    return {
        "plain": lambda n, viewer, session: append.append(db, viewer, session, draft(n), None, words),
        "with a message key": lambda n, viewer, session: append.append(
            db, viewer, session, draft(n, f"message-{n}"), None, words
        ),
        "with an idempotency key": lambda n, viewer, session: append.append_idempotent(
            db, viewer, session, draft(n), None, words, (f"request-{n}", bytes(32))
        ),
    }


async def measure(server: postgres.PostgresServer, appends: int) -> None:
    """Prints a table for each way to append."""
    await asyncio.to_thread(migrate.upgrade, server.url)
    settings = settings_for(server.url)
    db = Database(server.url, **settings.database_options)
    numbers = iter(range(sys.maxsize))
    async with postgres.connected(server.url) as connection:
        await fill(connection, [OWNERS])
        await connection.execute("vacuum analyze")
        sessions = [tuple(row) for row in await connection.fetch(SESSIONS)]
        for name, way in ways(db, settings).items():
            await _append(way, islice(numbers, appends // 5), sessions)
            start = await connection.fetchval(POSITION)
            await _append(way, islice(numbers, appends), sessions)
            end = await connection.fetchval(POSITION)
            _show(name, await _written(connection, server.root, start, end), appends)
        hot = await connection.fetchval(HOT)
    print(f"\nHOT updates of sessions: {hot}")
    await db.close()


async def _append(way: Append, numbers: Iterator[int], sessions: list[tuple[str, str]]) -> None:
    for number, (owner, session) in zip(numbers, cycle(sessions), strict=False):
        if not await way(number, Viewer(owner, frozenset(), (), 0.0), session):
            raise RuntimeError(f"session {session} takes no message")


async def _written(connection: asyncpg.Connection, root: Path, start: str, end: str) -> Counter[str]:
    """Bytes by relation, or by kind of record for those of none."""
    names = dict(await connection.fetch(RELATIONS))
    directory = (root / "elsewhere" if (root / "elsewhere").exists() else root) / "data/pg_wal"
    command: list[str | Path] = [
        Binaries(root).path / "bin/pg_waldump",
        "--path",
        directory,
        "--start",
        start,
        "--end",
        end,
    ]
    written = Counter[str]()
    for manager, size, relation in RECORD.findall(await asyncio.to_thread(_output, command)):
        written[names.get(relation, manager)] += int(size)
    return written


def _output(command: list[str | Path]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _show(name: str, written: Counter[str], appends: int) -> None:
    print(f"\n{name}: {written.total() / appends:.0f} bytes an append")
    for relation, size in written.most_common():
        if size >= appends:
            print(f"  {relation:24} {size / appends:6.0f}", flush=True)


if __name__ == "__main__":
    with postgres.own_server() as own:
        asyncio.run(measure(own, int(sys.argv[1]) if sys.argv[1:] else APPENDS))
