"""Subscriptions over HTTP as Apollo Client and Relay request them, `multipart/mixed;subscriptionSpec="1.0"`
(https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol).

Each result is a part, `{"payload": {"data": ...}}`, and a heartbeat is an empty object. A response that ends before its
operation (the server stops, the token has expired) ends with a part that has `errors` beside the payload: its client
may subscribe again, with the cursor of the last event as `after`.
"""

from typing import Any

from app.transport import json_codec
from app.transport.event_streams import EventStream

PART = b"\r\ncontent-type: application/json\r\n\r\n%b\r\n--graphql"  # clients read a part when they see its end
COMPLETE = b"--\r\n"


class MultipartStream(EventStream):
    """One response of parts."""

    protocol = "multipart"
    content_type = b'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
    opening = b"\r\n--graphql"
    heartbeat = PART % b"{}"

    async def send(self, payload: bytes, cursor: str | None = None) -> None:
        await self.write(PART % (b'{"payload":%b}' % payload))

    async def send_complete(self) -> None:
        await self.write(COMPLETE)

    async def send_errors(self, errors: list[dict[str, Any]]) -> None:
        await self.send(json_codec.encode({"data": None, "errors": errors}))
        await self.write(COMPLETE)

    def interruption(self, code: str, message: str) -> bytes:
        errors = [{"message": message, "extensions": {"code": code}}]
        return PART % json_codec.encode({"payload": None, "errors": errors}) + COMPLETE
