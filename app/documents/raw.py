"""The document in a `raw` field: stored character for character, or refused."""

from app.errors import Invalid


def check_raw(text: str | None, field: str, max_bytes: int) -> str | None:
    """The document unchanged. Raises Invalid for a character that PostgreSQL cannot store, or for too many bytes."""
    if text is None:
        return None
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        encoded = b"\0"  # half a surrogate pair
    if b"\0" in encoded:
        raise Invalid(f"{field} must write U+0000 and half surrogate pairs as JSON escapes.", field=field)
    if (size := len(encoded)) > max_bytes:
        raise Invalid(f"{field} takes at most {max_bytes} bytes; it has {size}.", field=field)
    return text
