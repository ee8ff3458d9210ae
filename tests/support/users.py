"""Users of the tests: each has a token and sends GraphQL to a real server."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.events import events
from tests.support.multipart import parts

ERRORS = "errors { __typename code message field ... on ConflictError { currentRevision } }"


class Refusal(Exception):
    """A response with top-level errors."""

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__(json.dumps(response["errors"]))
        self.errors = response["errors"]
        self.code = self.errors[0].get("extensions", {}).get("code")


class User:
    """A client with one owner's token; `url` is the server's address, `schema` the SDL of an older server."""

    def __init__(self, name: str, url: str, token: str, http: httpx2.AsyncClient, schema: str = "") -> None:
        self.name, self.url, self.token, self._http, self._schema = name, url, token, http, schema

    async def responds(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> dict[str, Any]:
        """The whole response to an operation, errors included."""
        answer = await self._http.post(
            f"{self.url}/graphql",
            content=json.dumps(
                {"query": query, "variables": variables}
            ),  # escaped as ASCII, which can hold any text, lone surrogates too
            headers={"authorization": f"Bearer {self.token}", "content-type": "application/json", **(headers or {})},
        )
        response: dict[str, Any] = answer.json()
        return response

    async def asks(self, query: str, **variables: Any) -> Any:
        """The data of an operation. Raises Refusal for a response with top-level errors."""
        response = await self.responds(query, **variables)
        if response.get("errors"):
            raise Refusal(response)
        return response["data"]

    async def does(self, mutation: str, selection: str = "", **input: Any) -> Any:
        """A mutation's payload: the fields of `selection`, and its errors."""
        type_ = INPUTS.get(mutation, mutation[0].upper() + mutation[1:] + "Input")
        query = f"mutation ($input: {type_}!) {{ {mutation}(input: $input) {{ {selection} {ERRORS} }} }}"
        return (await self.asks(query, input=input))[mutation]

    async def creates_session(self, title: str | None = None, **fields: Any) -> str:
        """Creates a session; its id."""
        input = fields if title is None else {"title": title, **fields}
        payload = await self.does("createSession", "session { id }", **input)
        assert payload["errors"] == [], payload
        session: str = payload["session"]["id"]
        return session

    async def appends(self, session: str, text: str, role: str = "USER", **fields: Any) -> Any:
        """Appends a message; its sequence and text, or the only error."""
        message = {"role": role, "text": text, **fields}
        payload = await self.does("appendMessage", "message { sequence text }", sessionId=session, message=message)
        return payload["message"] or outcome(payload)

    async def sees(self, session: str, selection: str) -> Any:
        """A session's fields, or None if this user has no such session."""
        return (await self.asks(f"query ($id: ID!) {{ session(id: $id) {{ {selection} }} }}", id=session))["session"]

    @asynccontextmanager
    async def subscribes(self, query: str, **variables: Any) -> AsyncIterator["Subscription"]:
        """A subscription on a new websocket."""
        address = self.url.replace("http", "ws", 1) + "/graphql"
        protocols = [Subprotocol("graphql-transport-ws")]
        async with connect(address, subprotocols=protocols, max_queue=None) as socket:  # closes with frames unread
            payload = {"Authorization": f"Bearer {self.token}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            operation = {"query": query, "variables": variables}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": operation}))
            yield Subscription(socket)

    def streams(self, query: str, last_id: str | None = None, **variables: Any) -> Any:
        """The SSE response to an operation; `last_id` is the Last-Event-ID header of a client that reconnects."""
        headers = {"authorization": f"Bearer {self.token}", **({"last-event-id": last_id} if last_id else {})}
        return events(self._http, f"{self.url}/graphql/stream", {"query": query, "variables": variables}, headers)

    def subscribes_in_parts(self, query: str, **variables: Any) -> Any:
        """A subscription whose response is in parts."""
        headers = {"authorization": f"Bearer {self.token}"}
        return parts(self._http, f"{self.url}/graphql", {"query": query, "variables": variables}, headers)

    def follows_in_parts(self, session: str, after: str | None = None) -> Any:
        """The events of a session in parts."""
        return self.subscribes_in_parts(EVENTS, session=session, after=after, follow=True)

    def follows(self, session: str, after: str | None = None, follow: bool = True) -> Any:
        """The events of a session, on a new websocket."""
        return self.subscribes(self._known(EVENTS), session=session, after=after, follow=follow)

    async def replays(self, session: str, after: str | None = None) -> list[dict[str, Any]]:
        """All events of a session after a cursor, up to CaughtUp."""
        async with self.follows(session, after, follow=False) as stream:
            return [event async for event in stream]

    def watches(self, after: str | None = None, follow: bool = True) -> Any:
        """The events of everything that the user owns, on a new websocket."""
        return self.subscribes(self._known(VIEWER_EVENTS), after=after, follow=follow)

    def _known(self, document: str) -> str:
        """The document without the events that an older server does not have."""
        kept = [
            line
            for line in document.splitlines()
            if not (found := EVENT.match(line)) or f"type {found[1]} " in self._schema or not self._schema
        ]
        return "\n".join(kept)

    async def catches_up(self, after: str | None = None) -> list[dict[str, Any]]:
        """All events of the user after a cursor, up to CaughtUp."""
        async with self.watches(after, follow=False) as stream:
            return [event async for event in stream]

    async def now(self) -> str:
        """The cursor of the user's next event."""
        cursor: str = (await self.asks("{ viewer { eventCursor } }"))["viewer"]["eventCursor"]
        return cursor

    async def quiet_cursor(self) -> str:
        """The same, once no event is repeated: an open transaction, of any owner, makes the events after it come twice."""
        while len(await self.catches_up(cursor := await self.now())) > 1:
            await asyncio.sleep(0.02)
        return cursor


