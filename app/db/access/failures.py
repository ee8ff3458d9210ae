"""What a driver's error means. PostgreSQL says it by SQLSTATE, and by names that only its message keeps.

On Citus `constraint_name` is None and names carry a shard's number (`messages_key_102024`), so a constraint
is looked for in the message. SQLSTATE: PostgreSQL, appendix A.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import asyncpg
from asyncpg.exceptions import InternalClientError, PostgresError

from app.errors import Conflict, Problem

_INTEGRITY = re.compile("23...")
_QUOTED = re.compile(r'["«»„“”](\w+?)(?:_\d+)?["«»„“”]')  # as the server's language quotes
_LOST = re.compile("08...|57P0[1-5]")


def sqlstate(error: BaseException) -> str:
    """The five characters of SQLSTATE, or an empty string for what did not come from PostgreSQL."""
    return getattr(error, "sqlstate", None) or ""


def violates(error: BaseException, constraint: str) -> bool:
    """Whether a row was refused by this constraint or unique index, or a shard's copy of it."""
    if not _INTEGRITY.fullmatch(sqlstate(error)):
        return False
    return constraint in (getattr(error, "constraint_name", None), *_QUOTED.findall(str(error)))


def lock_timeout(error: BaseException) -> bool:
    """Somebody else held the row, or an equal key in flight, for longer than `lock_timeout`."""
    return sqlstate(error) == "55P03"


def statement_timeout(error: BaseException) -> bool:
    """The statement ran longer than `statement_timeout`, or was cancelled by an operator."""
    return sqlstate(error) == "57014"


def unspeakable(error: BaseException) -> bool:
    """A text that PostgreSQL cannot hold, because of U+0000 or half of a surrogate pair in it."""
    return sqlstate(error) == "22021" or isinstance(error.__cause__, UnicodeEncodeError)


def collided(error: BaseException) -> bool:
    """A serialization failure or a deadlock: nothing happened, the whole transaction may be run again."""
    return sqlstate(error) in ("40001", "40P01")


def connection_lost(error: BaseException) -> bool:
    """The server went away; whether a write under way took effect is not known.

    The driver's InternalClientError is a statement on a connection that heard of its end and is not closed yet.
    """
    if isinstance(error, asyncpg.InterfaceError):  # type: ignore[attr-defined]
        return "connection is closed" in str(error) or "connection was closed" in str(error)
    lost = (ConnectionError, EOFError, InternalClientError)
    return isinstance(error, lost) or bool(_LOST.fullmatch(sqlstate(error)))


@contextmanager
def translated(refusals: Mapping[str, Problem]) -> Iterator[None]:
    """A row refused by one of these constraints, as the failure that people know; a lock held too long likewise."""
    try:
        yield
    except PostgresError as error:
        for constraint, problem in refusals.items():
            if violates(error, constraint):
                raise problem from None
        if lock_timeout(error) or collided(error):
            raise Conflict("Somebody else is writing here; try again.") from None
        raise
