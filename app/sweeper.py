"""The sweeper: fails abandoned streams, expires and erases sessions, removes old keys.

One replica at a time works, in small batches, without a lock that a request would wait for.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.db.access.database import Database
from app.db.operations import sweep
from app.db.operations.sweep import Owner, Retention, Step
from app.settings import Settings
from app.structured_log import get_logger

log = get_logger("colloquy.sweeper")
BATCH_SIZE = 100
MAX_DUE = 100_000
PAUSE_SECONDS = 60.0

OnBatch = Callable[[str, int], None]
"""Receives the name of a step, and how many things one of its batches changed."""


def retention(settings: Settings) -> Retention:
    """From the days and seconds in the settings."""
    return Retention(
        idle=timedelta(days=settings.session_retention_days),
        deleted=timedelta(days=settings.session_purge_days) if settings.session_purge_days else None,
        keys=timedelta(seconds=settings.idempotency_ttl_seconds),
        silent=timedelta(seconds=settings.stream_timeout_seconds),
        indexing=settings.indexing,
    )


async def sweep_once(
    db: Database, limits: Retention, on_batch: OnBatch = lambda _step, _count: None
) -> dict[str, int] | None:
    """Runs all steps; returns how many things each changed, or None while another replica sweeps."""
    async with sweep.exclusive(db) as locked:
        if not locked:
            return None
        return {step.name: await _run_step(db, step, age, on_batch) for step, age in limits.steps()}


async def due(db: Database, limits: Retention) -> dict[str, int]:
    """How many things each step would change, counted up to MAX_DUE."""
    now = datetime.now(UTC)
    return {
        step.name: len(await db.fetch_across(step.due, before=now - age, limit=MAX_DUE)) for step, age in limits.steps()
    }


async def run(db: Database, limits: Retention, on_batch: OnBatch) -> None:
    """Sweeps after every pause, until it is cancelled. Logs a failure, and tries again after the next pause."""
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        try:
            await sweep_once(db, limits, on_batch)
        except Exception:
            log.exception("sweep.failed")


async def _run_step(db: Database, step: Step, age: timedelta, on_batch: OnBatch) -> int:
    """Batch by batch; a batch that changed nothing ends the step until the next sweep."""
    total, before = 0, datetime.now(UTC) - age
    while True:
        batch = await db.fetch_across(step.due, before=before, limit=BATCH_SIZE)
        count = 0
        for row in batch:
            async with db.begin(Owner(row.owner_id)) as tx:
                count += await step.act(tx, row.key, before)
        on_batch(step.name, count)
        total += count
        if len(batch) < BATCH_SIZE or not count:
            return total
