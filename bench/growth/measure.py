"""Measures every operation on one data set."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import graphql

from app import sweeper
from app.db.access.database import Database
from app.db.operations import sweep
from bench.growth.client import serving, settings
from bench.growth.ids import Ids
from bench.growth.operations import Operation, reads
from bench.growth.recording import Recorder
from bench.growth.writes import writes
from harness.postgres import connected

SCHEMA = Path(__file__).parents[2] / "schema.graphql"
ENOUGH_SECONDS = 2.0
BEFORE_ALL = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Measured:
    """The median of an operation's milliseconds; and of each of its statements, the buffers."""

    milliseconds: float
    statements: list[tuple[str, int]]

    @property
    def buffers(self) -> int:
        """Of all its statements."""
        return sum(buffers for _, buffers in self.statements)


Key = tuple[str, str, str]
"""An operation's name, its owner, and what it may grow with."""


async def measure(url: str, recorder: Recorder, rounds: int, only: str) -> dict[Key, Measured]:
    """All operations whose names have `only` in them."""
    found = {}
    async with connected(url) as connection:
        ids = await Ids.of(connection)
    operations = [*reads(ids), *writes(ids)]
    refuse_gaps(operations)
    async with serving(url) as client:
        for one in (one for one in operations if only in one.name):
            run = partial(client.run, one.owner, one.document, one.variables, one.idempotency_key)
            found[one.name, one.owner, one.may_grow] = await _measured(run, recorder, rounds)
    db = Database(url, **settings(url).database_options)
    for step, _ in sweeper.retention(settings(url)).steps():
        for query in step.due:
            if only in (name := f"{query.name}, nothing due"):
                look = partial(sweep.due_after, db, query, sweep.START, BEFORE_ALL, sweeper.BATCH_SIZE)
                found[name, "all", ""] = await _measured(look, recorder, rounds)
    await db.close()
    return found


async def _measured(run: Callable[[], Awaitable[Any]], recorder: Recorder, rounds: int) -> Measured:
    """Once to warm up, some rounds by the clock, and one that counts buffers."""
    times: list[float] = []
    while len(times) <= rounds and sum(times) < ENOUGH_SECONDS:
        started = perf_counter()
        await run()
        times.append(perf_counter() - started)
    recorder.statements, recorder.on = [], True
    try:
        await run()
    finally:
        recorder.on = False
    return Measured(1000 * median(times[1:] or times), recorder.statements)


def refuse_gaps(operations: list[Operation]) -> None:
    """Raises AssertionError for a root field of the schema that no operation asks for."""
    schema = graphql.build_schema(SCHEMA.read_text())
    roots = [schema.query_type, schema.mutation_type, schema.subscription_type]
    fields = {name for root in roots if root for name in root.fields}
    requested = {
        selection.name.value  # type: ignore[attr-defined]
        for operation in operations
        for definition in graphql.parse(operation.document).definitions
        if isinstance(definition, graphql.OperationDefinitionNode)
        for selection in definition.selection_set.selections
    }
    assert fields == requested, f"not measured: {', '.join(sorted(fields - requested))}"
