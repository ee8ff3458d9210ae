"""Errors as responses show them: message, code, path and locations; internal faults show only a request id."""

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError
from graphql_compiled.engine import RequestError

from app.errors import BadInput, Refused, Unavailable
from app.structured_log import get_logger

log = get_logger("colloquy.request")

APOLOGY = "Something went wrong on our side."
INTERNAL = "INTERNAL"
MAX_ERRORS = 5
"""The most errors that are reported of a request that was not executed."""


class SubscriptionFailed(Exception):
    """A subscription could not start, because its field raised an error."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


def format_failure(failure: Exception, request_id: str) -> list[dict[str, Any]]:
    """The errors of an operation that ended with an exception; at least one."""
    match failure:
        case RequestError(errors=errors):
            return [format_rejection(error) for error in errors[:MAX_ERRORS]]
        case SubscriptionFailed(errors=errors):
            return [format_error(error, request_id) for error in errors]
    return [format_error(GraphQLError(str(failure), original_error=failure), request_id)]


def format_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An error of execution, with `extensions.code`.

    A `Refused` keeps its message and code; an invalid argument is BAD_USER_INPUT. Any other error is INTERNAL: it is
    logged, and the response shows the request id only.
    """
    cause = _cause(error)
    if isinstance(cause, Unavailable):
        # Without a traceback: every request fails then, and none of our lines is why.
        log.error("request_failed", error=repr(cause.__cause__ or cause))
    if isinstance(cause, Refused):
        return _formatted(error, error.message, cause.extensions)
    if _blames_document(error):
        return _formatted(error, error.message, {"code": BadInput.code})
    log_fault(cause)
    return _formatted(error, APOLOGY, {"code": INTERNAL, "requestId": request_id})


def format_rejection(error: GraphQLError) -> dict[str, Any]:
    """An error of a request that was not executed: always the client's, so never INTERNAL."""
    cause = _cause(error)
    if isinstance(cause, Refused):
        return _formatted(error, error.message, cause.extensions)
    return _formatted(error, error.message, {"code": (error.extensions or {}).get("code") or BadInput.code})


def log_fault(fault: BaseException) -> None:
    """Logs an unexpected exception, under the request's id."""
    log.error("request_failed", exc_info=fault)


def is_transient(error: GraphQLError) -> bool:
    """True if the database was unavailable."""
    return isinstance(_cause(error), Unavailable)


def _blames_document(error: GraphQLError) -> bool:
    # graphql-core adds the node of an invalid argument; a resolver's value that the schema does not allow has none
    inner = error.original_error
    return inner is None or (isinstance(inner, GraphQLError) and bool(inner.nodes))


def _cause(error: GraphQLError) -> Exception:
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _formatted(error: GraphQLError, message: str, extensions: dict[str, Any]) -> dict[str, Any]:
    formatted: dict[str, Any] = {"message": message, "extensions": extensions}
    if error.locations:
        formatted["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        formatted["path"] = error.path
    return formatted
