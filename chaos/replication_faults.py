"""Faults of a PostgreSQL with standbys: of the primary, and of the standbys that are read."""

import asyncio
import time

from chaos.context import Context
from chaos.readers import ViewerReader
from harness.replication import Node, Replication

LAGS = 30, 500  # milliseconds: the first one is waited for, the second one is not
READ_SECONDS = 20


async def fail_over(context: Context) -> float:
    """Every second time the primary is read-only first, as in a planned change; otherwise it is killed first."""
    group = await _whole_group(context)
    return await _promote(context, group, planned=context.counts.faults % 2 == 0)


async def break_standbys(context: Context) -> float:
    """In turn: a standby is killed, one lags, one is promoted beside the read-only primary, or after it was killed."""
    group = await _whole_group(context)
    await _until_standbys_are_read(context)
    match context.counts.faults % 4:
        case 0:
            return await _kill_standby(context, group)
        case 1:
            return await _let_lag(context, context.random.choice(group.standbys))
        case turn:
            return await _promote(context, group, planned=turn == 2)


async def _whole_group(context: Context) -> Replication:
    """The server that was killed last comes back as a standby."""
    group = context.replication
    assert group
    if killed := context.state.pop("killed", None):
        await asyncio.to_thread(group.rebuild, killed)
        await group.caught_up()
    return group


async def _promote(context: Context, group: Replication, *, planned: bool) -> float:
    for reader in context.load.readers:
        if isinstance(reader, ViewerReader):
            reader.permitted_resets += 1  # another timeline counts other transactions
    old = group.primary
    if planned:
        await old.demote()
        await group.fail_over()
        old.kill()
    else:
        old.kill()
        await group.fail_over()
    context.state["killed"] = old
    return group.promoted


async def _kill_standby(context: Context, group: Replication) -> float:
    began = time.monotonic()
    context.state["killed"] = killed = context.random.choice(group.standbys)
    killed.kill()
    await context.load.wait_for_acts()
    return _nothing_failed(context, began)


async def _let_lag(context: Context, standby: Node) -> float:
    began = time.monotonic()
    for milliseconds in LAGS:
        delay = f"alter system set recovery_min_apply_delay = '{milliseconds}ms'"
        await standby.execute(delay, "select pg_reload_conf()")
        await context.load.wait_for_acts()
    await standby.execute("alter system reset recovery_min_apply_delay", "select pg_reload_conf()")
    return _nothing_failed(context, began)


def _nothing_failed(context: Context, began: float) -> float:
    """Clients notice nothing of a standby that is lost or late."""
    now = time.monotonic()
    context.counts.find("failed without a standby", [failure.reason for failure in context.load.failed_since(began)])
    return now


async def _until_standbys_are_read(context: Context) -> None:
    """Returns once each server has read on a standby again: otherwise the fault would break nothing."""
    began = time.monotonic()
    for server in context.servers:
        before = await server.count('colloquy_standby_reads_total{outcome="standby"}')
        while await server.count('colloquy_standby_reads_total{outcome="standby"}') <= before:
            if time.monotonic() > began + READ_SECONDS:
                context.counts.findings.append(f"{server.name} reads on no standby")
                return
            await asyncio.sleep(0.1)
