"""What all types share: nodes, enums with descriptions, inputs that distinguish omitted from null, failures as data."""

from collections.abc import Callable, Sequence
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


# Descriptions that several types share.
NODE_ID = "The id of the object: opaque, globally unique, never reused. `node(id:)` returns the object for this id."
METADATA = "Any JSON value that the client stores with the object; `{}` if none. The server does not interpret it."
NEW_METADATA = "Any JSON value to store with the object. Null or omitted: `{}`."
CHANGED_METADATA = "The JSON value that replaces the stored one as a whole. Omitted: no change. Null is refused."
CLIENT_CREATED_AT = (
    "The time of creation that the client sent; null if it sent none. The server does not use it for any order."
)
EXPECTED_REVISION = (
    "The value of `revision` that the client has read. If the object has another revision by now, the mutation returns "
    "CONFLICT with `currentRevision` and changes nothing. Null or omitted: no check."
)
EXPECTED_SEQUENCE = (
    "The `sequence` of the newest message that the client has read; 0 for a session without messages. If another "
    "message is the newest, the mutation returns CONFLICT and stores nothing. Null or omitted: no check."
)


@strawberry.interface(description="An object with a globally unique id.")
class Node:
    @strawberry.field(description=NODE_ID)
    def id(self) -> strawberry.ID:
        raise NotImplementedError


def rows_of(*classes: type) -> Callable[[Any, Any], bool]:
    """An `is_type_of` for a type whose sources are rows; compiled operations skip it for exactly these classes."""

    def is_type_of(row: Any, _info: Any) -> bool:
        return isinstance(row, classes)

    is_type_of.accepts = frozenset(classes)  # type: ignore[attr-defined]
    return is_type_of


def enum(description: str, **values: str) -> Callable[[E], E]:
    """Adds a StrEnum to the schema, with a description of the enum and of each value."""

    def describe(cls: E) -> E:
        strawberry.enum(cls, description=description)
        definition: StrawberryEnumDefinition = cls.__strawberry_definition__  # type: ignore[attr-defined]
        for value in definition.values:
            value.description = values[value.name]
        return cls

    return describe


def provided_fields(input: Any, *omit: str) -> dict[str, Any]:
    """The fields that the client sent, null included; enum members as their values."""
    fields = {name: value for name, value in vars(input).items() if value is not None and name not in omit}
    return {name: to_python(value_of(value)) for name, value in fields.items()}


def value_of(field: Any) -> Any:
    """The value of an optional input field; None if the client sent null or omitted the field."""
    return field.value if isinstance(field, strawberry.Some) else field


def values_of(members: Sequence[Enum] | None) -> tuple[Any, ...] | None:
    """The values of enum members; None for None."""
    return None if members is None else tuple(member.value for member in members)


def to_python(value: Any) -> Any:
    """An input value with enum members as their values, in lists too."""
    if isinstance(value, Enum):
        return value.value
    return [to_python(item) for item in value] if isinstance(value, list) else value


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


@strawberry.type(description="The text does not continue at the end of the streaming message: code OFFSET_MISMATCH.")
class OffsetError(UserError):
    expected_offset: int = strawberry.field(
        description="The length of the stored text in Unicode code points: the offset at which the next text starts."
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


def errors() -> Any:
    """The last field of every payload."""
    return strawberry.field(
        default_factory=list, description="The reasons why the mutation changed nothing; empty after success."
    )


def cursor() -> Any:
    """The field of every payload of a write in a session."""
    return strawberry.field(
        default=None,
        description="The position of this write in the events of its session: `sessionEvents(after:)` continues "
        "behind it. Null after an error or a dry run, and for an object in no session.",
    )
