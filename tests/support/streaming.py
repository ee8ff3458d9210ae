"""Producers and readers of messages that are written bit by bit."""

from typing import Any, NamedTuple

from tests.support.users import User, error

WHY = (
    "errors { __typename code field ... on OffsetError { expectedOffset } ... on IllegalTransitionError { "
    "fromStatus toStatus } ... on ConflictError { currentRevision } ... on LimitError { limit } }"
)
SHOWN = "message { id sequence status text } cursor"


class Writing(NamedTuple):
    """A message under way, and the fence of one producer of it."""

    message: str
    fence: str
    sequence: int


async def does(user: User, mutation: str, selection: str, **given: Any) -> Any:
    """A mutation's payload, with all that its errors say."""
    named = "MessageIdInput" if mutation == "cancelMessage" else mutation[0].upper() + mutation[1:] + "Input"
    query = f"mutation ($input: {named}!) {{ {mutation}(input: $input) {{ {selection} {WHY} }} }}"
    return (await user.asks(query, input=given))[mutation]


async def starts(user: User, session: str, **fields: Any) -> Writing:
    """A message begun; it must go well."""
    payload = await does(user, "startMessage", f"fence {SHOWN}", sessionId=session, **fields)
    assert payload["errors"] == [], payload
    return Writing(payload["message"]["id"], payload["fence"], payload["message"]["sequence"])


async def extends(user: User, writing: Writing, offset: int, text: str) -> Any:
    """None, or the one error without its words."""
    given = {"id": writing.message, "fence": writing.fence, "offset": offset, "text": text}
    return why(await does(user, "extendMessage", "message { id }", **given))


async def writes(user: User, writing: Writing, *texts: str) -> None:
    """Texts one after the other from the beginning; all must go well."""
    offset = 0
    for text in texts:
        assert await extends(user, writing, offset, text) is None
        offset += len(text)


async def finishes(user: User, writing: Writing, **fields: Any) -> Any:
    """The message's status and text, or the one error."""
    payload = await does(user, "finishMessage", SHOWN, id=writing.message, fence=writing.fence, **fields)
    return why(payload) or (payload["message"]["status"], payload["message"]["text"])


async def cancels(user: User, writing: Writing) -> Any:
    """The message's status and text, or the one error."""
    payload = await does(user, "cancelMessage", SHOWN, id=writing.message)
    return why(payload) or (payload["message"]["status"], payload["message"]["text"])


async def reads(user: User, writing: Writing) -> tuple[str, str] | None:
    """The status and the text that anybody sees; None for a message that is not there."""
    query = (
        "query ($id: ID!) { node(id: $id) { ... on Message { status text content { ... on TextBlock { text } } } } }"
    )
    node = (await user.asks(query, id=writing.message))["node"]
    if node is None:
        return None
    assert "".join(block["text"] for block in node["content"]) == node["text"]
    return node["status"], node["text"]


def why(payload: Any) -> Any:
    """The one error of a payload without its words, or None."""
    if not payload["errors"]:
        return None
    [found] = payload["errors"]
    return error(**{name: value for name, value in found.items() if name not in ("__typename", "field")})


def ended(status: str) -> dict[str, Any]:
    """What an extend of a message with this status answers."""
    return error("ILLEGAL_TRANSITION", fromStatus="STREAMING", toStatus=status)


def ends_at(offset: int) -> dict[str, Any]:
    """What an extend that does not fit answers."""
    return error("OFFSET_MISMATCH", expectedOffset=offset)


FENCED = error("FENCED")
