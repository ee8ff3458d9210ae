"""The only access to the database: statements run for a viewer, on connections of the pool.

The owner's value comes from the viewer, and from nowhere else. `fetch_across` is the second access, for sweeper and
command line: it only reads. Statements run on the driver's own connection (asyncpg); rows are the driver's records.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any
from weakref import WeakValueDictionary

from app.db.access import failures, row_security
from app.db.access.engine import LOCK_TIMEOUT, NODE_LIMITS, POSTGRESQL, DatabaseEngine
from app.db.access.pool import Pool
from app.db.access.slow_statements import SlowStatements
from app.db.access.statement import AcrossOwners, Query, R, Statement
from app.db.access.transaction import SYSTEM, Change, OnCommit, Origin, Tx, Viewer
from app.errors import BadInput, Unavailable


class Database:
    """The pool, and statements run on it for a viewer.

    `statement_timeout`, `acquire_timeout` (the longest wait for a connection) and `slow_statement` (from which time on
    a statement is logged and counted) are seconds. `statements` makes what runs them, of the last of these seconds.
    `statement_cache` is how many prepared statements a connection keeps. 0 is for PgBouncer in transaction mode:
    nothing is prepared by name, and every statement has its own BEGIN, since PgBouncer may change the server between
    Parse and Bind, and refuses `lock_timeout` and the like as parameters of a new connection.
    Statements run as `role`, if there is one, to which row-level security applies; `fetch_across` runs as the user that
    connects.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        statement_cache: int,
        statement_timeout: float,
        acquire_timeout: float,
        slow_statement: float,
        role: str | None = None,
        on_commit: OnCommit | None = None,
        statements: Callable[[float], SlowStatements] = SlowStatements,
    ) -> None:
        limits = {
            "lock_timeout": LOCK_TIMEOUT,
            "statement_timeout": f"{round(statement_timeout * 1000)}ms",
            "idle_in_transaction_session_timeout": "30s",
            **({"role": role} if role else {}),
        }
        self.role = role
        self.on_commit = on_commit
        self.pool = Pool(
            url,
            size=pool_size,
            acquire_timeout=acquire_timeout,
            statement_cache=statement_cache,
            settings={**limits, "plan_cache_mode": "force_generic_plan"} if statement_cache else {},
        )
        self.slow = statements(slow_statement)
        self._begin = "BEGIN" if statement_cache else _begin_with(limits)
        self._begin_custom_plan = (
            _begin_with({"plan_cache_mode": "force_custom_plan"}) if statement_cache else self._begin
        )
        self._begin_across = f"{self._begin_custom_plan}; SET LOCAL ROLE NONE" if role else self._begin_custom_plan
        self._always_begin = not statement_cache
        self._session_queues: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @property
    def engine(self) -> DatabaseEngine | None:
        """The engine of the newest connection; None before the first one."""
        return self.pool.database_engine

    @property
    def routes(self) -> bool:
        """True on Citus: statements run in their second form, if they have one (`routed`)."""
        return self.engine is not None and self.engine.routes

    @property
    def primary(self) -> "Database":
        """This database: see `Reads`."""
        return self

    def fetch(self, viewer: Viewer, statement: Statement[R], /, **values: Any) -> Coroutine[Any, Any, list[R]]:
        """All rows, in a transaction of its own. A read whose connection is lost runs once more."""
        if statement.routed and self.pool.database_engine is not POSTGRESQL:
            return self._run_in_second_form(viewer, statement, values)
        if self.role:
            statement = row_security.self_contained(statement)
        begin = self._begin_custom_plan if statement.custom_plan or self._always_begin else None
        return self._run(statement, statement.bind(viewer.subject, **values), begin)

    async def one(self, viewer: Viewer, statement: Statement[R], /, **values: Any) -> R | None:
        """The first row, or None; otherwise as `fetch`."""
        rows = await self.fetch(viewer, statement, **values)
        return rows[0] if rows else None

    def fetch_across(self, query: AcrossOwners[R], /, **values: Any) -> Coroutine[Any, Any, list[R]]:
        """All rows of all owners: for sweeper and command line only."""
        return self._run(query, query.bind(None, **values), self._begin_across)

    def look(self, query: Query[R]) -> Coroutine[Any, Any, list[R]]:
        """All rows of a query without tables and parameters, about the server."""
        return self._run(query, (), self._begin if self._always_begin else None)

    @asynccontextmanager
    async def begin(self, viewer: Viewer, origin: Origin = SYSTEM) -> AsyncIterator[Tx]:
        """A transaction: commits at the end of the block, rolls back if the block raises."""
        owner = f"; {row_security.owner_setting(viewer.subject)}" if self.role else ""
        async with self._transaction(self._begin + owner) as driver:
            tx = Tx(viewer.subject, origin, driver, self.slow, routes=self.routes)
            yield tx
        if tx.changes and self.on_commit:
            self.on_commit(tx.owner, tx.changes)
        for work in tx.after_commit:
            await work(self, viewer)

    def record_change(self, viewer: Viewer, session_id: str, revision: int) -> None:
        """Publishes the change that a single-statement write has just committed."""
        if self.on_commit:
            self.on_commit(viewer.subject, [Change(session_id, revision)])

    def record_text_growth(self, viewer: Viewer, session_id: str) -> None:
        """Publishes that a single statement has just extended a streaming message of the session."""
        if self.on_commit:
            self.on_commit(viewer.subject, [Change(session_id, None)])

    def session_queue(self, viewer: Viewer, session_id: str) -> asyncio.Lock:
        """The lock on which writers of one session queue, in their order, before they acquire a connection."""
        return self._session_queues.setdefault((viewer.subject, session_id), asyncio.Lock())

    async def close(self) -> None:
        """Closes the pool."""
        await self.pool.close()

    async def _run_in_second_form(self, viewer: Viewer, statement: Statement[R], values: dict[str, Any]) -> list[R]:
        if self.routes and len(statement.routed) == 1:
            [step] = statement.routed
            rows: list[R] = await self.fetch(viewer, step.statement, **values)
            return rows
        async with self.begin(viewer) as tx:  # has a connection, so the engine is known
            return await tx.fetch(statement, **values)

    async def _run(
        self, query: Query[R], arguments: tuple[Any, ...], begin: str | None, opened_after: float = 0
    ) -> list[R]:
        """Runs a query, on a connection that was opened after a moment (monotonic); 0: on any.

        A read runs again if the connection was lost, or if its server may have been replaced. One coroutine for all of
        it: each further one is time that every statement pays.
        """
        try:
            if begin is not None:
                async with self._transaction(begin, opened_after) as driver:
                    rows = await self.slow.fetch(driver, query, arguments)
                    current = self.pool.is_current(driver)
            else:
                idle = None if opened_after else self.pool.take()
                connection = idle or await self.pool.acquire(opened_after)
                try:
                    rows = await self.slow.fetch(connection.driver, query, arguments)
                except BaseException as error:
                    self.pool.on_failure(connection, error)
                    raise
                finally:
                    current = self.pool.release(connection)
            if current or not query.reads:
                return rows
        except Unavailable as error:
            lost = error.__cause__ is not None and failures.connection_lost(error.__cause__)
            if opened_after or not (query.reads and lost):
                raise
        except Exception as error:
            if failures.text_not_storable(error):
                raise BadInput("A text contains U+0000 or an unpaired surrogate, which cannot be stored.") from None
            raise
        return await self._run(query, arguments, begin, opened_after=monotonic())

    @asynccontextmanager
    async def _transaction(self, begin: str, opened_after: float = 0) -> AsyncIterator[Any]:
        connection = await self.pool.acquire(opened_after)
        driver = connection.driver
        try:
            await driver.execute(f"{begin}{NODE_LIMITS}" if self.routes else begin)
            try:
                yield driver
            except Exception:
                with suppress(Exception):
                    await driver.execute("ROLLBACK")
                raise
            if await driver.execute("COMMIT") != "COMMIT":
                raise RuntimeError("an error was caught inside the transaction, so nothing of it was committed")
        except BaseException as error:
            self.pool.on_failure(connection, error)
            raise
        finally:
            self.pool.release(connection)


def _begin_with(limits: dict[str, str]) -> str:
    return "; ".join(["BEGIN", *(f"SET LOCAL {name} = '{value}'" for name, value in limits.items())])
