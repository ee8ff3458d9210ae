"""Items of threads as messages: what the store sends for them, see `colloquy.steps`.

An item is a message whose key is the item's id and whose `raw` is its JSON. A message that another program appended is
an item with its text.
"""

import json
from collections.abc import Mapping
from typing import Any

from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    HiddenContextItem,
    InferenceOptions,
    Page,
    ThreadItem,
    UserMessageItem,
    UserMessageTextContent,
)
from pydantic import TypeAdapter, ValidationError

from colloquy.chatkit import threads
from colloquy.errors import NotFound
from colloquy.graphql_documents import MESSAGE_CURSORS
from colloquy.labels import label_of
from colloquy.operation import custom_operation
from colloquy.operations.message import append_message, delete_message, message, message_page, update_message
from colloquy.results import Message, MessageRole
from colloquy.steps import Steps

ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
ROLES: Mapping[str, MessageRole] = {
    "user_message": "USER",
    "client_tool_call": "TOOL",
    "hidden_context_item": "SYSTEM",
    "sdk_hidden_context": "SYSTEM",
}
READ_AS = {"user_message": "user", "assistant_message": "assistant"}


def add(session_id: str, item: ThreadItem) -> Steps[None]:
    """Appends an item. One with the same id and another content is a conflict."""
    yield append_message(session_id, ROLES.get(item.type, "ASSISTANT"), raw=_raw(item), key=label_of(item.id))


def save(thread_id: str, item: ThreadItem) -> Steps[bool]:
    """Replaces an item; False without it."""
    found = yield from _find(thread_id, item.id)
    if found is None:
        return False
    try:
        yield update_message(found.id, raw=_raw(item))
    except NotFound:
        return False  # another call has deleted it
    return True


def load(thread_id: str, item_id: str) -> Steps[ThreadItem]:
    """Reads one item."""
    found = yield from _find(thread_id, item_id)
    if found is None:
        raise NotFoundError(f"Item {item_id} not found in thread {thread_id}")
    return _item(thread_id, found)


def delete(thread_id: str, item_id: str) -> Steps[None]:
    """Deletes an item, if it exists."""
    found = yield from _find(thread_id, item_id)
    if found is not None:
        try:
            yield delete_message(found.id)
        except NotFound:
            return  # another call has deleted it


def page(thread_id: str, after: str | None, limit: int, order: str) -> Steps[Page[ThreadItem]]:
    """Reads a page of a thread's items in the order in which they were added."""
    size, bound = ("first", "after") if order == "asc" else ("last", "before")
    cursor = (yield from _cursor(thread_id, after, size, bound)) if after else None
    found: list[ThreadItem] = []
    has_more = True
    while has_more and len(found) <= limit:
        window: dict[str, Any] = {size: min(threads.MAX_PAGE, limit - len(found) + 1), bound: cursor}
        part = yield message_page(session_key=label_of(thread_id), **window)
        if part is None:
            break
        nodes = part.nodes if order == "asc" else reversed(part.nodes)
        found += (_item(thread_id, each) for each in nodes)
        cursor = part.info.end_cursor if order == "asc" else part.info.start_cursor
        has_more = part.info.has_next_page if order == "asc" else part.info.has_previous_page
    return threads.page_of(found, limit)


def _cursor(thread_id: str, item_id: str, size: str, bound: str) -> Steps[str]:
    """The cursor of an item. The API returns cursors with pages only: this reads pages of ids, 100 a request."""
    key, cursor = label_of(item_id), None
    has_more = True
    while has_more:
        variables = {"sessionKey": label_of(thread_id), size: threads.MAX_PAGE, bound: cursor}
        data = yield custom_operation(MESSAGE_CURSORS, variables, repeatable=True)
        if data["session"] is None:
            break
        connection = data["session"]["messages"]
        for edge in connection["edges"]:
            if item_id == edge["node"]["id"] or key == edge["node"]["key"]:
                return str(edge["cursor"])
        info = connection["pageInfo"]
        cursor, has_more = (
            (info["endCursor"], info["hasNextPage"])
            if size == "first"
            else (info["startCursor"], info["hasPreviousPage"])
        )
    raise NotFoundError(f"Item {item_id} not found in thread {thread_id}")


def _find(thread_id: str, item_id: str) -> Steps[Message | None]:
    found = yield message(session_key=label_of(thread_id), key=label_of(item_id))
    if found is None:  # an item of another program has the id of its message
        found = yield message(session_key=label_of(thread_id), id=item_id)
    return found  # type: ignore[no-any-return]


def _raw(item: ThreadItem) -> str:
    """The item's JSON. With a `role` the server reads its content as that of an OpenAI message; ChatKit ignores it."""
    role = READ_AS.get(item.type)
    return json.dumps(item.model_dump(mode="json") | ({"role": role} if role else {}))


def _item(thread_id: str, found: Message) -> ThreadItem:
    try:
        return ITEM.validate_json(found.raw or "null")
    except ValidationError:
        return _text_item(thread_id, found)


def _text_item(thread_id: str, found: Message) -> ThreadItem:
    """The item of a message without an item's document."""
    text = found.text or found.raw or ""
    base: dict[str, Any] = {"id": found.key or found.id, "thread_id": thread_id, "created_at": found.created_at}
    if found.role == "USER":
        return UserMessageItem(
            **base, content=[UserMessageTextContent(text=text)], inference_options=InferenceOptions()
        )
    if found.role == "ASSISTANT":
        return AssistantMessageItem(**base, content=[AssistantMessageContent(text=text)])
    return HiddenContextItem(**base, content=text)
