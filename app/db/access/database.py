"""The one door to the database: SQLAlchemy's statements and pool, PostgreSQL's driver, the viewer's rows.

A statement is written in SQLAlchemy Core, refused at import if a table in it is not bound to `:owner` (see
`ownership`), compiled once, and fetched on the driver connection that the engine's pool holds. The owner is
always the subject of a viewer; nobody else supplies one. `across_owners` is the second door, for sweeper and
command line: it only reads.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from operator import itemgetter
from time import monotonic
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from weakref import WeakValueDictionary

import asyncpg
from sqlalchemy import Text, bindparam
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from app.db.access import failures, ownership
from app.db.access.pool import Pool, hang_up_if_useless
from app.db.tables.columns import shown
from app.errors import BadInput

OWNER = bindparam("owner", type_=Text())
DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]


class Row(asyncpg.Record):
    """A driver's record. What a subclass annotates is read by name: `class Head(Row): revision: int`."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        for column in vars(cls).get("__annotations__", ()):
            setattr(cls, column, property(itemgetter(column)))


R = TypeVar("R", bound=Row)


class Query(Generic[R]):
    """A Core element, its SQL text, and the order of its arguments. Compiled when it is first used."""

    custom_plan = False
    """Whether it is planned each time for its values; all others are planned once, for any."""

    def __init__(self, element: Any, row: type[R], where: str) -> None:
        self.element, self.row, self.where = element, row, where

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.where}>"

    @cached_property
    def sql(self) -> str:
        return str(self._compiled.string)

    @cached_property
    def reads(self) -> bool:
        return not ownership.writes(self.element)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Its parameters in the order of `$1, $2, ...`"""
        return tuple(self._compiled.positiontup)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Name and SQLAlchemy type of every value that the caller supplies."""
        binds = self._compiled.binds
        return {name: binds[name].type for name in self.names if binds[name].required and name != "owner"}

    @cached_property
    def fixed(self) -> dict[str, Any]:
        """The values that the element itself carries, by name."""
        binds = self._compiled.binds
        return {name: binds[name].value for name in self.names if not binds[name].required}

    @cached_property
    def _free(self) -> frozenset[str]:
        return frozenset(self.parameters)

    @cached_property
    def _in_order(self) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
        if len(self.names) > 1:
            return itemgetter(*self.names)
        return lambda slots: tuple(slots[name] for name in self.names)

    @cached_property
    def _compiled(self) -> Any:
        compiled = self.element.compile(dialect=DIALECT)
        if compiled.insert_prefetch or compiled.update_prefetch:
            raise ownership.NotOwned("defaults made in Python are not supported: bind them")
        return compiled

    def _arguments(self, values: dict[str, Any], owner: str | None) -> tuple[Any, ...]:
        if values.keys() != self._free:
            wrong = ", ".join(sorted(values.keys() ^ self._free))
            raise TypeError(f"{self.where} takes {', '.join(self.parameters) or 'nothing'}; see to: {wrong}")
        return self._in_order({**self.fixed, **values, "owner": owner})


class Statement(Query[R]):
    """A query in which every table is bound to one owner. `light` is the same with fewer columns, or itself."""

    def __init__(self, element: Any, row: type[R], where: str) -> None:
        super().__init__(element, row, where)
        self.partial = self

    def bind(self, owner: str, /, **values: Any) -> tuple[Any, ...]:
        """The arguments in the order of `sql`. Raises TypeError when a value is missing or too many."""
        return self._arguments(values, owner)


class AcrossOwners(Query[R]):
    """A query that reads rows of all owners."""

    custom_plan = True

    def bind(self, /, **values: Any) -> tuple[Any, ...]:
        """As `Statement.bind`, without an owner."""
        return self._arguments(values, None)


REGISTERED: list[Statement[Any]] = []
REGISTERED_ACROSS: list[AcrossOwners[Any]] = []


