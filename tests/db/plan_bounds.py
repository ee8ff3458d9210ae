"""How the buffers of every statement grow: each runs on generated data, for owners of different sizes.

All owners are in one database, beside a crowd of others, so that one generic plan serves all of them. A statement whose
buffers grow with a dimension that its bound excludes breaks its bound.
"""

from dataclasses import dataclass, replace
from enum import Enum
from itertools import product

import asyncpg

from app.db.access.bounds import Bound
from app.db.access.statement import Query
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
    Bound.FEW_ROWS: set(Dimension) - {D.OTHER_OWNERS, D.CATALOGUE},
    Bound.NEWEST_ROWS: set(Dimension) - {D.OTHER_OWNERS, D.CATALOGUE},
    Bound.EVERYTHING: set(Dimension),
}
FEW, MANY = 30, 2_000
ANALYZED = 30_000  # rows are what ANALYZE samples: of fewer it reads all, so that the plans are the same in every run
BASE = Owners(
    "base", agents=FEW, sessions=FEW, focus=40, tombstones=4, erased=2, archived=2, audit_events=FEW, keys=FEW
)
# Inserted with the larger owners, so that its rows lie on as many pages as theirs: those are compared with it.
COUNTERPART = replace(BASE, name="counterpart")
LARGER = {
    D.SESSIONS: replace(
        BASE, name="sessions", sessions=MANY, messages=2, items_each=3, audit_events=4 * MANY, keys=MANY
    ),
    D.CATALOGUE: replace(BASE, name="catalogue", agents=MANY),
    D.HIDDEN: replace(BASE, name="hidden", tombstones=MANY, erased=MANY, archived=MANY),
    D.SESSION: replace(BASE, name="session", focus=MANY, items=MANY // 10, all_unread=True),
}
LARGE = replace(LARGER[D.SESSIONS], name="large", agents=MANY, focus=MANY, items=MANY // 10)
OTHERS_WITH_MUCH = Owners("others", 8, messages=8, focus=8)
OTHERS_WITH_LITTLE = Owners("others", 25, agents=3, sessions=6, messages=4, focus=4, items=1, audit_events=4, keys=4)


@dataclass(frozen=True)
class Circumstances:
    """What decides between indexes that cost the same by the planner's estimate: nobody shall depend on that.

    Estimates for an owner and for a session are averages over all `others`; `bloated` indexes, the primary keys or all
    others, have twice as many pages as need be, and cost a little more.
    """

    others: Owners
    primary_keys_bloated: bool

    async def fill(self, connection, owners, factor):
        """Inserts the owners and `factor` times the others."""
        await fill(
            connection, [*owners, replace(self.others, name=f"others{factor}", count=factor * self.others.count)]
        )
        for name, is_primary in await connection.fetch(INDEXES):
            if is_primary == self.primary_keys_bloated:
                await connection.execute(f"alter index {name} set (fillfactor = 50)")
                await connection.execute(f"reindex index {name}")
        assert await connection.fetchval("select count(*) from messages") < ANALYZED


INDEXES = """
select indexrelid::regclass::text, indisprimary from pg_index join pg_class on pg_class.oid = indexrelid
where relnamespace = 'public'::regnamespace and relam = (select oid from pg_am where amname = 'btree')
"""
CIRCUMSTANCES = [Circumstances(OTHERS_WITH_MUCH, True), Circumstances(OTHERS_WITH_LITTLE, False)]
RARE, COMMON, LONG_PAGE = Wanted(), Wanted(common=True), Wanted(common=True, page=40)
CANDIDATES = 8


@dataclass(frozen=True)
class Growth:
    """The buffers of a statement before and after a dimension has grown, the second for `owner` and `wanted`."""

    query: Query
    dimension: Dimension
    few: int
    many: int
    owner: str
    wanted: Wanted
    url: str

    @property
    def name(self):
        return self.query.name

    @property
    def exists(self):
        """A B-tree may be a page higher, a few rows may lie on pages of their own, and an update may find no room on
        its page, so that it writes into all indexes; a scan grows by far more.
        """
        return self.many > 2 * self.few + (8 if self.query.reads else 24)

    async def plan(self):
        """Itself, and the plan of the larger measurement."""
        async with StatementRunner.of(self.url) as runner:
            lines = await runner.plan(self.query, self.owner, self.wanted)
        return "\n    ".join([str(self), *lines])

    def __str__(self):
        given = f" by {self.wanted.filter}" if self.wanted.filter else ""
        return f"{self.name}{given}: {self.few} -> {self.many} buffers with {self.dimension.value}"


class Measurements:
    """`growth` of every statement with every dimension; `problems` of statements that could not be measured."""

    def __init__(self, queries):
        self.queries = queries
        self.growth, self.problems = [], {}

    async def measure(self, url, circumstances):
        """Fills the empty database, and measures the statements in it: beside few others, then beside many."""
        connection = await asyncpg.connect(dsn(url))
        try:
            await circumstances.fill(connection, [BASE], 1)
            async with StatementRunner.of(url) as runner:
                few = [await self._beside_few_others(runner, query) for query in self.queries]
            await circumstances.fill(connection, [COUNTERPART, *LARGER.values(), LARGE], 20)
        finally:
            await connection.close()
        async with StatementRunner.of(url) as runner:
            for query, buffers in zip(self.queries, few, strict=True):
                await self._compare(runner, query, buffers)

    async def _beside_few_others(self, runner, query):
        """The buffers for the base, by what is wanted; none for a statement that cannot be measured."""
        candidate = await self._choose_row(runner, query)
        if candidate is None:
            return {}
        each = product(filters(query), (RARE, COMMON))
        cases = [replace(wanted, filter=name, candidate=candidate) for name, wanted in each]
        return {wanted: await runner.buffers(query, BASE.name, wanted) for wanted in cases}

    async def _choose_row(self, runner, query):
        """The index of the first row of the base that the statement finds or changes, for `Wanted.candidate`."""
        await runner.clean(query)
        try:
            for candidate, wanted, name in product(range(CANDIDATES), (RARE, COMMON), filters(query)):
                wanted = replace(wanted, candidate=candidate, filter=name)
                if await self._has_effect(runner, query, wanted):
                    return candidate
            self.problems[query.name] = "no argument had an effect"
        except (NoArgument, asyncpg.exceptions.PostgresError, asyncpg.exceptions.InterfaceError) as error:
            self.problems[query.name] = f"{type(error).__name__}: {error}"
        return None

    async def _has_effect(self, runner, query, wanted):
        try:
            return await runner.row_count(query, BASE.name, wanted) > 0
        except asyncpg.exceptions.IntegrityConstraintViolationError:
            return False

    async def _compare(self, runner, query, beside_few_others):
        await runner.clean(query)
        for wanted, few in beside_few_others.items():
            await self._note(runner, D.OTHER_OWNERS, few, query, BASE.name, wanted)
            if not wanted.common:
                await self._compare_owners(runner, query, wanted)

    async def _compare_owners(self, runner, query, wanted):
        few = await runner.buffers(query, COUNTERPART.name, wanted)
        for dimension, owners in LARGER.items():
            await self._note(runner, dimension, few, query, owners.name, wanted)
        rare = await runner.buffers(query, LARGE.name, wanted)
        common, long_page = (replace(wanted, common=level.common, page=level.page) for level in (COMMON, LONG_PAGE))
        many = await self._note(runner, D.MATCHES, rare, query, LARGE.name, common)
        await self._note(runner, D.PAGE, many, query, LARGE.name, long_page)

    async def _note(self, runner, dimension, few, query, owner, wanted):
        many = await runner.buffers(query, owner, wanted)
        self.growth.append(Growth(query, dimension, few, many, owner, wanted, runner.url))
        return many
