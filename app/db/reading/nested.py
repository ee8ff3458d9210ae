"""Reading for many parents in one statement: the parents as arrays, and the connections below them."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    Table,
    TableValuedAlias,
    bindparam,
    column,
    func,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.visitors import replacement_traverse

from app.db.access.statement import OWNER, Statement, statement, variant
from app.db.reading.order import LIMIT, Order, direction
from app.db.reading.page import Count
from app.db.reading.rows import Entity

R = TypeVar("R", bound=Entity)


def parent_table(**types: Any) -> TableValuedAlias:
    """The requested keys as a table, one array a column; the column `index` is 1, 2, 3, ... in their order."""
    binds = [bindparam(f"parent_{name}", type_=ARRAY(type_)) for name, type_ in types.items()]
    columns = [column(name, type_) for name, type_ in types.items()]
    return func.unnest(*binds).table_valued(*columns, with_ordinality="index", name="parents").render_derived()


def parent_arrays(names: Sequence[str], keys: Sequence[Any]) -> dict[str, list[Any]]:
    """The parameters of `parent_table`; a key is a value, or a tuple if there are several columns."""
    if len(names) == 1:
        return {f"parent_{names[0]}": list(keys)}
    return {f"parent_{name}": [key[index] for key in keys] for index, name in enumerate(names)}


def one_of_each(table: Table, key: ColumnElement[Any], keys: BindParameter[Any], *conditions: Any) -> Select[Any]:
    """The row of each of several unique keys, an array. LIMIT keeps the planner from reading all rows of the owner."""
    values = func.unnest(keys).table_valued(column("key", key.type), name="keys").render_derived()
    row = select(table).where(table.c.owner_id == OWNER, key == values.c.key, *conditions).limit(1).correlate(values)
    found = row.lateral("found")
    return select(found).select_from(values.join(found, true()))


def for_one(names: Sequence[str], key: Any) -> dict[str, Any]:
    """The parameters of `Nested.for_one`."""
    return {f"parent_{name}": value for name, value in zip(names, (key,) if len(names) == 1 else key, strict=True)}


class Nested(Generic[R]):
    """A connection below many parents, read for all of them by one statement.

    `query` selects the children of `parents`, a `parent_table`; a row's `parent` is the index of its parent. The
    statements are named `name[for_many,forward]` and the like. `stored_count` selects the number of children, without
    a filter, from where the program keeps it: `total` and `parent`. `parts` are conditions that divide the rows as
    partial indexes do: a page reads each part in the order of its index, with a plan for its parents. `counted` selects
    what a count reads, where that is not `query`.
    `within` are pairs of a child's column and the parent's column that it equals, where `query` does not state it: the
    planner, misled by its estimates, would read all rows of the owner, in the order of the page, by the primary key.
    """

    def __init__(
        self,
        name: str,
        sentence: str,
        query: Select[Any],
        row: type[R],
        order: Order,
        parents: TableValuedAlias,
        partial: Collection[str] = (),
        stored_count: Select[Any] | None = None,
        parts: Sequence[ColumnElement[bool]] = (),
        within: Sequence[tuple[ColumnElement[Any], ColumnElement[Any]]] = (),
        counted: Select[Any] | None = None,
    ) -> None:
        self.name, self.sentence, self.order, self.row, self._partial = name, sentence, order, row, partial
        self.names = [column.name for column in parents.c if column.name != "index"]
        self._query, self._parents, self._stored_count = query, parents, stored_count
        self._index = parents.c["index"].label("parent")
        self._parts, self._within, self._counted = parts, within, query if counted is None else counted
        self._for_one: dict[bool, Statement[R]] = {}
        self._for_many: dict[bool, Statement[R]] = {}

    def for_one(self, backward: bool) -> Statement[R]:
        """The page of a single parent, whose key is plain parameters: a third of the cost of `for_many`."""
        if backward not in self._for_one:
            bound = {id(column): bindparam(f"parent_{column.name}", type_=column.type) for column in self._parents.c}

            def replace(element: Any, **_: Any) -> Any:
                return bound.get(id(element))

            query: Any = replacement_traverse(self._query, {}, replace)
            parts = [replacement_traverse(part, {}, replace) for part in self._parts]
            within = [(column, bound[id(parent)]) for column, parent in self._within]
            page = self._page(query, backward, within, parts)
            self._for_one[backward] = self._statement("for_one", page, backward)
        return self._for_one[backward]

    def for_many(self, backward: bool) -> Statement[R]:
        """The pages of many parents, built at the first use."""
        if backward not in self._for_many:
            children = self._query.correlate(self._parents)
            page = self._page(children, backward, self._within, self._parts).lateral("page")
            query = select(page, self._index).select_from(self._parents.join(page, true()))
            query = query.order_by(*self._directed(page, backward))
            self._for_many[backward] = self._statement("for_many", query, backward)
        return self._for_many[backward]

    @cached_property
    def count(self) -> Statement[Count]:
        """The number of children of each parent."""
        of_parent = self._counted.where(*(column == parent for column, parent in self._within))
        children = of_parent.correlate(self._parents)
        total = children.with_only_columns(func.count().label("total")).lateral("counted")
        query = select(total, self._index).select_from(self._parents.join(total, true()))
        return statement(
            variant(self.name, "count"), f"The number of rows per parent of: {self.sentence}", query, Count
        )

    @cached_property
    def stored_count(self) -> Statement[Count] | None:
        """The stored number of children of each parent, without a filter; None where it is not stored."""
        if self._stored_count is None:
            return None
        sentence = f"The stored number of rows per parent of: {self.sentence}"
        return statement(variant(self.name, "stored_count"), sentence, self._stored_count, Count)

    def _page(
        self,
        query: Select[Any],
        backward: bool,
        within: Sequence[tuple[ColumnElement[Any], ColumnElement[Any]]],
        parts: Sequence[ColumnElement[bool]],
    ) -> Select[Any]:
        if not parts:
            return self.order.page(query, backward, within)
        rows = union_all(*(self.order.page(query.where(part), backward) for part in parts)).lateral("parts")
        return select(*rows.c).order_by(*self._directed(rows, backward)).limit(LIMIT)

    def _directed(self, rows: FromClause, backward: bool) -> Sequence[ColumnElement[Any]]:
        """The order's keys in a derived table of pages."""
        return self.order.directed([rows.c[key.column.key or ""] for key in self.order.keys], backward)

    def _statement(self, shape: str, query: Select[Any], backward: bool) -> Statement[R]:
        name, custom_plan = variant(self.name, shape, direction(backward)), bool(self._parts)
        return statement(name, self.sentence, query, self.row, self._partial, custom_plan=custom_plan)
