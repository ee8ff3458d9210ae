"""The store: the storage primitives of pydantic-ai over records and a session for each conversation."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import TypeAdapter
from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationEntry,
    ConversationRecord,
    ConversationStore,
)
from pydantic_ai.exceptions import AgentRunError

from colloquy.client import Token
from colloquy.clients import Clients, ClientsOwner
from colloquy.errors import ColloquyError, Conflict, NotFound
from colloquy.labels import label_of
from colloquy.operations.record import new_record, put_records, record, record_page
from colloquy.operations.session import create_session, delete_session, session
from colloquy.pydantic_ai import entries
from colloquy.results import Record
from colloquy.steps import Steps

ROOT = "pydantic-ai"
CONVERSATIONS = (ROOT, "conversations")
CONVERSATION: TypeAdapter[ConversationRecord] = TypeAdapter(ConversationRecord)
PAGE_SIZE = 50
DELETED = "deleted"
log = logging.getLogger(__name__)


class ColloquyConversationStore(ClientsOwner, ConversationStore):
    """Stores the conversations of one owner, the subject of `token`, in Colloquy.

    Threads, event loops and processes may share a store. `save` stores the new messages and the conversation's record
    all or none, and raises ConversationConflict if another save came first; every other failure is an AgentRunError.
    `delete` erases a conversation with its messages permanently, and leaves forks of it whole. A request whose response
    was lost is sent again, and nothing is stored twice.
    """

    def __init__(self, url: str, token: Token, **options: Any) -> None:
        """Makes a store that sends nothing yet; `options` are the keyword arguments of `colloquy.Client`."""
        self.clients = Clients(url, token, **options)

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        """Returns the record of a conversation; None without it."""
        with _agent_errors():
            return await self.clients.run_async(_read(conversation_id))

    async def read_records(self, *, scope: str | None = None, limit: int | None = None) -> Sequence[ConversationRecord]:
        """Returns the records, or those of a scope, the most recently saved first."""
        with _agent_errors():
            return await self.clients.run_async(_read_all(scope, limit))

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        """Stores a record with its new entries, all or none. Raises ConversationConflict."""
        with _agent_errors():
            await self.clients.run_async(_write(record, new_entries, expected_revision))

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        """Erases a conversation with its entries and messages permanently. Raises ConversationConflict."""
        with _agent_errors():
            await self.clients.run_async(_delete(conversation_id, expected_revision))

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        """Returns an entry. Raises KeyError."""
        with _agent_errors():
            return await self.clients.run_async(entries.read(entry_id))

    async def read_history(self, head_id: str | None, *, limit: int | None = None) -> list[ConversationEntry]:
        """Returns the entries up to one, or the last `limit` of them, the oldest first. Raises KeyError."""
        with _agent_errors():
            return await self.clients.run_async(entries.history(head_id, limit))


def _read(conversation_id: str) -> Steps[ConversationRecord | None]:
    return _conversation((yield record(CONVERSATIONS, label_of(conversation_id))))


def _read_all(scope: str | None, limit: int | None) -> Steps[list[ConversationRecord]]:
    conditions: dict[str, Any] = {"order": "UPDATED_AT", "direction": "DESC"}
    if scope is not None:
        conditions["metadata_contains"] = {"scope": scope}
    found: list[ConversationRecord] = []
    cursor, has_more = None, True
    while has_more and (limit is None or len(found) < limit):
        page = yield record_page(CONVERSATIONS, first=PAGE_SIZE, after=cursor, **conditions)
        found += filter(None, map(_conversation, page.nodes))
        cursor, has_more = page.info.end_cursor, page.info.has_next_page
    return sorted(found[:limit], key=lambda each: each.updated_at, reverse=True)


def _write(
    new: ConversationRecord, new_entries: Sequence[ConversationEntry], expected_revision: str | None
) -> Steps[None]:
    name = new.conversation_id
    head = yield record(CONVERSATIONS, label_of(name))
    stored = _conversation(head)
    if (stored.revision if stored else None) != expected_revision:
        raise ConversationConflict(name)
    shared = yield from _shared(new, stored, new_entries)
    if head is not None and stored is None:
        yield from _erase(head)
        head = None
    session_id = head.session.id if head else (yield from _open(name))
    try:
        yield from _put(new, [*shared, *new_entries], head, session_id)
    except Conflict as error:
        raise ConversationConflict(name) from error
    try:
        yield from _mirror(session_id, [*shared, *new_entries])
    except ColloquyError as error:  # the conversation is stored: an error would be taken for a save that failed
        log.warning("The messages of conversation %r were not appended; the next save tries again: %s", name, error)


def _shared(
    new: ConversationRecord, stored: ConversationRecord | None, new_entries: Sequence[ConversationEntry]
) -> Steps[list[ConversationEntry]]:
    """The entries that a fork shares with another conversation; none of a conversation that is stored."""
    tip = new_entries[0].parent_id if new_entries else new.head_id
    if stored is not None:
        return []
    try:
        return (yield from entries.history(tip, None))
    except LookupError as error:
        raise ConversationConflict(new.conversation_id) from error


def _put(
    new: ConversationRecord, listed: Sequence[ConversationEntry], head: Record | None, session_id: str
) -> Steps[None]:
    """Stores entries and the record with the last of them; entries without a record are in no history."""
    *first, last = entries.batches(new.conversation_id, session_id, listed)
    for batch in first:
        yield put_records(batch)
    yield put_records([*last, _head(new, head, session_id)])


def _head(new: ConversationRecord, head: Record | None, session_id: str) -> dict[str, Any]:
    value = CONVERSATION.dump_python(new, mode="json")
    metadata: Mapping[str, Any] = {} if new.scope is None else {"scope": new.scope}
    revision = head.revision if head else 0
    return new_record(
        CONVERSATIONS,
        label_of(new.conversation_id),
        value,
        metadata=metadata,
        session_id=session_id,
        expected_revision=revision,
    )


def _mirror(session_id: str, listed: Sequence[ConversationEntry]) -> Steps[None]:
    """Appends the messages of entries, and those before them if an earlier process ended before it did."""
    if not listed:
        return
    parent = listed[0].parent_id
    if parent is not None and not (yield from entries.is_mirrored(session_id, parent)):
        listed = [*(yield from entries.history(parent, None)), *listed]
    yield from entries.mirror(session_id, listed)


def _delete(conversation_id: str, expected_revision: str) -> Steps[None]:
    """Marks the record as deleted, so that no save comes in between, and erases the session with all its records."""
    head = yield record(CONVERSATIONS, label_of(conversation_id))
    stored = _conversation(head)
    if stored is None or stored.revision != expected_revision:
        raise ConversationConflict(conversation_id)
    name, session_id = (head.namespace, head.key), head.session.id
    try:
        yield put_records([new_record(*name, DELETED, session_id=session_id, expected_revision=head.revision)])
    except Conflict as error:
        raise ConversationConflict(conversation_id) from error
    yield from _erase(head)


def _erase(head: Record) -> Steps[None]:
    if head.session:
        try:
            yield delete_session(head.session.id, "HARD")
        except NotFound:
            return  # another call has erased it


def _open(name: str) -> Steps[str]:
    """The id of the conversation's session, which is created if there is none."""
    found = yield session(key=label_of(name))
    if found is not None:
        return str(found.id)
    try:
        created = yield create_session(key=label_of(name), status="ACTIVE", metadata={ROOT: {"conversation": name}})
    except Conflict:
        found = yield session(key=label_of(name))  # of another call
        if found is None:
            raise
        return str(found.id)
    return str(created.session.id)


def _conversation(head: Record | None) -> ConversationRecord | None:
    """The conversation of a record; None for one that is deleted."""
    if head is None or head.session is None or head.value == DELETED:
        return None
    return CONVERSATION.validate_python(head.value)


@contextmanager
def _agent_errors() -> Iterator[None]:
    try:
        yield
    except ColloquyError as error:
        raise AgentRunError(f"{error.code}: {error}") from error
