"""Use cases of records."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from app import db
from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import RecordNamespaceRow, RecordRow
from app.documents.parsing import clean
from app.errors import BadInput, Conflict, Invalid, NotFound, Problem
from app.limits import MAX_BATCH, MAX_NAMESPACE_LABELS, MAX_RECORD_PATH_BYTES, MAX_TTL_SECONDS
from app.record_path import KEY_START, LABEL_END, below, is_live, path_of, prefix_of
from app.resolvers import validation
from app.settings import Settings
from app.unit_of_work import UnitOfWork

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


async def put(work: UnitOfWork, records: Sequence[Mapping[str, Any]]) -> list[RecordRow]:
    """Stores 1 to 100 records, all or none. Raises Invalid, NotFound for a session, and Conflict for a revision.

    A record has `namespace`, `key`, `value` or `bytes`, and perhaps `metadata`, `session_id`, `ttl_seconds` and
    `expected_revision`: 0 if no record may exist.
    """
    at = datetime.now(UTC)
    new = [_checked(index, record, work.settings, at) for index, record in enumerate(_batch(records, "records"))]
    _refuse_duplicates(new)
    async with work.begin() as tx:
        if sessions := {record["session_id"] for record in new if record["session_id"]}:
            found = {row["id"] for row in await tx.fetch(db.record.LOCK_SESSIONS, ids=sorted(sessions))}
            _refuse_unknown_sessions(new, found)
        rows = await db.record.put(tx, new, at)
        for index, (record, row) in enumerate(zip(records, rows, strict=True)):
            _refuse_other_revision(index, record.get("expected_revision"), row.revision - 1)
        if any(is_live(row.path) for row in rows):
            tx.record_change("", 0)
    return rows


async def delete(
    work: UnitOfWork,
    names: Sequence[Mapping[str, Any]] | None,
    prefix: Sequence[str] | None,
    key_to: str | None,
) -> int:
    """Deletes the records of these names, or those below a namespace up to a key; returns how many there were.

    Raises Invalid.
    """
    if (names is None) == (prefix is None):
        raise Invalid("Send exactly one of keys and namespacePrefix.", field="keys")
    if names is None:
        return await _delete_below(work, prefix or (), key_to)
    if key_to is not None:
        raise Invalid("keyTo goes with namespacePrefix; leave it out, or send namespacePrefix.", field="keyTo")
    return await _delete_named(work, names)


async def _delete_named(work: UnitOfWork, names: Sequence[Mapping[str, Any]]) -> int:
    paths = [_path(["keys", str(index)], **name) for index, name in enumerate(_batch(names, "keys"))]
    async with work.begin() as tx:
        return await db.record.remove(tx, db.record.DELETE_PATHS, paths=sorted(paths))


async def _delete_below(work: UnitOfWork, prefix: Sequence[str], key_to: str | None) -> int:
    low, high = below(_labels(prefix, ["namespacePrefix"]))
    # Checked, not cleaned: another bound would delete other records.
    up_to = validation.optional_text(key_to, "keyTo", min_length=0)
    async with work.begin() as tx:
        return await db.record.remove(tx, db.record.DELETE_RANGE, low=low, high=high, key_to=up_to)


def path_to_read(namespace: Sequence[str], key: str) -> str | None:
    """The path of the record of this name; None for a name that no record can have."""
    try:
        return _path([], namespace, key)
    except Problem:
        return None


async def page(
    ctx: Context, window: Window, order: tuple[str, str], prefix: Sequence[str], filters: Mapping[str, Any]
) -> Slice[RecordRow]:
    """One page of the records below a namespace. Raises BadInput."""
    low, high = _range(prefix)
    tags = filters["metadata_contains"]
    values = {
        "low": low,
        "high": high,
        "key_from": _bound(filters["key_from"], "keyFrom"),
        "key_to": _bound(filters["key_to"], "keyTo"),
        "tags": None if tags is None else _tags(tags),
        "text": None if filters["text"] is None else clean(filters["text"]),
    }
    return await db.record.page(ctx.reads, ctx.viewer, window, db.record.ORDERS[order], values)


async def namespaces(
    ctx: Context, window: Window, prefix: Sequence[str], suffix: Sequence[str], max_depth: int | None
) -> Slice[RecordNamespaceRow]:
    """One page of the namespaces that have records, below one and ending with labels. Raises BadInput."""
    if max_depth is not None and not 1 <= max_depth <= MAX_NAMESPACE_LABELS:
        raise BadInput(f"maxDepth must be between 1 and {MAX_NAMESPACE_LABELS}; it is {max_depth}.")
    low, high = _range(prefix)
    labels = f"{{1,{max_depth}}}" if max_depth else "+"
    pattern = f"^(?:[^{LABEL_END}{KEY_START}]*{LABEL_END}){labels}"
    end = LABEL_END + prefix_of(list(map(clean, suffix))) if suffix else None
    values = {"low": low, "high": high, "pattern": pattern, "suffix": end}
    return await db.record_namespace.page(ctx.reads, ctx.viewer, window, values)


def _batch(values: Sequence[Any], field: str) -> Sequence[Any]:
    if not 1 <= len(values) <= MAX_BATCH:
        raise Invalid(f"{field} takes 1 to {MAX_BATCH}; it has {len(values)}.", field=field)
    return values


def _checked(index: int, record: Mapping[str, Any], settings: Settings, at: datetime) -> dict[str, Any]:
    """The columns of a new record."""
    path = ["records", str(index)]
    value, binary = record.get("value"), record.get("bytes")
    if (value is None) == (binary is None):
        raise Invalid("A record has either value or bytes.", field=[*path, "value"])
    metadata, ttl = record.get("metadata") or "{}", record.get("ttl_seconds")
    for name, size in (("value", _size(value)), ("bytes", len(binary or b"")), ("metadata", _size(metadata))):
        if size > settings.max_record_bytes:
            limit = f"{name} has at most {settings.max_record_bytes:,} bytes (MAX_RECORD_BYTES); it has {size:,}."
            raise Invalid(limit, field=[*path, name])
    if ttl is not None and not 1 <= ttl <= MAX_TTL_SECONDS:
        raise Invalid(f"ttlSeconds must be 1 to {MAX_TTL_SECONDS:,}; it is {ttl}.", field=[*path, "ttlSeconds"])
    if (expected := record.get("expected_revision")) is not None and expected < 0:
        raise Invalid(f"expectedRevision is 0 or more; it is {expected}.", field=[*path, "expectedRevision"])
    return {
        "path": _path(path, record["namespace"], record["key"]),
        "session_id": record.get("session_id"),
        "value": value,
        "binary": binary,
        "metadata": metadata,
        "tags": _tags(metadata),
        "text": "" if value is None else "\n".join(_strings(json.loads(value)))[: settings.search_text_limit],
        "expires_at": None if ttl is None else at + timedelta(seconds=ttl),
    }


def _path(field: list[str], namespace: Sequence[str], key: str) -> str:
    path = path_of(_labels(namespace, [*field, "namespace"]), _label(key, [*field, "key"]))
    if len(path.encode()) > MAX_RECORD_PATH_BYTES:
        message = f"namespace and key together have at most {MAX_RECORD_PATH_BYTES:,} bytes."
        raise Invalid(message, field=[*field, "namespace"])
    return path


def _labels(namespace: Sequence[str], field: list[str]) -> list[str]:
    if len(namespace) > MAX_NAMESPACE_LABELS:
        raise Invalid(f"A namespace has at most {MAX_NAMESPACE_LABELS} labels; it has {len(namespace)}.", field=field)
    return [_label(label, [*field, str(index)]) for index, label in enumerate(namespace)]


def _label(text: str, field: list[str]) -> str:
    """A label or a key: 1 to 255 characters, none of them a control character."""
    try:
        validation.name(text, "A label or a key")
    except Invalid as invalid:
        raise Invalid(invalid.message, field=field) from None
    if CONTROL.search(text):
        raise Invalid("A label or a key cannot hold a control character; leave it out.", field=field)
    return text


def _range(prefix: Sequence[str]) -> tuple[str, str]:
    try:
        return below(_labels(prefix, ["namespacePrefix"]))
    except Invalid as invalid:
        raise BadInput(invalid.message) from None


def _bound(key: str | None, field: str) -> str | None:
    try:
        return validation.optional_text(key, field, min_length=0)
    except Invalid as invalid:
        raise BadInput(invalid.message) from None


def _size(text: str | None) -> int:
    return 0 if text is None else len(text.encode(errors="replace"))


def _tags(metadata: str) -> str:
    """The metadata as jsonb can hold it: NUL and halves of surrogate pairs become U+FFFD."""
    return json.dumps(_comparable(json.loads(metadata)), ensure_ascii=False)


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, dict):
        return {_comparable(key): _comparable(item) for key, item in value.items()}
    return value


def _strings(value: Any) -> Iterator[str]:
    """All strings of a JSON value, in their order."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield _comparable(item)
        elif isinstance(item, dict):
            pending.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            pending.extend(reversed(item))


def _refuse_duplicates(new: Sequence[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for index, record in enumerate(new):
        if record["path"] in seen:
            raise Invalid(
                "Another record of this call has the same namespace and key.", field=["records", str(index), "key"]
            )
        seen.add(record["path"])


def _refuse_unknown_sessions(new: Sequence[Mapping[str, Any]], found: set[str]) -> None:
    for index, record in enumerate(new):
        if record["session_id"] and record["session_id"] not in found:
            raise NotFound("There is no such session.", field=["records", str(index), "sessionId"])


def _refuse_other_revision(index: int, expected: int | None, found: int) -> None:
    if expected not in (None, found):
        field = ["records", str(index), "expectedRevision"]
        raise Conflict("The record has changed since.", field=field, current_revision=found)
