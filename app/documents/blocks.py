"""The blocks of a message as they are stored: one dict for each part. Their schema types are in `schema/content.py`."""

from typing import Any

from app.documents.parsing import parse
from app.limits import MAX_NAME_LENGTH, MAX_PARSED_INPUTS

Block = dict[str, Any]

ANY_IMAGE = "image/*"
ANY_AUDIO = "audio/*"
ANY_FILE = "application/octet-stream"


def text_blocks(text: str) -> list[Block]:
    """The blocks of a message that consists of its text only."""
    return [text_block(text)] if text else []


def text_block(text: str) -> Block:
    return {"kind": "text", "text": text}


def reasoning(text: str) -> Block:
    """`text` is empty if its producer encrypted or withheld the reasoning."""
    return {"kind": "reasoning", "text": text}


def tool_use(call_id: str, name: str, arguments: Any) -> Block:
    """`arguments` may be a JSON text, as OpenAI writes them: `parse_inputs`."""
    return {"kind": "tool_use", "tool_use_id": call_id, "name": name, "input": arguments}


def parse_inputs(found: list[Block]) -> None:
    """Parses the first MAX_PARSED_INPUTS inputs of tools that are texts; a text that is not JSON stays one."""
    texts = [block for block in found if block["kind"] == "tool_use" and isinstance(block["input"], str)]
    for block in texts[:MAX_PARSED_INPUTS]:
        value = parse(block["input"])
        if value is not None:
            block["input"] = value


def tool_result(call_id: str, content: Any, *, is_error: bool = False) -> Block:
    return {"kind": "tool_result", "tool_use_id": call_id, "is_error": is_error, "content": content}


def media(media_type: str, file_name: Any = None, data: Any = None) -> Block:
    """`data` is base64, or bytes as Strands writes them; other data has no known length."""
    name = file_name if isinstance(file_name, str) else None
    return {"kind": "media", "media_type": media_type, "file_name": name, "byte_length": _byte_length(data)}


def linked_media(url: str, media_type: str, file_name: Any = None) -> Block:
    """The content of a data URL (RFC 2397); for any other URL, media of the given type without a length."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:"):
        return media(media_type, file_name)
    own_type, _, encoding = head.removeprefix("data:").partition(";")
    return media(own_type or "text/plain", file_name, data if encoding.endswith("base64") else None)


def file(content: Any, media_type: Any, file_name: Any = None, *, unnamed: str = ANY_FILE) -> Block:
    """`content` is a URL, a data URL or base64; `unnamed` is the media type if the producer wrote none."""
    own_type = media_type if isinstance(media_type, str) and media_type else unnamed
    if isinstance(content, str) and content.startswith("data:"):
        return linked_media(content, own_type, file_name)
    return media(own_type, file_name, None if isinstance(content, str) and "://" in content[:32] else content)


def source(url: Any, title: Any = None, file_name: Any = None) -> Block:
    """Something that an answer relies on. Values that are not texts count as missing."""
    values = {"url": url, "title": title, "file_name": file_name}
    return {"kind": "source"} | {name: value if isinstance(value, str) else None for name, value in values.items()}


def data(name: str, value: Any) -> Block:
    """A value under a name that its producer chose, for a program or a component of a page."""
    return {"kind": "data", "name": name[:MAX_NAME_LENGTH], "data": value}


def other(part: Any, name: str | None = None) -> Block:
    """A part that no format recognises, under the name that the part has: its `type`, or its first key."""
    if name is None and isinstance(part, dict):
        own_type = part.get("type")
        name = own_type if isinstance(own_type, str) else next(iter(part), "empty")
    return {"kind": "other", "name": (name or type(part).__name__)[:MAX_NAME_LENGTH], "raw": part}


def _byte_length(data: Any) -> int | None:
    """How many bytes a base64 text encodes (RFC 4648, section 4)."""
    if isinstance(data, dict) and data.get("__bytes_encoded__") is True:
        data = data.get("data")
    return len(data.rstrip("=")) * 3 // 4 if isinstance(data, str) else None
