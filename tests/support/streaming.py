"""Producers and readers of streaming messages."""

from typing import Any, NamedTuple

from tests.support.users import User, error

ERRORS = (
    "errors { __typename code field ... on OffsetError { expectedOffset } ... on IllegalTransitionError { "
    "fromStatus toStatus } ... on ConflictError { currentRevision } ... on LimitError { limit } }"
)
SELECTION = "message { id sequence status text } cursor"


class Writing(NamedTuple):
    """A streaming message, and the fence of one of its producers."""

    message: str
    fence: str
    sequence: int


async def does(user: User, mutation: str, selection: str, **fields: Any) -> Any:
    """A mutation's payload, with every field of its errors."""
    type_ = "MessageIdInput" if mutation == "cancelMessage" else mutation[0].upper() + mutation[1:] + "Input"
    query = f"mutation ($input: {type_}!) {{ {mutation}(input: $input) {{ {selection} {ERRORS} }} }}"
    return (await user.asks(query, input=fields))[mutation]


async def starts(user: User, session: str, **fields: Any) -> Writing:
    """Starts a message, without errors."""
    payload = await does(user, "startMessage", f"fence {SELECTION}", sessionId=session, **fields)
    assert payload["errors"] == [], payload
    return Writing(payload["message"]["id"], payload["fence"], payload["message"]["sequence"])


async def extends(user: User, writing: Writing, offset: int, text: str) -> Any:
    """Extends a message; None, or the only error without its message."""
    fields = {"id": writing.message, "fence": writing.fence, "offset": offset, "text": text}
    return why(await does(user, "extendMessage", "message { id }", **fields))


async def extends_parts(user: User, writing: Writing, offset: int, *parts: Any) -> Any:
    """Extends a message with parts; None, or the only error without its message."""
    fields = {"id": writing.message, "fence": writing.fence, "offset": offset, "parts": list(parts)}
    return why(await does(user, "extendMessage", "message { id }", **fields))


async def reads_parts(user: User, writing: Writing, after: int | None = None) -> Any:
    """The parts so far that a reader gets, and the text; None for a message that does not exist."""
    query = "query ($id: ID!, $after: Int) { node(id: $id) { ... on Message { text parts(after: $after) } } }"
    node = (await user.asks(query, id=writing.message, after=after))["node"]
    return node and (node["parts"], node["text"])


async def writes(user: User, writing: Writing, *texts: str) -> None:
    """Extends a message with texts one after the other from offset 0, without errors."""
    offset = 0
    for text in texts:
        assert await extends(user, writing, offset, text) is None
        offset += len(text)


async def finishes(user: User, writing: Writing, **fields: Any) -> Any:
    """The message's status and text, or the only error."""
    payload = await does(user, "finishMessage", SELECTION, id=writing.message, fence=writing.fence, **fields)
    return why(payload) or (payload["message"]["status"], payload["message"]["text"])


async def cancels(user: User, writing: Writing) -> Any:
    """The message's status and text, or the only error."""
    payload = await does(user, "cancelMessage", SELECTION, id=writing.message)
    return why(payload) or (payload["message"]["status"], payload["message"]["text"])


async def reads(user: User, writing: Writing) -> tuple[str, str] | None:
    """The status and text that a reader gets; None for a message that does not exist."""
    query = (
        "query ($id: ID!) { node(id: $id) { ... on Message { status text content { ... on TextBlock { text } } } } }"
    )
    node = (await user.asks(query, id=writing.message))["node"]
    if node is None:
        return None
    assert "".join(block["text"] for block in node["content"]) == node["text"]
    return node["status"], node["text"]


def why(payload: Any) -> Any:
    """The only error of a payload without its message, or None."""
    if not payload["errors"]:
        return None
    [found] = payload["errors"]
    return error(**{name: value for name, value in found.items() if name not in ("__typename", "field")})


def ended(status: str) -> dict[str, Any]:
    """The error of an extend of a message with this status."""
    return error("ILLEGAL_TRANSITION", fromStatus="STREAMING", toStatus=status)


def ends_at(offset: int) -> dict[str, Any]:
    """The error of an extend at another offset than this one."""
    return error("OFFSET_MISMATCH", expectedOffset=offset)


FENCED = error("FENCED")
