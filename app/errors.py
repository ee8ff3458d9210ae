"""Expected failures, each raised by its own name.

`Problem` is a business failure: an entry in a payload's `errors`. `Refused` is an invalid request: a top-level
GraphQL error with `extensions.code`. Any other exception is a bug: it is answered as INTERNAL and logged.
"""

from collections.abc import Sequence
from typing import Any


class Problem(Exception):
    """A business failure. `message` is for a person; `field` is the path of its cause below `input`."""

    code = "VALIDATION"
    # True if an idempotency key keeps this failure as its answer; False if the key stays free for another attempt.
    lasting = False

    def __init__(self, message: str, *, field: str | Sequence[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = [field] if isinstance(field, str) else list(field) if field else None

    def within(self, *path: str) -> "Problem":
        """The same failure, found inside a list or a nested input at `path`."""
        self.field = [*path, *(self.field or [])]
        return self


class Invalid(Problem):
    """An argument that is not valid."""


class NotFound(Problem):
    """The thing is absent, erased, or belongs to another owner; the caller cannot tell which."""

    code = "NOT_FOUND"


class Forbidden(Problem):
    """The caller owns the thing but lacks the role for this action."""

    code = "FORBIDDEN"
    lasting = True


class Conflict(Problem):
    """The thing is not in the state that the caller expected, or its key is taken."""

    code = "CONFLICT"

    def __init__(
        self, message: str, *, field: str | Sequence[str] | None = None, current_revision: int | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.current_revision = current_revision


class IllegalTransition(Problem):
    """The current status does not lead to the requested one."""

    code = "ILLEGAL_TRANSITION"
    lasting = True

    def __init__(
        self, message: str, *, from_status: str, to_status: str, field: str | Sequence[str] | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.from_status, self.to_status = from_status, to_status


class Limit(Problem):
    """The action would exceed `limit`."""

    code = "LIMIT"
    lasting = True

    def __init__(self, message: str, *, limit: int, field: str | Sequence[str] | None = None) -> None:
        super().__init__(message, field=field)
        self.limit = limit


class WrongOffset(Problem):
    """A piece that does not continue at the end of the streaming message: `expected`, in code points or parts."""

    code = "OFFSET_MISMATCH"

    def __init__(self, message: str, *, expected: int, field: str | Sequence[str] | None = None) -> None:
        super().__init__(message, field=field)
        self.expected = expected


class Fenced(Problem):
    """Another producer has taken the streaming message over."""

    code = "FENCED"


class KeyReused(Problem):
    """The idempotency key belongs to another request."""

    code = "IDEMPOTENCY_KEY_REUSED"


class InProgress(Problem):
    """The first request with this idempotency key is still running."""

    code = "IDEMPOTENCY_IN_PROGRESS"


class Refused(Exception):
    """An invalid request: a top-level error with `extensions.code`."""

    code = "BAD_USER_INPUT"
    retry_after: int | None = None
    """Seconds after which the same request may succeed; None if that is not a matter of time."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def extensions(self) -> dict[str, Any]:
        """The error's `extensions`: `code`, and `retryAfter` if the same request may succeed later."""
        return {"code": self.code} if self.retry_after is None else {"code": self.code, "retryAfter": self.retry_after}


class BadInput(Refused):
    """An invalid argument of a query: a page size, a page cursor."""


class Unauthenticated(Refused):
    """There is no token, or the token is not valid. The log has `reason`, which may be more exact than `message`."""

    code = "UNAUTHENTICATED"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or message


class OutOfScope(Refused):
    """The token's scopes do not cover the operation."""

    code = "FORBIDDEN"


class Absent(Refused):
    """The subject of a subscription does not exist for this viewer."""

    code = "NOT_FOUND"


class TimedOut(Refused):
    """The request took longer than the limit."""

    code = "TIMEOUT"


class Unavailable(Refused):
    """The database does not accept the statement at present; a write may or may not have been applied.

    Its cause is the driver's error.
    """

    code = "UNAVAILABLE"
    retry_after = 1


class RateLimited(Refused):
    """The caller runs more operations than a limit allows."""

    code = "RATE_LIMITED"


class TooComplex(Refused):
    """A document exceeds a limit; the message names the limit and by how much."""

    code = "QUERY_TOO_COMPLEX"


class Untrusted(Refused):
    """The document is not one of the trusted ones, and no others are accepted."""

    code = "DOCUMENT_NOT_TRUSTED"


class PersistedQueryNotFound(Refused):
    """No document is known under the hash; the client sends both (Apollo's automatic persisted queries)."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class PersistedQueryNotSupported(Refused):
    """The hash is of an unknown kind or version; the client sends documents without hashes from now on."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"
