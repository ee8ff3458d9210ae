"""Everything that may go wrong on purpose.

`Problem` is a business failure: data in a payload's `errors`. `Refused` is a broken request: a top-level
GraphQL error with `extensions.code`. Whatever else is raised is a bug, shown as INTERNAL and logged.
"""

from collections.abc import Sequence


class Problem(Exception):
    """A business failure, in words for a person; `field` is the path below `input` of what caused it."""

    code = "VALIDATION"
    # Whether it is the answer to an idempotency key for good, or leaves the key free for another try.
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
    """An argument that cannot be accepted as it is."""


class NotFound(Problem):
    """Absent, erased, or somebody else's: the caller cannot tell which."""

    code = "NOT_FOUND"


class Forbidden(Problem):
    """The thing is the caller's, the act is not."""

    code = "FORBIDDEN"
    lasting = True


class Conflict(Problem):
    """The thing is not in the state that the caller expected."""

    code = "CONFLICT"

    def __init__(
        self, message: str, *, field: str | Sequence[str] | None = None, current_revision: int | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.current_revision = current_revision


class IllegalTransition(Problem):
    """A status that does not lead to the wanted one."""

    code = "ILLEGAL_TRANSITION"
    lasting = True

    def __init__(
        self, message: str, *, from_status: str, to_status: str, field: str | Sequence[str] | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.from_status, self.to_status = from_status, to_status


class Limit(Problem):
    """One more than `limit` is not allowed."""

    code = "LIMIT"
    lasting = True

    def __init__(self, message: str, *, limit: int, field: str | Sequence[str] | None = None) -> None:
        super().__init__(message, field=field)
        self.limit = limit


class WrongOffset(Problem):
    """A text that does not continue where the stream ends, at `expected`, in code points."""

    code = "OFFSET_MISMATCH"

    def __init__(self, message: str, *, expected: int, field: str | Sequence[str] | None = None) -> None:
        super().__init__(message, field=field)
        self.expected = expected


class Fenced(Problem):
    """A producer whose stream another one has taken over."""

    code = "FENCED"


class KeyReused(Problem):
    """An idempotency key that stands for another request."""

    code = "IDEMPOTENCY_KEY_REUSED"


class InProgress(Problem):
    """An idempotency key whose first request has not ended."""

    code = "IDEMPOTENCY_IN_PROGRESS"


class Refused(Exception):
    """A request that is not answered: a top-level error with `extensions.code`."""

    code = "BAD_USER_INPUT"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInput(Refused):
    """An argument outside the payloads' errors: a page size, a page cursor."""


class Unauthenticated(Refused):
    """No token, or one that proves nothing."""

    code = "UNAUTHENTICATED"


class OutOfScope(Refused):
    """The token's scopes do not cover the operation."""

    code = "FORBIDDEN"


class Absent(Refused):
    """A subscription's subject that is not there."""

    code = "NOT_FOUND"


class TimedOut(Refused):
    """The request took longer than it may."""

    code = "TIMEOUT"


class RateLimited(Refused):
    """More at the same time than one caller may have."""

    code = "RATE_LIMITED"


class TooComplex(Refused):
    """A document over one of the limits; the message says which and by how much."""

    code = "QUERY_TOO_COMPLEX"
