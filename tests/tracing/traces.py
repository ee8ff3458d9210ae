"""Traces that tests start, and a write that belongs to one."""

import secrets
from typing import Any, NamedTuple

from tests.support.users import User

PRIVATE = "swordfish-42"
APPEND = """
mutation Append($input: AppendMessageInput!) {
  appendMessage(input: $input) { message { sequence } errors { code } }
}
"""


class Caller(NamedTuple):
    """A span of a client."""

    trace: str
    span: str

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace}-{self.span}-01"


def new_caller() -> Caller:
    return Caller(secrets.token_hex(16), secrets.token_hex(8))


async def appends(user: User, session: str, caller: Caller, text: str = PRIVATE) -> None:
    """Appends a message within the caller's trace."""
    message: dict[str, Any] = {"role": "USER", "text": text, "metadata": {"note": text}}
    headers = {"traceparent": caller.traceparent}
    response = await user.responds(APPEND, headers, input={"sessionId": session, "message": message})
    assert response["data"]["appendMessage"]["errors"] == []
