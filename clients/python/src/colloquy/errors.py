"""What may go wrong, by code: the server's refusals as exceptions."""

from collections.abc import Mapping, Sequence
from typing import Any


class ColloquyError(Exception):
    """Whatever the server, or the way to it, refused.

    `code` is the server's own; `field` is the path below `input` of what caused it, if anything did.
    """

    code = "INTERNAL"

    def __init__(self, message: str, *, code: str | None = None, field: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = tuple(field)


class Unreachable(ColloquyError):
    """No answer came, or none that is GraphQL: whether the write happened is not known."""

    code = "UNREACHABLE"


class Unauthenticated(ColloquyError):
    """No token, or one that proves nothing."""

    code = "UNAUTHENTICATED"


class Forbidden(ColloquyError):
    """The token's scopes or roles do not cover it."""

    code = "FORBIDDEN"


class BadInput(ColloquyError):
    """The document, its variables, a page size or a page cursor cannot be accepted."""

    code = "BAD_USER_INPUT"


class RateLimited(ColloquyError):
    """More at the same time than one caller may have."""

    code = "RATE_LIMITED"


class TimedOut(ColloquyError):
    """The server gave the request up."""

    code = "TIMEOUT"


class TooComplex(ColloquyError):
    """A document over one of the server's limits."""

    code = "QUERY_TOO_COMPLEX"


class Invalid(ColloquyError):
    """A value that cannot be accepted; `field` names it."""

    code = "VALIDATION"


class NotFound(ColloquyError):
    """Absent, erased, or somebody else's: a caller cannot tell which."""

    code = "NOT_FOUND"


class Conflict(ColloquyError):
    """The thing is not in the state that the caller expected; `current_revision` is where it is, if told."""

    code = "CONFLICT"
    current_revision: int | None = None


class IllegalTransition(ColloquyError):
    """A status that does not lead to the wanted one."""

    code = "ILLEGAL_TRANSITION"
    from_status = to_status = ""


class LimitReached(ColloquyError):
    """One more than `limit` is not allowed."""

    code = "LIMIT"
    limit = 0


class OffsetMismatch(ColloquyError):
    """The text does not continue at the stream's end, which is `expected_offset` (code points)."""

    code = "OFFSET_MISMATCH"
    expected_offset = 0


class Fenced(ColloquyError):
    """Another producer has taken the stream over."""

    code = "FENCED"


class IdempotencyKeyReused(ColloquyError):
    """The key was used for another call."""

    code = "IDEMPOTENCY_KEY_REUSED"


class IdempotencyInProgress(ColloquyError):
    """The first call with this key has not ended yet."""

    code = "IDEMPOTENCY_IN_PROGRESS"


BY_CODE: dict[str, type[ColloquyError]] = {cls.code: cls for cls in ColloquyError.__subclasses__()}
DETAILS = {
    "currentRevision": "current_revision",
    "fromStatus": "from_status",
    "toStatus": "to_status",
    "limit": "limit",
    "expectedOffset": "expected_offset",
}


def refusal(code: str, message: str, field: Sequence[str] = ()) -> ColloquyError:
    """The exception of a code; plain ColloquyError for one that is not known here."""
    return BY_CODE.get(code, ColloquyError)(message, code=code, field=field)


def of_payload(error: Mapping[str, Any]) -> ColloquyError:
    """The exception of one of a payload's `errors`."""
    found = refusal(error["code"], error["message"], error["field"] or ())
    for sent, name in DETAILS.items():
        if sent in error:
            setattr(found, name, error[sent])
    return found


def of_response(error: Mapping[str, Any]) -> ColloquyError:
    """The exception of one of a response's top-level `errors`."""
    code = (error.get("extensions") or {}).get("code", "INTERNAL")
    return refusal(code, error.get("message", "The server said nothing more."))
