"""Execution of a statement on a driver's connection, with a log line and a count for every slow one."""

from collections import Counter
from time import monotonic
from typing import Any

from app.db.access.statement import Query, R
from app.structured_log import get_logger

log = get_logger("colloquy.db")


class SlowStatements:
    """Runs statements; counts those that took `threshold` seconds or more, by name, and logs each of them."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.counts: Counter[str] = Counter()

    def record(self, query: Query[Any], seconds: float) -> None:
        """Counts and logs one slow execution. The log holds no argument: arguments are what users wrote."""
        self.counts[query.name] += 1
        log.warning("statement.slow", statement=query.name, sentence=query.sentence, seconds=round(seconds, 3))

    async def fetch(self, driver: Any, query: Query[R], arguments: tuple[Any, ...]) -> list[R]:
        """All rows of the query. An error has the statement's name as a note."""
        started = monotonic()
        try:
            rows: list[R] = await driver.fetch(query.sql, *arguments, record_class=query.row)
            return rows
        except Exception as error:
            error.add_note(f"in the statement {query.name}")
            raise
        finally:
            # Failed ones too: a statement that runs into its timeout is the slowest of all.
            seconds = monotonic() - started
            if seconds >= self.threshold:
                self.record(query, seconds)
