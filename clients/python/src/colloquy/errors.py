"""The exceptions of the client: one class for each error code of the server, and `Unreachable`."""

from collections.abc import Mapping, Sequence
from typing import Any


class ColloquyError(Exception):
    """The base of all exceptions of this client.

    `message` is for people, `code` is the server's error code, and `field` is the path below `input` of the value that
    caused the error, empty if no single value did.
    """

    code = "INTERNAL"
    retry_after = 0.0
    """Seconds that the server asks to wait before the same operation is sent again."""

    def __init__(self, message: str, *, code: str | None = None, field: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = tuple(field)


class Unreachable(ColloquyError):
    """No response came, or a proxy answered with HTTP 5xx: it is unknown whether the server applied a write."""

    code = "UNREACHABLE"


class Unauthenticated(ColloquyError):
    """The token is missing, malformed, expired, or not valid for this server."""

    code = "UNAUTHENTICATED"


class Forbidden(ColloquyError):
    """The token's scopes or roles do not permit the operation."""

    code = "FORBIDDEN"


class BadInput(ColloquyError):
    """The server's URL, a document, its variables, a page size or a page cursor is not valid."""

    code = "BAD_USER_INPUT"


class RateLimited(ColloquyError):
    """The caller has spent its budget, or has more operations at the same time than the server allows.

    The server asks to wait `retry_after` seconds, if it is a budget.
    """

    code = "RATE_LIMITED"


class TimedOut(ColloquyError):
    """The server stopped the request at its time limit."""

    code = "TIMEOUT"


class Unavailable(ColloquyError):
    """The server's database is out of reach or read-only: it is unknown whether the server applied a write.

    The server asks to wait `retry_after` seconds.
    """

    code = "UNAVAILABLE"


class TooComplex(ColloquyError):
    """The document exceeds one of the server's limits."""

    code = "QUERY_TOO_COMPLEX"


class Invalid(ColloquyError):
    """A value is not valid; `field` is its path."""

    code = "VALIDATION"


class NotFound(ColloquyError):
    """The object does not exist, or belongs to another owner."""

    code = "NOT_FOUND"


class Conflict(ColloquyError):
    """The object is not in the expected state; `current_revision` is its revision, None if the server sent none."""

    code = "CONFLICT"
    current_revision: int | None = None


class IllegalTransition(ColloquyError):
    """The object cannot change from `from_status` to `to_status`."""

    code = "ILLEGAL_TRANSITION"
    from_status = to_status = ""


class LimitReached(ColloquyError):
    """The operation would exceed `limit`."""

    code = "LIMIT"
    limit = 0


class OffsetMismatch(ColloquyError):
    """The text does not start at the end of the streaming message, `expected_offset` (in code points)."""

    code = "OFFSET_MISMATCH"
    expected_offset = 0


class Fenced(ColloquyError):
    """Another producer has taken the streaming message over."""

    code = "FENCED"


class IdempotencyKeyReused(ColloquyError):
    """The idempotency key was used for a different operation."""

    code = "IDEMPOTENCY_KEY_REUSED"


class IdempotencyInProgress(ColloquyError):
    """The first operation with this idempotency key has not ended yet."""

    code = "IDEMPOTENCY_IN_PROGRESS"


BY_CODE: dict[str, type[ColloquyError]] = {cls.code: cls for cls in ColloquyError.__subclasses__()}
DETAILS = {
    "currentRevision": "current_revision",
    "fromStatus": "from_status",
    "toStatus": "to_status",
    "limit": "limit",
    "expectedOffset": "expected_offset",
}


def payload_error(error: Mapping[str, Any]) -> ColloquyError:
    """Returns the exception for one of a payload's `errors`."""
    exception = _exception(error["code"], error["message"], error["field"] or ())
    for key, attribute in DETAILS.items():
        if key in error:
            setattr(exception, attribute, error[key])
    return exception


def response_error(error: Mapping[str, Any]) -> ColloquyError:
    """Returns the exception for one of a response's top-level `errors`."""
    extensions = error.get("extensions") or {}
    exception = _exception(
        extensions.get("code", ColloquyError.code), error.get("message", "The server sent no message.")
    )
    exception.retry_after = extensions.get("retryAfter", 0.0)
    return exception


def _exception(code: str, message: str, field: Sequence[str] = ()) -> ColloquyError:
    """An instance of the code's class, and of ColloquyError for a code that this client does not know."""
    return BY_CODE.get(code, ColloquyError)(message, code=code, field=field)
