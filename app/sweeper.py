"""Abandoned streams, expiry, retention, old keys: in small batches, by one replica, without a lock that users feel."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.db.access.database import Database
from app.db.operations import sweep
from app.db.operations.sweep import Ages, Owner, Step
from app.settings import Settings
from app.structured_log import get_logger

log = get_logger("colloquy.sweeper")
BATCH = 100
PAUSE_SECONDS = 60.0

Told = Callable[[str, int], None]


def ages(settings: Settings) -> Ages:
    """From the settings' days and seconds."""
    kept = timedelta(days=settings.session_purge_days) if settings.session_purge_days else None
    return Ages(
        idle=timedelta(days=settings.session_retention_days),
        kept=kept,
        keys=timedelta(seconds=settings.idempotency_ttl_seconds),
        silent=timedelta(seconds=settings.stream_timeout_seconds),
        indexing=settings.indexing,
    )


async def sweep_once(db: Database, limits: Ages, told: Told = lambda _step, _count: None) -> dict[str, int] | None:
    """What was done, by step; None while another replica is at it. `told` hears of each batch."""
    async with sweep.alone(db) as mine:
        if not mine:
            return None
        return {step.name: await _work_off(db, step, age, told) for step, age in limits.steps()}


async def due(db: Database, limits: Ages) -> dict[str, int]:
    """What would be done, by step, counted up to a hundred thousand."""
    now = datetime.now(UTC)
    return {
        step.name: len(await db.fetch_across(step.due, before=now - age, limit=100_000)) for step, age in limits.steps()
    }


async def run(db: Database, limits: Ages, told: Told) -> None:
    """Sweeps until it is cancelled; a failure is logged, and tried again after the pause."""
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        try:
            await sweep_once(db, limits, told)
        except Exception:
            log.exception("sweep.failed")


async def _work_off(db: Database, step: Step, age: timedelta, told: Told) -> int:
    """Batch by batch; a batch in which nothing could be done ends the step until the next sweep."""
    done, before = 0, datetime.now(UTC) - age
    while True:
        batch = await db.fetch_across(step.due, before=before, limit=BATCH)
        count = 0
        for row in batch:
            async with db.begin(Owner(row.owner_id)) as tx:
                count += await step.act(tx, row.key, before)
        told(step.name, count)
        done += count
        if len(batch) < BATCH or not count:
            return done
