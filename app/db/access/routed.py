"""The second form of a statement: several statements in one transaction, each of which Citus sends to one node.

Citus runs an INSERT that reads a CTE on its coordinator, at four times the cost. A statement with such an INSERT has
steps beside it, which do the same under the same locks.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from app.db.access import elements
from app.db.access.slow_statements import SlowStatements
from app.db.access.statement import R, Statement


class Step(NamedTuple):
    """One statement of a second form; it is left out if `when` does not hold for the values of the whole."""

    statement: Statement[Any]
    when: Callable[[Mapping[str, Any]], bool] | None = None


async def run(
    driver: Any, slow: SlowStatements, statement: Statement[R], owner: str, values: Mapping[str, Any]
) -> list[R]:
    """The rows of the last step.

    A step takes its parameters from `values`, and from the columns of the row that an earlier step returned. A step
    that returns columns and finds no row is the last one.
    """
    known, rows = dict(values), list[Any]()
    for step in statement.routed:
        if step.when is not None and not step.when(values):
            continue
        arguments = {name: known[name] for name in step.statement.parameters}
        rows = await slow.fetch(driver, step.statement, step.statement.bind(owner, **arguments))
        if rows:
            known.update(rows[0])
        elif elements.returns(step.statement.element):
            break
    return rows
