"""Operations of records: documents under keys, in namespaces."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Literal

from colloquy import graphql_documents as documents
from colloquy.decoding import decode, decode_optional
from colloquy.operation import (
    UNSET,
    JSONObject,
    Operation,
    PagedOperation,
    Unset,
    camel_case_keys,
    decode_page,
    mutation,
    provided,
)
from colloquy.results import Page, Record, RecordNamespace


def record(namespace: Sequence[str], key: str) -> Operation[Record | None]:
    """Returns the record of this name; None without it."""
    return Operation(
        documents.RECORD_BY,
        {"namespace": list(namespace), "key": key},
        lambda data: decode_optional(Record, data["record"]),
    )


def record_page(
    namespace_prefix: Sequence[str] = (),
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    order: Literal["KEY", "UPDATED_AT"] = "KEY",
    direction: Literal["ASC", "DESC"] = "ASC",
    **filter: Any,
) -> Operation[Page[Record]]:
    """Returns one page of the records in a namespace and in those below it; `filter` is RecordFilter."""
    window = {"first": first, "after": after, "last": last, "before": before}
    order_by = {"field": order, "direction": direction}
    conditions = {"namespacePrefix": list(namespace_prefix), "filter": camel_case_keys(filter), "orderBy": order_by}
    return Operation(documents.RECORDS, {**window, **conditions}, lambda data: decode_page(Record, data["records"]))


def records(namespace_prefix: Sequence[str] = (), page_size: int = 50, **filter: Any) -> PagedOperation[Record]:
    """Iterates over the records in a namespace and in those below it.

    `filter` is RecordFilter, `order` and `direction` are as for `record_page`.
    """
    return PagedOperation(record_page, {"namespace_prefix": namespace_prefix, "first": page_size, **filter})


def record_namespace_page(
    prefix: Sequence[str] = (),
    *,
    suffix: Sequence[str] = (),
    max_depth: int | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Operation[Page[RecordNamespace]]:
    """Returns one page of the namespaces that have records, in their order, shortened to `max_depth` labels."""
    window = {"first": first, "after": after, "last": last, "before": before}
    conditions = {"prefix": list(prefix), "suffix": list(suffix), "maxDepth": max_depth}
    return Operation(
        documents.RECORD_NAMESPACES,
        {**window, **conditions},
        lambda data: decode_page(RecordNamespace, data["recordNamespaces"]),
    )


def record_namespaces(
    prefix: Sequence[str] = (), page_size: int = 100, *, suffix: Sequence[str] = (), max_depth: int | None = None
) -> PagedOperation[RecordNamespace]:
    """Iterates over the namespaces that have records; the arguments are those of `record_namespace_page`."""
    conditions = {"prefix": prefix, "suffix": suffix, "max_depth": max_depth}
    return PagedOperation(record_namespace_page, {**conditions, "first": page_size})


def put_records(records: Sequence[JSONObject], *, idempotency_key: str | None = None) -> Operation[tuple[Record, ...]]:
    """Stores 1 to 100 records, each made by `new_record`, all or none, and returns them.

    Raises Conflict if a record is not at its `expected_revision`.
    """
    return mutation(
        documents.PUT_RECORDS,
        {"records": list(records)},
        lambda payload: tuple(decode(Record, record) for record in payload["records"]),
        idempotency_key,
    )


def new_record(
    namespace: Sequence[str],
    key: str,
    value: Any = UNSET,
    *,
    bytes: bytes | Unset = UNSET,
    metadata: JSONObject | Unset = UNSET,
    session_id: str | None = None,
    ttl_seconds: int | None = None,
    expected_revision: int | None = None,
) -> dict[str, Any]:
    """Returns one record for `put_records`; it has exactly one of value and bytes.

    `expected_revision` is 0 if no record may exist under the key.
    """
    binary = bytes if isinstance(bytes, Unset) else b64encode(bytes).decode()
    content = {"namespace": list(namespace), "key": key, "value": value, "bytes": binary, "metadata": metadata}
    conditions = {"sessionId": session_id, "ttlSeconds": ttl_seconds, "expectedRevision": expected_revision}
    return provided({**content, **conditions})


def delete_records(
    keys: Sequence[tuple[Sequence[str], str]] | Unset = UNSET,
    *,
    namespace_prefix: Sequence[str] | Unset = UNSET,
    key_to: str | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Operation[int]:
    """Deletes records and returns how many there were: 1 to 100 by namespace and key, or all below a namespace.

    With `namespace_prefix`, `key_to` deletes only records whose key is this one or comes before it.
    """
    names = keys if isinstance(keys, Unset) else [{"namespace": list(path), "key": key} for path, key in keys]
    prefix = namespace_prefix if isinstance(namespace_prefix, Unset) else list(namespace_prefix)
    fields = {"keys": names, "namespacePrefix": prefix, "keyTo": key_to}
    return mutation(documents.DELETE_RECORDS, fields, lambda payload: int(payload["deletedCount"]), idempotency_key)
