"""At most once: the key of a mutation field, and its first answer given again."""

import dataclasses
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any

import orjson
import strawberry
from graphql import (
    DirectiveNode,
    FieldNode,
    GraphQLError,
    OperationType,
    ValidationRule,
    get_directive_values,
)
from strawberry.directive import DirectiveLocation, DirectiveValue

from app.context import Once
from app.db.access.statement import Row
from app.errors import BadInput
from app.live.cursors import SessionCursor
from app.schema import ids
from app.schema.base import ERRORS, ErrorCode, Info, UserError, to_python

LONGEST = 255
NAMED_ERRORS: dict[str, Any] = {error.__name__: error for error in ERRORS}


@strawberry.directive(
    locations=[DirectiveLocation.FIELD],
    description="At most once: the same key by the same owner runs the field once; "
    "later calls get the first result back.",
)
def idempotent(
    value: DirectiveValue[object],
    key: Annotated[str, strawberry.argument(description="1 to 255 printable characters, new for each act.")],
) -> object:
    """Read by the mutation itself; the value passes."""
    return value


class OnlyOnMutations(ValidationRule):
    """Refuses `@idempotent` where it would mean nothing."""

    def enter_directive(self, node: DirectiveNode, _key: Any, _parent: Any, _path: Any, above: list[Any]) -> None:
        mutations = self.context.schema.get_root_type(OperationType.MUTATION)
        if node.name.value == "idempotent" and self.context.get_parent_type() is not mutations:
            self.context.report_error(GraphQLError("@idempotent belongs on a field of the mutation type.", node))


def once_of(info: Info, input: Any) -> Once | None:
    """The key of the mutation field under way, by directive or header. Raises BadInput for one that cannot hold."""
    raw = info._raw_info
    node = raw.field_nodes[0]
    given = (
        get_directive_values(raw.schema.get_directive("idempotent"), node, raw.variable_values)
        if node.directives
        else None
    )
    key = given["key"] if given else _header(info)
    if key is None:
        return None
    if not info.context.settings.enable_idempotency:
        raise BadInput("Idempotency keys are switched off on this server (ENABLE_IDEMPOTENCY).")
    if not 1 <= len(key) <= LONGEST or not key.isprintable():
        raise BadInput(f"An idempotency key has 1 to {LONGEST} printable characters.")
    return Once(key, sha256(orjson.dumps([raw.field_name, _canonical(input)], default=str)).digest())


def _header(info: Info) -> str | None:
    key = info.context.idempotency_key
    if key is not None and not _is_alone(info):
        raise BadInput("Idempotency-Key stands for one mutation field; use @idempotent(key:) on each of several.")
    return key


def _is_alone(info: Info) -> bool:
    """Whether the operation has one root field; a fragment there may hide several."""
    selections = info._raw_info.operation.selection_set.selections
    return len(selections) == 1 and isinstance(selections[0], FieldNode)


def _canonical(value: Any) -> Any:
    """An input without what was omitted, so that equal requests look equal."""
    if isinstance(value, strawberry.Some):
        return {"sent": _canonical(value.value)}
    if dataclasses.is_dataclass(value):
        return {name: _canonical(item) for name, item in sorted(vars(value).items()) if item is not None}
    return [_canonical(item) for item in value] if isinstance(value, list) else to_python(value)


def stored(payload: Any) -> dict[str, Any]:
    """A payload in ids, positions, numbers, and the codes and words of failures."""
    return {name: _reference(value) for name, value in vars(payload).items()}


def _reference(value: Any) -> Any:
    if isinstance(value, Row):
        return {"id": ids.of(value)}
    if isinstance(value, UserError):
        return {"error": type(value).__name__, **vars(value)}
    return [_reference(item) for item in value] if isinstance(value, list) else value


async def restored(payload: Any, result: Mapping[str, Any], loaders: Any) -> Any:
    """The payload again, its entities as they are now; an append has kept its numbers alone."""
    if "sequence" in result:
        at = SessionCursor.at(result["session"], result["revision"])
        result = {"message": {"id": ids.message(result["session"], result["sequence"])}, "cursor": str(at)}
    return payload(**{name: await _again(value, loaders) for name, value in result.items()})


async def _again(value: Any, loaders: Any) -> Any:
    if isinstance(value, list):
        return [found for item in value if (found := await _again(item, loaders)) is not None]
    if not isinstance(value, dict):
        return value
    if "error" in value:
        return NAMED_ERRORS[value.pop("error")](**{**value, "code": ErrorCode(value["code"])})
    return await ids.load(loaders, value["id"])
