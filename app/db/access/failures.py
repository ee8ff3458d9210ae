"""Classification of driver errors: by SQLSTATE, and by the constraint's name in the message.

On Citus `constraint_name` is None, and a name has the number of a shard at its end (`messages_key_102024`); so the
message is searched for the constraint. SQLSTATE codes: PostgreSQL manual, appendix A.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import asyncpg
from asyncpg.exceptions import InternalClientError, PostgresError, TargetServerAttributeNotMatched

from app.errors import Conflict, Problem

_INTEGRITY = re.compile("23...")
_QUOTED = re.compile(r'["«»„“”](\w+?)(?:_\d+)?["«»„“”]')  # the server quotes as its language does
_CONNECTION_LOST = re.compile("08...|57P0[1-5]")
_NO_RESOURCES = re.compile("53...")
_NODE_LOST = "could not commit transaction for shard"  # of Citus, with the SQLSTATE of any internal error
READ_ONLY = "The database accepts no writes at present; try again."
UNREACHABLE = "The database cannot be reached at present; try again."


def sqlstate(error: BaseException) -> str:
    """The five characters of SQLSTATE; an empty string for an error that is not PostgreSQL's."""
    return getattr(error, "sqlstate", None) or ""


def violates(error: BaseException, constraint: str) -> bool:
    """True if this constraint or unique index, or a shard's copy of it, refused a row."""
    if not _INTEGRITY.fullmatch(sqlstate(error)):
        return False
    return constraint in (getattr(error, "constraint_name", None), *_QUOTED.findall(str(error)))


def lock_timeout(error: BaseException) -> bool:
    """True if another transaction held a row, or an equal unique key, for longer than `lock_timeout`."""
    return sqlstate(error) == "55P03"


def text_not_storable(error: BaseException) -> bool:
    """True if PostgreSQL cannot store a text, because it contains U+0000 or an unpaired surrogate."""
    return sqlstate(error) == "22021" or isinstance(error.__cause__, UnicodeEncodeError)


def serialization_failure(error: BaseException) -> bool:
    """True for a serialization failure or a deadlock: nothing was committed, and the transaction may run again."""
    return sqlstate(error) in ("40001", "40P01")


def connection_lost(error: BaseException) -> bool:
    """True if the connection to the server ended; the outcome of a write that was under way is unknown.

    The driver raises InternalClientError for a statement on a connection that has received its end, and is not closed
    yet. Citus raises an internal error if its connection to a node ends during COMMIT.
    """
    if sqlstate(error) == "XX000":
        return _NODE_LOST in str(error)
    if isinstance(error, asyncpg.InterfaceError):  # type: ignore[attr-defined]
        return "connection is closed" in str(error) or "connection was closed" in str(error)
    lost = (ConnectionError, EOFError, InternalClientError)
    return isinstance(error, lost) or bool(_CONNECTION_LOST.fullmatch(sqlstate(error)))


def read_only(error: BaseException) -> bool:
    """True if no server accepts writes: it is a standby, or was a primary until a moment ago."""
    return sqlstate(error) == "25006" or isinstance(error, TargetServerAttributeNotMatched)


def unavailable(error: BaseException) -> bool:
    """True if the server, and not the statement, is the reason: it is gone, read-only, or out of memory or room."""
    return connection_lost(error) or read_only(error) or bool(_NO_RESOURCES.fullmatch(sqlstate(error)))


def reason(error: BaseException) -> str:
    """Why the server is unavailable, in words for a client."""
    if read_only(error):
        return READ_ONLY
    return UNREACHABLE if connection_lost(error) else "The database has no memory or room left at present; try again."


@contextmanager
def translated(refusals: Mapping[str, Problem]) -> Iterator[None]:
    """Raises the problem of the violated constraint instead of the driver's error; Conflict after a lock timeout or
    a serialization failure. Other errors pass.
    """
    try:
        yield
    except PostgresError as error:
        for constraint, problem in refusals.items():
            if violates(error, constraint):
                raise problem from None
        if (conflict := conflict_of(error)) is not None:
            raise conflict from None
        raise


def conflict_of(error: BaseException) -> Conflict | None:
    """What a lock timeout or a serialization failure is for a client; None for another error."""
    if lock_timeout(error) or serialization_failure(error):
        return Conflict("Another request is writing here; try again.")
    return None
