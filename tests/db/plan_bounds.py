"""How the buffers of every statement grow: each runs on generated data, for owners of different sizes.

All owners are in one database, beside a crowd of others, so that one generic plan serves all of them. A statement whose
buffers grow with a dimension that its bound excludes breaks its bound.
"""

from dataclasses import dataclass, replace
from enum import Enum
from itertools import product

import asyncpg

from app.db.access.bounds import Bound
from harness.generated_data import Owners, fill
from harness.postgres import dsn
from tests.db.generated_arguments import NoArgument, Wanted, filters
from tests.db.statement_runner import StatementRunner


class Dimension(Enum):
    """What there is 20 to 500 times as much of in the second of two measurements, while all else is equal."""

    OTHER_OWNERS = "rows of other owners"
    SESSIONS = "the owner's sessions, audit events and idempotency keys"
    CATALOGUE = "the owner's agents"
    HIDDEN = "tombstones, erased and archived sessions"
    SESSION = "the messages, tasks and approvals of one session"
    MATCHES = "the rows that fulfil the filters"
    PAGE = "the rows requested"


D = Dimension
ALLOWED = {
    Bound.CONSTANT: set(),
    Bound.PAGE: {D.PAGE},
    Bound.MATCHES: {D.PAGE, D.MATCHES},
    Bound.CATALOGUE: {D.PAGE, D.MATCHES, D.CATALOGUE},
    Bound.SESSION: {D.PAGE, D.MATCHES, D.SESSION, D.HIDDEN},
    Bound.EVERYTHING: set(Dimension),
}
FEW, MANY = 30, 2_000
# All messages together are fewer than the 30,000 rows that ANALYZE samples: the plans are the same in every run.
BASE = Owners(
    "base", agents=FEW, sessions=FEW, focus=40, tombstones=4, erased=2, archived=2, audit_events=FEW, keys=FEW
)
# Inserted with the larger owners, so that its rows lie on as many pages as theirs: those are compared with it.
TWIN = replace(BASE, name="twin")
LARGER = {
    D.SESSIONS: replace(BASE, name="sessions", sessions=MANY, messages=2, audit_events=4 * MANY, keys=MANY),
    D.CATALOGUE: replace(BASE, name="catalogue", agents=MANY),
    D.HIDDEN: replace(BASE, name="hidden", tombstones=MANY, erased=MANY, archived=MANY),
    D.SESSION: replace(BASE, name="session", focus=MANY, items=MANY // 10),
}
LARGE = replace(LARGER[D.SESSIONS], name="large", agents=MANY, focus=MANY, items=MANY // 10)
FEW_OTHERS, MANY_OTHERS = Owners("few", 8, messages=8, focus=8), Owners("many", 150, messages=8, focus=8)
RARE, COMMON, LONG_PAGE = Wanted(), Wanted(common=True), Wanted(common=True, page=40)
CANDIDATES = 8


@dataclass(frozen=True)
class Growth:
    """The buffers of a statement before and after a dimension has grown, the second for `owner` and `wanted`."""

    name: str
    dimension: Dimension
    few: int
    many: int
    owner: str
    wanted: Wanted

    @property
    def exists(self):
        """A B-tree may be a page higher, and a few rows may lie on pages of their own; a scan grows by far more."""
        return self.many > 2 * self.few + 8

    def __str__(self):
        given = f" by {self.wanted.filter}" if self.wanted.filter else ""
        return f"{self.name}{given}: {self.few} -> {self.many} buffers with {self.dimension.value}"


class Measurements:
    """`growth` of every statement with every dimension; `problems` of statements that could not be measured."""

    def __init__(self, url, queries):
        self.url, self.queries = url, {query.name: query for query in queries}
        self.growth, self.problems = [], {}
        self._candidates = {}

    async def measure(self):
        """Fills the empty database, and measures the statements in it: beside few others first, then beside many."""
        connection = await asyncpg.connect(dsn(self.url))
        try:
            await fill(connection, [BASE, FEW_OTHERS])
            async with StatementRunner.of(self.url) as runner:
                for query in self.queries.values():
                    await self._choose_row(runner, query)
                before = {case: await runner.buffers(*case) for case in self._cases(RARE, COMMON)}
            await fill(connection, [TWIN, *LARGER.values(), LARGE, MANY_OTHERS])
        finally:
            await connection.close()
        async with StatementRunner.of(self.url) as runner:
            for case, few in before.items():
                await self._note(runner, D.OTHER_OWNERS, few, *case)
            for query, _, wanted in self._cases(RARE):
                await self._compare(runner, query, wanted)

    async def plan(self, growth):
        """The growth, and the plan of the larger measurement."""
        async with StatementRunner.of(self.url) as runner:
            lines = await runner.plan(self.queries[growth.name], growth.owner, growth.wanted)
        return "\n    ".join([str(growth), *lines])

    async def _choose_row(self, runner, query):
        """The first of the base's rows that the statement finds or changes is the one for its arguments."""
        try:
            for candidate, wanted, name in product(range(CANDIDATES), (RARE, COMMON), filters(query)):
                wanted = replace(wanted, candidate=candidate, filter=name)
                if await self._has_effect(runner, query, wanted):
                    self._candidates[query] = candidate
                    return
            self.problems[query.name] = "no argument had an effect"
        except (NoArgument, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self.problems[query.name] = f"{type(error).__name__}: {error}"

    async def _has_effect(self, runner, query, wanted):
        try:
            return await runner.row_count(query, BASE.name, wanted) > 0
        except asyncpg.IntegrityConstraintViolationError:
            return False

    def _cases(self, *levels):
        for query, candidate in self._candidates.items():
            for name, wanted in product(filters(query), levels):
                yield query, BASE.name, replace(wanted, filter=name, candidate=candidate)

    async def _compare(self, runner, query, wanted):
        few = await runner.buffers(query, TWIN.name, wanted)
        for dimension, owners in LARGER.items():
            await self._note(runner, dimension, few, query, owners.name, wanted)
        rare = await runner.buffers(query, LARGE.name, wanted)
        common, long_page = (replace(wanted, common=level.common, page=level.page) for level in (COMMON, LONG_PAGE))
        many = await self._note(runner, D.MATCHES, rare, query, LARGE.name, common)
        await self._note(runner, D.PAGE, many, query, LARGE.name, long_page)

    async def _note(self, runner, dimension, few, query, owner, wanted):
        many = await runner.buffers(query, owner, wanted)
        self.growth.append(Growth(query.name, dimension, few, many, owner, wanted))
        return many
