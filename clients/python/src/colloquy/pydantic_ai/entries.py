"""Entries of conversations as records, and their messages as messages of a session.

An entry is a record in a namespace of its own, under the key of each conversation that has it: a fork gets the entries
that it shares, so that the erasure of one conversation leaves the other whole.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_ai.conversation_store import ConversationEntry
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest, ToolReturnPart, UserPromptPart

from colloquy.errors import Conflict
from colloquy.labels import label_of
from colloquy.operations.message import append_message, append_messages, draft, message
from colloquy.operations.record import new_record, record_page
from colloquy.results import MessageRole, Record
from colloquy.steps import Steps

ENTRIES = ("pydantic-ai", "entries")
PAGE_SIZE = 25
MAX_BATCH, MAX_BATCH_BYTES = 99, 4_000_000  # of entries; the record of their conversation comes with the last ones


def batches(conversation_id: str, session_id: str, entries: Iterable[ConversationEntry]) -> Iterator[list[Any]]:
    """The records of entries, as many at once as one request takes; the last batch may be empty."""
    batch: list[Any] = []
    size = 0
    for entry in entries:
        value = {"parent": entry.parent_id, "kind": entry.kind, "message": json.loads(_json(entry.message))}
        length = len(json.dumps(value))
        if batch and (len(batch) == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        metadata = {"conversation": label_of(conversation_id), "id": entry.id}
        name = ((*ENTRIES, label_of(entry.id)), label_of(conversation_id))
        batch.append(new_record(*name, value, metadata=metadata, session_id=session_id))
        size += length
    yield batch


def read(entry_id: str) -> Steps[ConversationEntry]:
    """Reads one entry. Raises KeyError, which is a LookupError."""
    return _entry((yield from _record(entry_id)))


def history(head_id: str | None, limit: int | None) -> Steps[list[ConversationEntry]]:
    """Reads the entries up to one, or the last of them, the oldest first: pages of one conversation's entries."""
    if head_id is None or limit == 0:
        return []
    head = yield from _record(head_id)
    known = {head_id: _entry(head)}
    found = [known[head_id]]
    cursor, has_more = None, True
    while (parent := found[-1].parent_id) is not None and len(found) != limit:
        while parent not in known and has_more:
            page = yield record_page(
                ENTRIES,
                first=PAGE_SIZE,
                after=cursor,
                direction="DESC",
                metadata_contains={"conversation": head.metadata["conversation"]},
            )
            known |= {each.metadata["id"]: _entry(each) for each in page.nodes}
            cursor, has_more = page.info.end_cursor, page.info.has_next_page
        if parent not in known:
            raise KeyError(parent)
        found.append(known[parent])
    return found[::-1]


def mirror(session_id: str, listed: Sequence[ConversationEntry]) -> Steps[None]:
    """Appends the messages of entries; one whose key is stored with another content stays as it is."""
    drafts = [draft(_role(each.message), raw=_json(each.message), key=label_of(each.id)) for each in listed]
    for batch in _of_size(drafts):
        try:
            yield append_messages(session_id, batch)
        except Conflict:
            for each in batch:
                yield from _append(session_id, each)


def is_mirrored(session_id: str, entry_id: str) -> Steps[bool]:
    """True if the session has the message of an entry."""
    return (yield message(session_id, key=label_of(entry_id))) is not None


def _append(session_id: str, each: Mapping[str, Any]) -> Steps[None]:
    try:
        yield append_message(session_id, each["role"], raw=each["raw"], key=each["key"])
    except Conflict:
        return  # another program has changed the message


def _of_size(drafts: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for each in drafts:
        length = len(each["raw"].encode())
        if batch and (len(batch) == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += length
    if batch:
        yield batch


def _record(entry_id: str) -> Steps[Record]:
    page = yield record_page((*ENTRIES, label_of(entry_id)), first=1)
    if not page.nodes:
        raise KeyError(entry_id)
    return page.nodes[0]  # type: ignore[no-any-return]


def _entry(found: Record) -> ConversationEntry:
    [message] = ModelMessagesTypeAdapter.validate_json(json.dumps([found.value["message"]]))
    return ConversationEntry(id=found.metadata["id"], parent_id=found.value["parent"], message=message)


def _json(message: ModelMessage) -> str:
    [value] = ModelMessagesTypeAdapter.dump_python([message], mode="json")
    return json.dumps(value, ensure_ascii=False)  # escapes would make it longer than the entry, whose size has a limit


def _role(message: ModelMessage) -> MessageRole:
    if not isinstance(message, ModelRequest):
        return "ASSISTANT"
    if any(isinstance(part, UserPromptPart) for part in message.parts):
        return "USER"
    return "TOOL" if any(isinstance(part, ToolReturnPart) for part in message.parts) else "SYSTEM"
