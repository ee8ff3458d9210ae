"""What every type shares: nodes, described enums, inputs that tell omitted from null, failures as data."""

from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Any, TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from app.context import Context
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

Info = strawberry.Info[Context, None]
E = TypeVar("E", bound=type[StrEnum])


@strawberry.interface(description="Whatever has an id of its own.")
class Node:
    @strawberry.field(description="Opaque, never reused; `node(id:)` finds the thing again.")
    def id(self) -> strawberry.ID:
        raise NotImplementedError


def rows_of(*classes: type) -> Callable[[Any, Any], bool]:
    """An `is_type_of` for what is shown from rows; compiled operations do not ask it about rows of just these."""

    def is_type_of(row: Any, _info: Any) -> bool:
        return isinstance(row, classes)

    is_type_of.accepts = frozenset(classes)  # type: ignore[attr-defined]
    return is_type_of


def enum(description: str, **values: str) -> Callable[[E], E]:
    """Makes a StrEnum public, with a description of it and of each value."""

    def describe(cls: E) -> E:
        strawberry.enum(cls, description=description)
        definition: StrawberryEnumDefinition = cls.__strawberry_definition__  # type: ignore[attr-defined]
        for value in definition.values:
            value.description = values[value.name]
        return cls

    return describe


def provided_fields(input: Any, *omit: str) -> dict[str, Any]:
    """The input's fields that were sent, null included; enum members as their values."""
    fields = {name: value for name, value in vars(input).items() if value is not None and name not in omit}
    return {
        name: to_python(value.value if isinstance(value, strawberry.Some) else value) for name, value in fields.items()
    }


def to_python(value: Any) -> Any:
    """Enum members as their values, in lists too."""
    if isinstance(value, Enum):
        return value.value
    return [to_python(item) for item in value] if isinstance(value, list) else value


@enum(
    "What kind of business failure it is.",
    VALIDATION="An argument cannot be accepted as it is.",
    NOT_FOUND="Absent, erased, or somebody else's.",
    FORBIDDEN="The thing is the caller's, the act is not.",
    CONFLICT="The thing is not in the state that the caller expected.",
    ILLEGAL_TRANSITION="The thing's status does not lead to the wanted one.",
    LIMIT="One more is not allowed.",
    OFFSET_MISMATCH="The text does not continue where the stream ends.",
    FENCED="Another producer has taken the stream over.",
    IDEMPOTENCY_KEY_REUSED="The key was used for something else.",
    IDEMPOTENCY_IN_PROGRESS="The first call with this key has not ended yet.",
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


@strawberry.interface(description="A business failure: nothing of the mutation has happened.")
class UserError:
    code: ErrorCode = strawberry.field(description="For programs.")
    message: str = strawberry.field(description="For people.")
    field: list[str] | None = strawberry.field(description="The path below `input` of what caused it.")


@strawberry.type(description="An argument cannot be accepted as it is.")
class ValidationError(UserError):
    pass


@strawberry.type(description="Absent, erased, or somebody else's: a caller cannot tell which.")
class NotFoundError(UserError):
    pass


@strawberry.type(description="The thing is the caller's, the act is not.")
class ForbiddenError(UserError):
    pass


@strawberry.type(description="The thing is not in the state that the caller expected.")
class ConflictError(UserError):
    current_revision: int | None = strawberry.field(description="The revision it is at now.")


@strawberry.type(description="The thing's status does not lead to the wanted one.")
class IllegalTransitionError(UserError):
    from_status: str = strawberry.field(description="The status it has.")
    to_status: str = strawberry.field(description="The status that was asked for.")


@strawberry.type(description="One more is not allowed.")
class LimitError(UserError):
    limit: int = strawberry.field(description="How many are.")


@strawberry.type(description="The text does not continue where the stream ends.")
class OffsetError(UserError):
    expected_offset: int = strawberry.field(description="Where it ends: the length of the text so far, in code points.")


@strawberry.type(description="Another producer has taken the stream over.")
class FencedError(UserError):
    pass


@strawberry.type(description="An idempotency key that cannot be honoured.")
class IdempotencyError(UserError):
    pass


def error_of(problem: Problem) -> UserError:
    """A failure as the type that its class has in the schema."""
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


def errors() -> Any:
    """The field that every payload ends with."""
    return strawberry.field(default_factory=list, description="Why nothing happened; empty on success.")


def cursor() -> Any:
    """The field of every payload of a write in a session."""
    return strawberry.field(default=None, description="The position of this write in the session's events.")
