"""The columns of a message, from the fields of an input."""

from collections.abc import Mapping
from typing import Any

from app.documents.raw import check_raw
from app.documents.reader import read
from app.documents.usage import COLUMNS as USAGE
from app.documents.usage import usage_columns as counted
from app.errors import Invalid
from app.limits import MAX_TEXT_LENGTH, MAX_TOKENS
from app.resolvers import validation
from app.unit_of_work import UnitOfWork

CHECKS: dict[str, validation.Check] = {
    "key": validation.optional_text,
    "role": validation.unchecked,
    "agent_key": validation.optional_text,
    "metadata": validation.not_null,
    "client_created_at": validation.unchecked,
}
DEFAULTS: dict[str, Any] = {"key": None, "agent_key": None, "metadata": "{}", "client_created_at": None}
NO_USAGE: dict[str, Any] = dict.fromkeys(USAGE)


def new_columns(work: UnitOfWork, fields: Mapping[str, Any]) -> dict[str, Any]:
    """All columns of a message to append. A field that is None gets its default. Raises Invalid."""
    columns = {**DEFAULTS, **NO_USAGE}
    for name, check in CHECKS.items():
        value = fields.get(name)
        if value is not None:
            columns[name] = check(value, validation.public_name(name))
    columns |= content_columns(work, fields)
    if (usage := fields.get("usage")) is not None:
        columns |= usage_columns(usage)
    return columns


def content_columns(work: UnitOfWork, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the content: of exactly one of `text` and `raw`. Raises Invalid."""
    text, raw = fields.get("text"), fields.get("raw")
    if (text is None) == (raw is None):
        raise Invalid("A message needs exactly one of text and raw.", field="text")
    if raw is None:
        text = validation.text(text, "text", max_length=MAX_TEXT_LENGTH)
        return {"text": text, "raw": None, "content": None}
    check_raw(raw, "raw", work.settings.max_raw_bytes)
    content = read(raw)
    return {"text": content.text, "raw": raw, "content": content.stored_blocks, **(content.usage or {})}


def usage_columns(counts: Mapping[str, Any] | None) -> dict[str, int]:
    """The columns of the token usage that a client sent; empty if it sent none. Raises Invalid."""
    if counts is None:
        return {}
    columns = counted(**counts)
    if columns is None:
        raise Invalid(f"usage counts tokens, 0 to {MAX_TOKENS} of each kind and together.", field="usage")
    return columns
