"""Named statements: a SQLAlchemy Core element, its SQL text, and the order of its parameters.

A statement is checked when a module registers it: every table in it must be bound to `:owner` (see `ownership`). It
is compiled at its first use, once. Its name is in errors, in the log and the metric of slow statements, and as a
comment in the SQL text, so that operators find it in `pg_stat_activity` and `pg_stat_statements`.
"""

import re
from collections.abc import Callable, Collection
from functools import cached_property
from operator import itemgetter
from typing import Any, Generic, TypeVar

import asyncpg
from sqlalchemy import Text, bindparam
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from app.db.access import elements, ownership
from app.db.access.elements import NotOwned
from app.db.tables.columns import as_client_text

OWNER = bindparam("owner", type_=Text())
DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]
NAME = re.compile(r"[a-z_]+\.[a-z_]+(\[[a-z_]+(,[a-z_]+)*\])?")


class Row(asyncpg.Record):
    """A driver's record whose columns are attributes: `class Head(Row): revision: int`."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        for column in vars(cls).get("__annotations__", ()):
            setattr(cls, column, property(itemgetter(column)))


R = TypeVar("R", bound=Row)


class Query(Generic[R]):
    """A named Core element; `sentence` describes its rows or its effect. Compiled at its first use."""

    custom_plan = False
    """True: PostgreSQL plans every execution for its values; False: one generic plan serves all values."""

    def __init__(self, name: str, sentence: str, element: Any, row: type[R]) -> None:
        self.name, self.sentence, self.element, self.row = name, sentence, element, row

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @cached_property
    def sql(self) -> str:
        """The SQL text: `SELECT /* message.newest */ ...`.

        The comment stands behind the first word: PostgreSQL 18 cuts off what stands before a statement in
        `pg_stat_statements`.
        """
        keyword, rest = str(self._compiled.string).split(None, 1)
        return f"{keyword} /* {self.name} */ {rest}"

    @cached_property
    def reads(self) -> bool:
        """True if the statement changes nothing, so that it may be run again."""
        return not elements.writes(self.element)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All parameters in the order of `$1, $2, ...`"""
        return tuple(self._compiled.positiontup)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Name and SQLAlchemy type of every value that the caller supplies."""
        binds = self._compiled.binds
        return {name: binds[name].type for name in self.names if binds[name].required and name != "owner"}

    @cached_property
    def constants(self) -> dict[str, Any]:
        """The values that the element itself contains, by parameter."""
        binds = self._compiled.binds
        return {name: binds[name].value for name in self.names if not binds[name].required}

    @cached_property
    def _supplied(self) -> frozenset[str]:
        return frozenset(self.parameters)

    @cached_property
    def _in_order(self) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
        if len(self.names) > 1:
            return itemgetter(*self.names)
        return lambda values: tuple(values[name] for name in self.names)

    @cached_property
    def _compiled(self) -> Any:
        compiled = self.element.compile(dialect=DIALECT)
        if compiled.insert_prefetch or compiled.update_prefetch:
            raise NotOwned(f"{self.name}: a default made in Python is not supported; bind the value")
        return compiled

    def bind(self, owner: str | None, /, **values: Any) -> tuple[Any, ...]:
        """The arguments in the order of `sql`; without an owner those of a query across owners.

        Raises TypeError for a missing or unexpected value.
        """
        if values.keys() != self._supplied:
            expected = ", ".join(self.parameters) or "no parameters"
            wrong = ", ".join(sorted(values.keys() ^ self._supplied))
            raise TypeError(f"{self.name} takes {expected}; missing or unexpected: {wrong}")
        return self._in_order({**self.constants, **values, "owner": owner})


class Statement(Query[R]):
    """A query in which every table is bound to one owner.

    `partial` is the same statement with fewer columns; without such a variant the statement itself. `routed` are the
    steps of its second form, for Citus; most statements have none.
    """

    routed: tuple[Any, ...] = ()

    def __init__(self, name: str, sentence: str, element: Any, row: type[R]) -> None:
        super().__init__(name, sentence, element, row)
        self.partial = self


class AcrossOwners(Query[R]):
    """A query that reads the rows of all owners."""

    custom_plan = True


REGISTERED: dict[str, Query[Any]] = {}
"""Every registered query by name, for the tests that check all of them."""


def statement(
    name: str,
    sentence: str,
    element: Any,
    row: type[R] = Row,  # type: ignore[assignment]
    partial: Collection[str] = (),
    *,
    custom_plan: bool = False,
) -> Statement[R]:
    """Registers the element under a unique name, `noun.verb_or_what`; its rows are of the class `row`.

    `partial` names the columns of the variant `name[partial]`. `custom_plan` is for optional filters, which no single
    plan suits. Raises NotOwned if a table is not bound to `:owner`, ValueError for a malformed or registered name.
    """
    registered = _register(Statement(name, sentence, element, row), ownership.check)
    registered.custom_plan = custom_plan
    if partial:
        columns = [as_client_text(column) for column in element.selected_columns if column.key in partial]
        fewer = element.with_only_columns(*columns)
        registered.partial = statement(variant(name, "partial"), sentence, fewer, row, custom_plan=custom_plan)
    return registered


def across_owners(name: str, sentence: str, element: Any, row: type[R] = Row) -> AcrossOwners[R]:  # type: ignore[assignment]
    """Registers a query of all owners' rows, which may only read. Raises NotOwned and ValueError as `statement`."""
    return _register(AcrossOwners(name, sentence, element, row), ownership.check_read)


def variant(name: str, *parts: str) -> str:
    """The name of one shape of a statement: `variant("session.page[backward]", "partial")`."""
    base, _, before = name.removesuffix("]").partition("[")
    shape = ",".join([*filter(None, [before]), *parts])
    return f"{base}[{shape}]" if shape else base


Q = TypeVar("Q", bound=Query[Any])


def _register(query: Q, check: Callable[[Any], None]) -> Q:
    if not NAME.fullmatch(query.name):
        raise ValueError(f"{query.name!r} is not a statement's name: noun.verb_or_what")
    if query.name in REGISTERED:
        raise ValueError(f"{query.name} is registered already")
    try:
        check(query.element)
    except NotOwned as error:
        raise NotOwned(f"{query.name}: {error}") from None
    REGISTERED[query.name] = query
    return query
