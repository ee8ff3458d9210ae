"""Row-level security: PostgreSQL itself shows a statement the rows of one owner only.

The server's statements run as a role that owns no table. The policies of `app.db.operations.row_policies` show that
role the rows whose `owner_id` is the setting `colloquy.owner`. The setting ends with the transaction, so a connection
goes back to the pool without an owner, and without an owner there are no rows.

A transaction sets the owner when it begins. A statement that is its own transaction carries the owner in itself: a
round trip to set it would cost a quarter of a request. `with_owner` makes PostgreSQL set it before it reads a row.
"""

from functools import cache
from typing import Any

from sqlalchemy import func, literal_column, select, text, true
from sqlalchemy.sql.selectable import CompoundSelect

from app.db.access import elements
from app.db.access.statement import OWNER, R, Statement

SETTING = "colloquy.owner"
_NOTHING_SKIPPED: Any = literal_column("0")


class OwnerStatement(Statement[R]):
    """A statement that sets the owner and then runs."""

    def __init__(self, original: Statement[R]) -> None:
        element = with_owner(original.element)
        super().__init__(original.name, original.sentence, element, original.row)
        self.custom_plan = original.custom_plan
        self.reads = original.reads


@cache
def self_contained(statement: Statement[R]) -> Statement[R]:
    """The statement as its own transaction."""
    return OwnerStatement(statement)


def owner_setting(owner: str) -> str:
    """The SQL that sets the owner of a transaction that has begun."""
    quoted = owner.replace("\\", r"\\").replace("'", "''")  # E'': the same under any standard_conforming_strings
    return f"SELECT set_config('{SETTING}', E'{quoted}', true)"


def with_owner(element: Any) -> Any:
    """The element, run after the owner is set.

    The rows come from a subquery that depends on the row of `colloquy_owner`. So PostgreSQL makes that row first, and
    the policies see the owner. OFFSET keeps the planner from merging the subquery with the rest: a merged one would
    depend on the policy's expression instead. CTEs, those that write too, run when the subquery reads them.
    """
    name: Any = literal_column(f"'{SETTING}'")
    setting = func.set_config(name, OWNER, literal_column("true")).label("owner")
    owner = select(setting).offset(_NOTHING_SKIPPED).subquery("colloquy_owner")
    rows, writing = element, None
    if elements.writes(element):
        writing = element.cte("colloquy_rows")
        if not writing.c:
            raise TypeError("a write that returns nothing is run in a transaction")
        columns: list[Any] = [
            literal_column(f'colloquy_rows."{column.name}"').label(column.name) for column in writing.c
        ]
        rows = select(*columns).select_from(text("colloquy_rows"))
    elif isinstance(element, CompoundSelect):
        rows = select(element.subquery("colloquy_rows"))
    rows = rows.where(owner.c.owner.is_not(None))
    if rows._limit_clause is None and rows._offset_clause is None:
        rows = rows.offset(_NOTHING_SKIPPED)
    inner = rows.lateral("colloquy_statement")
    whole = select(*inner.c).select_from(owner.join(inner, true()))
    return whole if writing is None else whole.add_cte(writing)
