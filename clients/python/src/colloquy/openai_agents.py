"""A session for the OpenAI Agents SDK (https://openai.github.io/openai-agents-python/).

A session of the SDK is a Colloquy session whose `key` is the SDK's session id, and an item is a Message whose `raw` is
the item's JSON. Messages without such a document, as other programs append them, are items with their role and text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from colloquy.client import Token
from colloquy.clients import Clients, ClientsOwner
from colloquy.errors import ColloquyError, Conflict, NotFound
from colloquy.extras import extra
from colloquy.labels import label_of
from colloquy.operations.message import append_messages, delete_message, draft, message_page
from colloquy.operations.session import create_session, delete_session, session
from colloquy.results import Message, MessageRole
from colloquy.steps import Steps

with extra("openai-agents"):
    from agents.exceptions import AgentsException
    from agents.items import TResponseInputItem
    from agents.memory.session import SessionABC
    from agents.memory.session_settings import SessionSettings, coerce_session_settings, resolve_session_limit

PAGE_SIZE = MAX_BATCH = 100
ROLES: Mapping[str, MessageRole] = {"user": "USER", "assistant": "ASSISTANT", "system": "SYSTEM", "developer": "SYSTEM"}


class ColloquySession(ClientsOwner, SessionABC):
    """Stores the items of one conversation of one owner, the subject of `token`, in Colloquy.

    Threads and event loops may share a session, and so may processes: each item is popped once. Every failure is an
    AgentsException. A request whose response was lost is sent again, and nothing is stored or popped twice.
    """

    def __init__(
        self,
        session_id: str,
        url: str,
        token: Token,
        *,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Makes a session that sends nothing yet; `options` are the keyword arguments of `colloquy.Client`."""
        self.session_id = session_id
        self.session_settings = coerce_session_settings(session_settings or SessionSettings())
        self.clients = Clients(url, token, **options)
        self._key = label_of(session_id)
        self._server_id: str | None = None

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Returns all items, or the newest ones of this number, the oldest first."""
        limit = resolve_session_limit(limit, self.session_settings)
        with _agents_exceptions():
            found = await self.clients.run_async(_newest(self._key, limit))
        return [_item(message) for message in found]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Appends items in order, each 100 of them all or none."""
        drafts = [draft(_role(item), raw=json.dumps(item)) for item in items]
        with _agents_exceptions():
            for start in range(0, len(drafts), MAX_BATCH):
                await self.clients.run_async(self._append(drafts[start : start + MAX_BATCH]))

    async def pop_item(self) -> TResponseInputItem | None:
        """Deletes the newest item and returns it; None without one. Concurrent calls return different items."""
        with _agents_exceptions():
            found = await self.clients.run_async(_pop(self._key))
        return found and _item(found)

    async def clear_session(self) -> None:
        """Erases the session with all its items permanently."""
        with _agents_exceptions():
            await self.clients.run_async(_erase(self._key))
        self._server_id = None

    def _append(self, drafts: Sequence[Mapping[str, Any]]) -> Steps[None]:
        """Appends messages to the session, and opens it if it does not exist."""
        if self._server_id is not None:
            try:
                yield append_messages(self._server_id, drafts)
                return
            except NotFound:
                pass  # another program has erased the session
        self._server_id = yield from _open(self._key, self.session_id)
        yield append_messages(self._server_id, drafts)


def _open(key: str, session_id: str) -> Steps[str]:
    """The server's id of the session, which is created if there is none."""
    found = yield session(key=key)
    if found is not None:
        return str(found.id)
    try:
        created = yield create_session(key=key, status="ACTIVE", metadata={"openai-agents": {"session": session_id}})
    except Conflict:
        found = yield session(key=key)  # of another process
        if found is None:
            raise
        return str(found.id)
    return str(created.session.id)


def _newest(key: str, limit: int | None) -> Steps[list[Message]]:
    found: list[Message] = []
    cursor, has_more = None, limit is None or limit > 0
    while has_more:
        size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit - len(found))
        page = yield message_page(session_key=key, last=size, before=cursor)
        if page is None:
            break
        found = page.nodes + found
        cursor, has_more = page.info.start_cursor, page.info.has_previous_page and len(found) != limit
    return found


def _pop(key: str) -> Steps[Message | None]:
    while True:
        page = yield message_page(session_key=key, last=1)
        if page is None or not page.nodes:
            return None
        [newest] = page.nodes
        try:
            yield delete_message(newest.id)
        except NotFound:
            continue  # another call has popped this one
        return newest  # type: ignore[no-any-return]


def _erase(key: str) -> Steps[None]:
    found = yield session(key=key)
    if found is not None:
        try:
            yield delete_session(found.id, "HARD")
        except NotFound:
            return  # another call has erased the session


def _role(item: Mapping[str, Any]) -> MessageRole:
    if str(item.get("type", "")).endswith("_output"):
        return "TOOL"
    return ROLES.get(str(item.get("role")), "ASSISTANT")


def _item(message: Message) -> TResponseInputItem:
    try:
        found = json.loads(message.raw or "null")
    except ValueError:
        found = None
    return (
        found
        if isinstance(found, dict)
        else {"role": message.role.lower(), "content": message.text or message.raw or ""}
    )


@contextmanager
def _agents_exceptions() -> Iterator[None]:
    try:
        yield
    except ColloquyError as error:
        raise AgentsException(f"{error.code}: {error}") from error
