"""Idempotency keys in requests: the directive `@idempotent`, the header, and the hash of what a key stands for."""

import dataclasses
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

from app.errors import BadInput
from app.limits import MAX_KEY_LENGTH
from app.resolvers.idempotency import IdempotencyKey
from app.schema.base import Info
from app.schema.inputs import to_python


@strawberry.directive(
    locations=[DirectiveLocation.FIELD],
    description="Runs a mutation field at most once per key. The key belongs to the owner and to this field with these "
    "arguments. A later call with the same key, field and arguments returns the first result with the present state "
    "of its objects, and `extensions.idempotency.replayed` is true. A later call with another field or other "
    "arguments returns IDEMPOTENCY_KEY_REUSED. While the first call runs, another call waits up to 5 seconds, then "
    "returns IDEMPOTENCY_IN_PROGRESS. Success, FORBIDDEN, ILLEGAL_TRANSITION and LIMIT are stored; after any other "
    "error the key is free again. The server keeps a key for 24 hours by default. The HTTP header `Idempotency-Key` "
    "has the same effect for an operation with one mutation field.",
)
def idempotent(
    value: DirectiveValue[object],
    key: Annotated[
        str,
        strawberry.argument(description="1 to 255 printable characters, for example a new UUID for each user action."),
    ],
) -> object:
    """Changes no value: the mutation field itself reads the key."""
    return value


class OnlyOnMutations(ValidationRule):
    """Refuses `@idempotent` on every field that is not a field of the mutation type."""

    def enter_directive(self, node: DirectiveNode, _key: Any, _parent: Any, _path: Any, _above: list[Any]) -> None:
        mutations = self.context.schema.get_root_type(OperationType.MUTATION)
        if node.name.value == "idempotent" and self.context.get_parent_type() is not mutations:
            self.context.report_error(GraphQLError("@idempotent belongs on a field of the mutation type.", node))


def key_of(info: Info, input: Any) -> IdempotencyKey | None:
    """The key of a mutation field, from its directive or from the header. Raises BadInput for an invalid one."""
    raw_info = info._raw_info
    key = _directive_key(raw_info)
    if key is None:
        key = _header_key(info)
    if key is None:
        return None
    if not info.context.settings.enable_idempotency:
        raise BadInput("Idempotency keys are switched off on this server (ENABLE_IDEMPOTENCY).")
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise BadInput(f"An idempotency key has 1 to {MAX_KEY_LENGTH} printable characters.")
    return IdempotencyKey(key, sha256(orjson.dumps([raw_info.field_name, _canonical(input)], default=str)).digest())


def _directive_key(raw_info: Any) -> str | None:
    node = raw_info.field_nodes[0]
    if not node.directives:
        return None
    values = get_directive_values(raw_info.schema.get_directive("idempotent"), node, raw_info.variable_values)
    return values["key"] if values else None


def _header_key(info: Info) -> str | None:
    key = info.context.idempotency_key
    if key is not None and not _has_one_field(info):
        raise BadInput("Idempotency-Key stands for one mutation field; use @idempotent(key:) on each of several.")
    return key


def _has_one_field(info: Info) -> bool:
    """True if the operation has exactly one root field; a fragment may hide several."""
    selections = info._raw_info.operation.selection_set.selections
    return len(selections) == 1 and isinstance(selections[0], FieldNode)


def _canonical(value: Any) -> Any:
    """An input without its omitted fields. Equal requests must hash alike on servers of all versions: do not change.

    A field that a later version adds with a default is in `added_defaults` of its input, so that it is left out too.
    """
    if isinstance(value, strawberry.Some):
        return {"sent": _canonical(value.value)}
    if dataclasses.is_dataclass(value):
        added = getattr(value, "added_defaults", {})
        sent = ((name, item) for name, item in sorted(vars(value).items()) if item is not None)
        return {name: _canonical(item) for name, item in sent if name not in added or item != added[name]}
    return [_canonical(item) for item in value] if isinstance(value, list) else to_python(value)
