"""What people see of a producer's document: blocks, one text, the tokens it says it took (invariant 5).

Known are the documents of Strands and Bedrock Converse, of OpenAI (chat completions and Responses) and of
Anthropic: whole answers, messages, or lists of either. Whatever is not recognised is kept as a block of kind
"other"; nothing is an error.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.parsing import parsed

TOKENS = (
    ("inputTokens", "outputTokens", "totalTokens"),
    ("input_tokens", "output_tokens", "total_tokens"),
    ("prompt_tokens", "completion_tokens", "total_tokens"),
)
USAGE = ("input_tokens", "output_tokens", "total_tokens")
MOST_TOKENS = 2**31 - 1
TEXT_LENGTH = 1_000_000


class Shown(NamedTuple):
    """What is derived from a document: `content` is the JSON of its blocks, None when the text says it all."""

    text: str
    content: str | None
    usage: dict[str, int] | None


def shown(raw: str) -> Shown:
    """What people see of a document. A text that is no JSON object, list or string is shown as it is."""
    document = parsed(raw)
    if not isinstance(document, dict | list | str):
        return Shown(raw[:TEXT_LENGTH], None, None)
    found = list(_blocks(document))
    text = "\n".join(block["text"] for block in found if block["kind"] == "text")[:TEXT_LENGTH]
    content = None if found == of_text(text) else orjson.dumps(found).decode()
    return Shown(text, content, _usage(document))


def of_text(text: str) -> list[Block]:
    """The blocks of a message that is nothing but its text."""
    return [{"kind": "text", "text": text}] if text else []


def counted(input_tokens: Any, output_tokens: Any, total_tokens: Any = None) -> dict[str, int] | None:
    """The columns of a message's usage; None for what are no counts. Without a total it is the sum."""
    counts = [input_tokens, output_tokens]
    if not all(type(count) is int and count >= 0 for count in counts):
        return None
    total = sum(counts) if total_tokens is None else total_tokens
    if type(total) is not int or not 0 <= total <= MOST_TOKENS or max(counts) > MOST_TOKENS:
        return None
    return dict(zip(USAGE, (*counts, total), strict=True))


def _blocks(document: Any) -> Iterator[Block]:
    """The blocks of an answer, a message, or a list of messages or parts."""
    if isinstance(document, str):
        yield from of_text(document)
    elif isinstance(document, list):
        for item in document:
            yield from _blocks_of_message(_message(item))
    else:
        yield from _blocks_of_message(_message(document))


def _message(document: Any) -> Any:
    """The message inside its envelope."""
    match document:
        case {"redact_message": dict(inside)}:  # Strands shows it in place of the message
            return inside
        case {"message": dict(inside)} | {"choices": [{"message": dict(inside)}, *_]}:
            return inside
        case {"output": {"message": dict(inside)}}:
            return inside
        case {"object": "response", "output": list(items)}:
            return {"role": "assistant", "content": items}
    return document


def _blocks_of_message(message: Any) -> Iterator[Block]:
    """The parts that a message has inside, or the one part that it is itself."""
    match message:
        case {"role": "tool" | "function", "tool_call_id": str(call), "content": content}:
            yield blocks.tool_result(call, content, is_error=False)
        case {"role": str()} | {"type": "message", "content": str() | list()}:
            if isinstance(thought := message.get("reasoning_content"), str) and thought:
                yield blocks.reasoning(thought)
            yield from _parts(message.get("content"))
            yield from _parts(message.get("refusal"))
            yield from _parts(message.get("tool_calls"))
        case _:
            yield blocks.of(message)


def _parts(content: Any) -> Iterator[Block]:
    """The blocks of a message's content; a Responses item may hold a message once more."""
    match content:
        case None:
            return
        case str():
            yield from of_text(content)
        case list():
            for part in content:
                match part:
                    case {"type": "message", "content": list(inside)}:
                        yield from map(blocks.of, inside)
                    case _:
                        yield blocks.of(part)
        case _:
            yield blocks.of(content)


def _usage(document: Any) -> dict[str, int] | None:
    """What the document itself says, or the message inside it."""
    for place in (document, _message(document)):
        match place:
            case {"usage": dict(usage)} | {"metadata": {"usage": dict(usage)}}:
                found = [counted(*map(usage.get, names)) for names in TOKENS]
                return next(filter(None, found), None)
    return None
