"""The sweeper: fails abandoned streams, expires and erases sessions, removes old keys.

One replica at a time works, in small batches, without a lock that a request would wait for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

from app.db.access.database import Database
from app.db.access.statement import AcrossOwners
from app.db.operations import sweep
from app.db.operations.sweep import Due, Owner, Position, Retention, Step
from app.errors import Unavailable
from app.settings import Settings
from app.structured_log import get_logger

log = get_logger("colloquy.sweeper")
BATCH_SIZE = 1_000
MAX_DUE = 100_000
PAUSE_SECONDS = 60.0
IDLE_LOOK = timedelta(hours=1)

OnBatch = Callable[[str, int, int], None]
"""Receives the name of a step, and how many things one of its batches changed and failed to change."""


def retention(settings: Settings) -> Retention:
    """From the days and seconds in the settings."""
    return Retention(
        idle=timedelta(days=settings.session_retention_days),
        deleted=timedelta(days=settings.session_purge_days) if settings.session_purge_days else None,
        records=timedelta(days=settings.tombstone_days),
        keys=timedelta(seconds=settings.idempotency_ttl_seconds),
        silent=timedelta(seconds=settings.stream_timeout_seconds),
        indexing=settings.indexing,
    )


class IdleLooks:
    """When the sweeper looks for idle sessions: a look reads the row of every session.

    No index has the last activity of all owners, since each append would pay for its entry. The session that is idle
    for the longest time is due first, and until then nothing is. Only a restored session may be due before it: it waits
    for the next look, an hour at most.
    """

    def __init__(self) -> None:
        self._next = sweep.START.at

    async def finds_nothing(self, db: Database, before: datetime) -> bool:
        """True if no session is idle since a time; without a look, if an earlier look has the answer."""
        now = datetime.now(UTC)
        if now < self._next:
            return True
        oldest = await sweep.due_after(db, sweep.IDLE, sweep.START, now, 1)
        due = [now - before + row.at for row in oldest]
        self._next = min([now + IDLE_LOOK, *due])
        return now < self._next


async def sweep_once(
    db: Database,
    limits: Retention,
    on_batch: OnBatch = lambda _step, _changed, _failed: None,
    looks: IdleLooks | None = None,
) -> dict[str, int] | None:
    """Runs all steps; returns how many things each changed, or None while another replica sweeps.

    A failure is logged, counted and passed over: the next things and the next steps still have their turn. `looks`:
    of the sweeps before this one.
    """
    looks = looks or IdleLooks()
    async with sweep.exclusive(db) as locked:
        if not locked:
            return None
        return {step.name: await _run_step(db, step, age, on_batch, looks) for step, age in limits.steps()}


async def due(db: Database, limits: Retention) -> dict[str, int]:
    """How many things each step would change, counted up to MAX_DUE."""
    counts = {}
    for step, age in limits.steps():
        before = datetime.now(UTC) - age
        found: set[tuple[str, str]] = set()
        for query in step.due:
            found.update(_keys(await sweep.due_after(db, query, sweep.START, before, MAX_DUE)))
        counts[step.name] = min(len(found), MAX_DUE)
    return counts


async def run(db: Database, limits: Retention, on_batch: OnBatch) -> None:
    """Sweeps after every pause, until it is cancelled. Logs a failure, and tries again after the next pause."""
    looks = IdleLooks()
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        try:
            await sweep_once(db, limits, on_batch, looks)
        except Exception:
            log.exception("sweep.failed")


async def _run_step(db: Database, step: Step, age: timedelta, on_batch: OnBatch, looks: IdleLooks) -> int:
    """All batches of all queries of a step; returns how many things it changed."""
    total, before = 0, datetime.now(UTC) - age
    for query in step.due:
        try:
            if query is sweep.IDLE and await looks.finds_nothing(db, before):
                continue
            async for batch in _batches(db, query, before):
                changed, failed = await _change(db, step, batch, before)
                on_batch(step.name, changed, failed)
                total += changed
        except Exception:
            log.exception("sweep.step_failed", step=step.name, query=query.name)
            on_batch(step.name, 0, 1)
    return total


async def _batches(db: Database, query: AcrossOwners[Due], before: datetime) -> AsyncIterator[list[Due]]:
    """What is due, each batch from behind the last thing of the batch before."""
    position: Due | Position = sweep.START
    while batch := await sweep.due_after(db, query, position, before, BATCH_SIZE):
        yield batch
        if len(batch) < BATCH_SIZE:
            return
        position = batch[-1]


async def _change(db: Database, step: Step, batch: Sequence[Due], before: datetime) -> tuple[int, int]:
    """How many things of a batch were changed, and how many raised. Raises when the database does not respond."""
    changed = failed = 0
    for owner, key in _keys(batch):
        try:
            async with db.begin(Owner(owner)) as tx:
                changed += await step.act(tx, key, before)
        except Exception as error:
            if isinstance(error, Unavailable):
                raise
            failed += 1
            if failed == 1:  # one line a batch: whatever keeps one thing from changing may keep all of them
                log.exception("sweep.change_failed", step=step.name, key=key)
    return changed, failed


def _keys(batch: Sequence[Due]) -> dict[tuple[str, str], None]:
    """Owner and key of each thing, once: a session may have several messages or streams that are due."""
    return dict.fromkeys((row.owner_id, row.key) for row in batch)
