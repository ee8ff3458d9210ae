"""Token usage: the counts that a producer or a client reports for one message."""

from typing import Any

from app.documents.format import UsageReader
from app.limits import MAX_TOKENS

COLUMNS = ("input_tokens", "output_tokens", "total_tokens")


def usage_columns(input_tokens: Any, output_tokens: Any, total_tokens: Any = None) -> dict[str, int] | None:
    """The columns of a usage; None if the values are not counts. Without a total, the total is the sum."""
    counts = [input_tokens, output_tokens]
    if not all(type(count) is int and count >= 0 for count in counts):
        return None
    total = sum(counts) if total_tokens is None else total_tokens
    if type(total) is not int or not 0 <= total <= MAX_TOKENS or max(counts) > MAX_TOKENS:
        return None
    return dict(zip(COLUMNS, (*counts, total), strict=True))


def usage_reader(input_key: str, output_key: str, total_key: str) -> UsageReader:
    """Reads an object with the counts under these keys."""

    def read(usage: Any) -> dict[str, int] | None:
        if not isinstance(usage, dict) or input_key not in usage:
            return None
        return usage_columns(usage[input_key], usage.get(output_key), usage.get(total_key))

    return read
