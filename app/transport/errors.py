"""What an error looks like from outside."""

from typing import Any

from graphql import GraphQLError

from app.db.access.failures import connection_lost
from app.errors import BadInput, Refused
from app.structured_log import get_logger

log = get_logger("colloquy.request")

APOLOGY = "Something went wrong on our side."
INTERNAL = "INTERNAL"


def format_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An error met while executing, as a GraphQL response shows it, `extensions.code` included.

    A `Refused` speaks for itself, a bad argument is BAD_USER_INPUT. Anything else is our own fault: logged,
    shown with nothing but the request's id.
    """
    code = _code(error)
    if code is not None:
        return _shown(error, error.message, {"code": code})
    log_fault(_cause(error))
    return _shown(error, APOLOGY, {"code": INTERNAL, "requestId": request_id})


def format_rejection(error: GraphQLError) -> dict[str, Any]:
    """An error of a request that was not executed: its sender's, whoever raised it."""
    cause = _cause(error)
    said = cause.code if isinstance(cause, Refused) else (error.extensions or {}).get("code")
    return _shown(error, error.message, {"code": said or BadInput.code})


def format_failure(failure: Exception, request_id: str) -> dict[str, Any]:
    """An exception that came from outside of any field."""
    return format_error(GraphQLError(str(failure), original_error=failure), request_id)


def log_fault(fault: BaseException) -> None:
    """Leave what should not have happened to the operator, under the request's id.

    With its traceback; but one word where the database is away: then every request fails, and no line of ours is why.
    """
    if connection_lost(fault):
        log.error("request_failed", error=repr(fault))
    else:
        log.error("request_failed", exc_info=fault)


def _code(error: GraphQLError) -> str | None:
    cause, inner = _cause(error), error.original_error
    if isinstance(cause, Refused):
        return cause.code
    # graphql-core names the node of a bad argument; an answer that the schema does not allow has none
    blames_document = inner is None or (isinstance(inner, GraphQLError) and bool(inner.nodes))
    return BadInput.code if blames_document else None


def _cause(error: GraphQLError) -> Exception:
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _shown(error: GraphQLError, message: str, extensions: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"message": message, "extensions": extensions}
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path is not None:
        shown["path"] = error.path
    return shown
