"""Business failures as data: the schema types of `errors.Problem`."""

from enum import StrEnum
from typing import Any

import strawberry

from app.errors import (
    Conflict,
    Fenced,
    Forbidden,
    IllegalTransition,
    InProgress,
    Invalid,
    KeyReused,
    Limit,
    NotFound,
    Problem,
    WrongOffset,
)
from app.schema.base import enum


@enum(
    "The kind of a business failure, for programs.",
    VALIDATION="A value of the input is not acceptable. The same input fails again.",
    NOT_FOUND="The object does not exist, was erased, or belongs to another owner. These cases look the same.",
    FORBIDDEN="The object belongs to the caller, but the token lacks the role that the operation needs.",
    CONFLICT="The object is not in the state that the caller expected. Read it again, then decide.",
    ILLEGAL_TRANSITION="The status of the object does not allow this change.",
    LIMIT="The operation would exceed a limit.",
    OFFSET_MISMATCH="The text does not continue at the end of the streaming message.",
    FENCED="Another producer has taken over the streaming message. This producer must stop.",
    IDEMPOTENCY_KEY_REUSED="The idempotency key was used for another field or other arguments.",
    IDEMPOTENCY_IN_PROGRESS="The first call with this idempotency key is still running. Retry later with the same key.",
)
class ErrorCode(StrEnum):
    VALIDATION = "VALIDATION"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT = "CONFLICT"
    ILLEGAL_TRANSITION = "ILLEGAL_TRANSITION"
    LIMIT = "LIMIT"
    OFFSET_MISMATCH = "OFFSET_MISMATCH"
    FENCED = "FENCED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"


@strawberry.interface(description="A business failure. The mutation that returned it changed nothing.")
class UserError:
    code: ErrorCode = strawberry.field(description="The kind of the failure, for programs.")
    message: str = strawberry.field(description="A sentence in English for a person; its words may change.")
    field: list[str] | None = strawberry.field(
        description="The path below `input` of the value that caused the failure, such as `messages`, `4`, `key`; "
        "null if no single value caused it."
    )


@strawberry.type(description="A value of the input is not acceptable: code VALIDATION.")
class ValidationError(UserError):
    pass


@strawberry.type(
    description="The object does not exist, was erased, or belongs to another owner: code NOT_FOUND. "
    "A caller cannot distinguish these cases."
)
class NotFoundError(UserError):
    pass


@strawberry.type(description="The token lacks the role that the operation needs: code FORBIDDEN.")
class ForbiddenError(UserError):
    pass


@strawberry.type(description="The object is not in the state that the caller expected: code CONFLICT.")
class ConflictError(UserError):
    current_revision: int | None = strawberry.field(
        description="The revision that the object has now; null if the conflict is not about a revision."
    )


@strawberry.type(description="The status of the object does not allow this change: code ILLEGAL_TRANSITION.")
class IllegalTransitionError(UserError):
    from_status: str = strawberry.field(description="The status that the object has.")
    to_status: str = strawberry.field(description="The status that the change leads to.")


@strawberry.type(description="The operation would exceed a limit: code LIMIT.")
class LimitError(UserError):
    limit: int = strawberry.field(description="The largest allowed number.")


@strawberry.type(description="The piece does not continue at the end of the streaming message: code OFFSET_MISMATCH.")
class OffsetError(UserError):
    expected_offset: int = strawberry.field(
        description="The length of what is stored, of text in Unicode code points, of parts their number: the offset "
        "at which the next piece starts."
    )


@strawberry.type(description="Another producer has taken over the streaming message: code FENCED.")
class FencedError(UserError):
    pass


@strawberry.type(
    description="The idempotency key cannot be used: code IDEMPOTENCY_KEY_REUSED or IDEMPOTENCY_IN_PROGRESS."
)
class IdempotencyError(UserError):
    pass


def error_of(problem: Problem) -> UserError:
    """The schema type of a failure, by its class."""
    shared: dict[str, Any] = {
        "code": ErrorCode(problem.code),
        "message": problem.message,
        "field": problem.field,
    }
    match problem:
        case NotFound():
            return NotFoundError(**shared)
        case Forbidden():
            return ForbiddenError(**shared)
        case Conflict():
            return ConflictError(**shared, current_revision=problem.current_revision)
        case IllegalTransition():
            return IllegalTransitionError(**shared, from_status=problem.from_status, to_status=problem.to_status)
        case Limit():
            return LimitError(**shared, limit=problem.limit)
        case WrongOffset():
            return OffsetError(**shared, expected_offset=problem.expected)
        case Fenced():
            return FencedError(**shared)
        case KeyReused() | InProgress():
            return IdempotencyError(**shared)
        case Invalid():
            return ValidationError(**shared)
    raise TypeError(f"{type(problem).__name__} has no type in the schema")


ERRORS: list[type] = [
    ValidationError,
    NotFoundError,
    ForbiddenError,
    ConflictError,
    IllegalTransitionError,
    LimitError,
    OffsetError,
    FencedError,
    IdempotencyError,
]