def statement(
    element: Any,
    row: type[R] = Row,  # type: ignore[assignment]
    partial: Collection[str] = (),
    *,
    custom_plan: bool = False,
) -> Statement[R]:
    """The element, found bound to `:owner`; its rows come as `row`, light ones with these columns. Raises NotOwned.

    `anew` is for filters that may be given or not, which no one plan suits.
    """
    where = _where()
    made = _registered(element, row, where, custom_plan)
    if partial:
        columns = [shown(column) for column in element.selected_columns if column.key in partial]
        made.partial = _registered(element.with_only_columns(*columns), row, f"{where} partial", custom_plan)
    return made


def _registered(element: Any, row: type[R], where: str, custom_plan: bool) -> Statement[R]:
    ownership.check(element)
    made = Statement(element, row, where)
    made.custom_plan = custom_plan
    REGISTERED.append(made)
    return made


def across_owners(element: Any, row: type[R] = Row) -> AcrossOwners[R]:  # type: ignore[assignment]
    """The second door: the element, found to read only. Raises NotOwned."""
    ownership.check_read(element)
    made = AcrossOwners(element, row, _where())
    REGISTERED_ACROSS.append(made)
    return made


def _where() -> str:
    """The module and line that build a statement: its name in errors and tests."""
    frame = sys._getframe(2)
    return f"{frame.f_globals['__name__']}:{frame.f_lineno}"


class Viewer(Protocol):
    """Whoever a request acts for."""

    @property
    def subject(self) -> str: ...


class Change(NamedTuple):
    """A session (`""`: what lies in none) has moved on to this revision; None: only the text of a stream has grown."""

    session_id: str
    revision: int | None


OnCommit = Callable[[str, Sequence[Change]], None]


class Origin(NamedTuple):
    """Who is behind a transaction, for the audit: the token's subject and role, and the request's trace."""

    actor: str
    role: str | None = None
    trace_id: str | None = None


SYSTEM = Origin("system")


class Tx:
    """A transaction of one owner. An error ends it: nothing that was written in it is kept."""

    def __init__(self, owner: str, origin: Origin, driver: Any) -> None:
        self.owner, self.origin = owner, origin
        self.changes: list[Change] = []
        self._driver = driver

    async def fetch(self, statement: Statement[R], /, **values: Any) -> list[R]:
        arguments = statement.bind(self.owner, **values)
        rows: list[R] = await self._driver.fetch(statement.sql, *arguments, record_class=statement.row)
        return rows

    async def one(self, statement: Statement[R], /, **values: Any) -> R | None:
        """The first row, or None."""
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None

    def record_change(self, session_id: str, revision: int) -> None:
        """To be told after the commit, and never if it does not come to that."""
        self.changes.append(Change(session_id, revision))