class Subscription:
    """The events of one subscription, without their envelope."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> dict[str, Any]:
        frame = json.loads(await self.socket.recv())
        if frame["type"] == "complete":
            raise StopAsyncIteration
        if frame["type"] == "error":
            raise Refusal({"errors": frame["payload"]})
        if frame["payload"].get("errors"):
            raise Refusal(frame["payload"])
        [event] = frame["payload"]["data"].values()
        body: dict[str, Any] = event
        return body

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """The events up to and including the first of this type."""
        seen = []
        async for event in self:
            seen.append(event)
            if event["__typename"] == kind:
                break
        return seen


def error(code: str, **more: Any) -> dict[str, Any]:
    """The only error of a payload, as `outcome` returns it; `field` is a path with dots."""
    return {"code": code, **more}


def outcome(payload: dict[str, Any]) -> dict[str, Any]:
    """The only error of a payload: its code, and the path of its field."""
    [found] = payload["errors"]
    return error(found["code"], field=".".join(found["field"])) if found["field"] else error(found["code"])


INPUTS = {
    "archiveSession": "SessionIdInput",
    "restoreSession": "SessionIdInput",
    "deleteMessage": "MessageIdInput",
    "cancelMessage": "MessageIdInput",
    "deleteAgent": "AgentIdInput",
}
EVENT = re.compile(r" *\.\.\. on (?!Event\b)(\w+)")
EVENTS = """
subscription ($session: ID!, $after: String, $follow: Boolean!) {
  sessionEvents(sessionId: $session, after: $after, follow: $follow) {
    __typename
    ... on Event { cursor }
    ... on MessageAdded { message { id sequence text role revision } }
    ... on MessageDelta { messageId offset text }
    ... on MessagePartsDelta { messageId offset parts }
    ... on MessageChanged { message { id sequence text role revision } }
    ... on MessageRemoved { messageId }
    ... on SessionChanged { session { id title status revision archivedAt deletedAt unreadCount } }
    ... on SessionRemoved { sessionId }
    ... on SessionAgentChanged { sessionAgent { key kind state revision } }
    ... on TaskChanged { task { id type status revision } }
    ... on ApprovalChanged { approval { id status notes } }
    ... on StreamReset { reason }
  }
}
"""
VIEWER_EVENTS = """
subscription ($after: String, $follow: Boolean!) {
  viewerEvents(after: $after, follow: $follow) {
    __typename
    ... on Event { cursor }
    ... on SessionChanged { session { id title status messageCount unreadCount archivedAt deletedAt } }
    ... on SessionRemoved { sessionId }
    ... on TaskChanged { task { id type status } }
    ... on ApprovalChanged { approval { id status } }
    ... on RecordChanged { namespace key record { key value revision } }
    ... on StreamReset { reason }
  }
}
"""
