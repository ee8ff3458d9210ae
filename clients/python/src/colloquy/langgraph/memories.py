"""What the store sends, for both clients: see `colloquy.steps`.

An item is the record of its key in the namespace `langgraph, store, *labels`. The record's metadata repeat the short
values of the item, for filters that the server compares, and `ttl` is the lifetime in minutes.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchItem,
    SearchOp,
)

from colloquy.errors import Conflict, Invalid
from colloquy.labels import decoded, encoded
from colloquy.langgraph.filters import matches, matches_namespace
from colloquy.operation import UNSET
from colloquy.operations.record import (
    delete_records,
    new_record,
    put_records,
    record,
    record_namespaces,
    record_page,
)
from colloquy.results import Record
from colloquy.steps import Steps, every

ROOT = ("langgraph", "store")
PAGE_SIZE = MAX_BATCH = 100
MAX_FILTERED_LENGTH = 200  # of a string that metadata repeat


def get(op: GetOp) -> Steps[Item | None]:
    """Reads one item, and renews its lifetime."""
    found = yield record(_path(op.namespace), encoded(op.key))
    if found is None:
        return None
    yield from _renew([found] if op.refresh_ttl else [])
    return Item(**_fields(found))


def search(op: SearchOp) -> Steps[list[SearchItem]]:
    """Reads the items that match, in the order of their names, and renews their lifetimes."""
    found: list[Record] = []
    conditions: dict[str, Any] = {"text": op.query or UNSET, "metadata_contains": _contained(op.filter) or UNSET}
    cursor, has_next = None, True
    while has_next and len(found) < op.offset + op.limit:
        size = PAGE_SIZE if op.filter else min(PAGE_SIZE, op.offset + op.limit - len(found))
        page = yield record_page(_path(op.namespace_prefix), first=size, after=cursor, **conditions)
        found += [node for node in page.nodes if matches(node.value, op.filter or {})]
        cursor, has_next = page.info.end_cursor, page.info.has_next_page
    chosen = found[op.offset : op.offset + op.limit]
    yield from _renew(chosen if op.refresh_ttl else [])
    return [SearchItem(**_fields(node)) for node in chosen]


def namespaces(op: ListNamespacesOp) -> Steps[list[tuple[str, ...]]]:
    """Reads the namespaces that match, shortened to the depth, in their order."""
    conditions = op.match_conditions or ()
    prefix = next((_fixed(condition) for condition in conditions if condition.match_type == "prefix"), ())
    stored = yield from every(record_namespaces(_path(prefix)))
    names = [tuple(decoded(label) for label in each.namespace[len(ROOT) :]) for each in stored]
    matching = {name[: op.max_depth] for name in names if all(matches_namespace(each, name) for each in conditions)}
    return sorted(matching)[op.offset : op.offset + op.limit]


def write(ops: Iterable[PutOp]) -> Steps[None]:
    """Stores items, and deletes those without a value."""
    every_op = list(ops)
    puts = [op for op in every_op if op.value is not None]
    deletes = [op for op in every_op if op.value is None]
    for start in range(0, len(puts), MAX_BATCH):
        with _invalid_names(puts[start].namespace):
            yield put_records([_new(op) for op in puts[start : start + MAX_BATCH]])
    for start in range(0, len(deletes), MAX_BATCH):
        yield delete_records([(_path(op.namespace), encoded(op.key)) for op in deletes[start : start + MAX_BATCH]])


def _path(namespace: Iterable[str]) -> tuple[str, ...]:
    return (*ROOT, *map(encoded, namespace))


def _new(op: PutOp) -> dict[str, Any]:
    value = dict(op.value or {})
    metadata = {"value": _short(value), "ttl": op.ttl}
    return new_record(_path(op.namespace), encoded(op.key), value, metadata=metadata, ttl_seconds=_seconds(op.ttl))


def _seconds(minutes: float | None) -> int | None:
    return None if minutes is None else max(1, math.ceil(minutes * 60))


def _renew(found: Iterable[Record]) -> Steps[None]:
    """Starts the lifetimes of items again. An item that changes at the same time has a new one already."""
    for each in found:
        if minutes := each.metadata["ttl"]:
            again = new_record(
                each.namespace,
                each.key,
                each.value,
                metadata=each.metadata,
                ttl_seconds=_seconds(minutes),
                expected_revision=each.revision,
            )
            try:
                yield put_records([again])
            except Conflict:
                continue


def _fields(found: Record) -> dict[str, Any]:
    """The arguments of an item."""
    return {
        "namespace": tuple(decoded(label) for label in found.namespace[len(ROOT) :]),
        "key": decoded(found.key),
        "value": found.value,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def _short(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a filter may compare with `metadataContains`."""
    return {name: each for name, each in value.items() if _is_short(each)}


def _is_short(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= MAX_FILTERED_LENGTH)


def _contained(filter: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the metadata of matching items contain, as far as the server can compare it."""
    short = _short(filter or {})
    return {"value": short} if short else {}


def _fixed(condition: MatchCondition) -> tuple[str, ...]:
    """The labels before the first wildcard."""
    path = tuple(condition.path)
    return path[: path.index("*")] if "*" in path else path


@contextmanager
def _invalid_names(namespace: Iterable[str]) -> Iterator[None]:
    """Turns the server's refusal of a namespace into the framework's exception."""
    try:
        yield
    except Invalid as error:
        if "namespace" in error.field:
            raise InvalidNamespaceError(f"{tuple(namespace)}: {error.message}") from error
        raise