class Database:
    """The engine's pool, and statements run on it for a viewer.

    `statement_timeout` and `patience` (the longest wait for a connection) are seconds.
    `statement_cache=False` is for PgBouncer in transaction mode: nothing is prepared by name, and every
    statement has its own BEGIN, since PgBouncer may change the server between Parse and Bind and refuses
    `lock_timeout` and the like when a connection starts.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        statement_cache: bool = True,
        statement_timeout: float = 15,
        acquire_timeout: float = 10,
        on_commit: OnCommit | None = None,
    ) -> None:
        limits = {
            "lock_timeout": "5s",
            "statement_timeout": f"{round(statement_timeout * 1000)}ms",
            "idle_in_transaction_session_timeout": "30s",
        }
        self.on_commit = on_commit
        self.pool = Pool(
            url,
            size=pool_size,
            acquire_timeout=acquire_timeout,
            statement_cache=statement_cache,
            settings={**limits, "plan_cache_mode": "force_generic_plan"} if statement_cache else {},
        )
        self._begin = "BEGIN" if statement_cache else _begin_with(limits)
        self._begin_custom_plan = (
            _begin_with({"plan_cache_mode": "force_custom_plan"}) if statement_cache else self._begin
        )
        self._statement_cache = statement_cache
        self._gates: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def fetch(self, viewer: Viewer, statement: Statement[R], /, **values: Any) -> list[R]:
        """All rows, in a transaction of its own. A read that loses its connection is tried once more."""
        return await self._run(statement, statement.bind(viewer.subject, **values))

    async def one(self, viewer: Viewer, statement: Statement[R], /, **values: Any) -> R | None:
        """The first row, or None; otherwise as `fetch`."""
        rows = await self._run(statement, statement.bind(viewer.subject, **values))
        return rows[0] if rows else None

    async def fetch_across(self, query: AcrossOwners[R], /, **values: Any) -> list[R]:
        """All rows, whoever owns them: for sweeper and command line only."""
        return await self._run(query, query.bind(**values))

    @asynccontextmanager
    async def begin(self, viewer: Viewer, origin: Origin = SYSTEM) -> AsyncIterator[Tx]:
        """A transaction: committed at the end of the block, rolled back if the block raises."""
        async with self._transaction() as driver:
            tx = Tx(viewer.subject, origin, driver)
            yield tx
        if tx.changes and self.on_commit:
            self.on_commit(tx.owner, tx.changes)

    def record_change(self, viewer: Viewer, session_id: str, revision: int) -> None:
        """For a writing `one`: it has just committed this."""
        if self.on_commit:
            self.on_commit(viewer.subject, [Change(session_id, revision)])

    def record_text_growth(self, viewer: Viewer, session_id: str) -> None:
        """For a writing `one`: it has just added text to a stream in this session."""
        if self.on_commit:
            self.on_commit(viewer.subject, [Change(session_id, None)])

    def session_queue(self, viewer: Viewer, session_id: str) -> asyncio.Lock:
        """Writers of one session queue here, first come first served, before they take a connection."""
        return self._gates.setdefault((viewer.subject, session_id), asyncio.Lock())

    async def close(self) -> None:
        """Says goodbye to the server."""
        await self.pool.close()

    async def _run(self, query: Query[R], arguments: tuple[Any, ...]) -> list[R]:
        try:
            return await self._once(query, arguments)
        except Exception as error:
            if failures.unspeakable(error):
                raise BadInput("A text holds U+0000 or half of a surrogate pair: nothing here can.") from None
            if not (query.reads and failures.connection_lost(error)):
                raise
        return await self._once(query, arguments, opened_after=monotonic())

    async def _once(self, query: Query[R], arguments: tuple[Any, ...], opened_after: float = 0) -> list[R]:
        rows: list[R]
        if query.custom_plan or not self._statement_cache:
            async with self._transaction(opened_after, begin=self._begin_custom_plan) as driver:
                rows = await driver.fetch(query.sql, *arguments, record_class=query.row)
            return rows
        held = await self.pool.take(opened_after)
        try:
            rows = await held.driver.fetch(query.sql, *arguments, record_class=query.row)
        except BaseException as error:
            hang_up_if_useless(held, error)
            raise
        finally:
            self.pool.give_back(held)
        return rows

    @asynccontextmanager
    async def _transaction(self, opened_after: float = 0, begin: str = "") -> AsyncIterator[Any]:
        held = await self.pool.take(opened_after)
        driver = held.driver
        try:
            await driver.execute(begin or self._begin)
            try:
                yield driver
            except Exception:
                with suppress(Exception):
                    await driver.execute("ROLLBACK")
                raise
            if await driver.execute("COMMIT") != "COMMIT":
                raise RuntimeError("an error was caught inside the transaction, so nothing of it was kept")
        except BaseException as error:
            hang_up_if_useless(held, error)
            raise
        finally:
            self.pool.give_back(held)


def _begin_with(limits: dict[str, str]) -> str:
    return "; ".join(["BEGIN", *(f"SET LOCAL {name} = '{value}'" for name, value in limits.items())])
