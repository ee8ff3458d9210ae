"""The messages of a thread as a session, so that the thread has a title, is listed and is searched.

The key of the session is the thread id, and the key of a message is its id in LangGraph. Each message is appended once:
later changes and removals in the state are not mirrored. The records of the thread are erased with the session.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, message_to_dict
from langgraph.checkpoint.base import Checkpoint

from colloquy.errors import Conflict, NotFound
from colloquy.labels import label_of
from colloquy.langgraph.checkpoints import CHECKPOINTS, WRITES, CheckpointKey, NewRecord, batches, stored_again
from colloquy.operations.message import append_message, append_messages, draft
from colloquy.operations.record import put_records, records
from colloquy.operations.session import create_session, delete_session, session
from colloquy.results import MessageRole, Record
from colloquy.steps import Steps, every

MAX_THREADS = 1_000  # in the caches
MAX_BATCH = 100
ROLES: Mapping[str, MessageRole] = {"human": "USER", "ai": "ASSISTANT", "system": "SYSTEM", "tool": "TOOL"}
CREATED_BY = "langgraph"


class Mirror:
    """The sessions of threads, and which of their messages are stored. `channel` None: no thread has a session."""

    def __init__(self, channel: str | None) -> None:
        self._channel = channel
        self._sessions: dict[str, str] = {}
        self._stored: dict[str, set[str]] = {}

    def remember(self, thread: str, found: Record) -> None:
        """Takes the session of a thread from one of its records."""
        if found.session:
            self._cache(thread, found.session.id)

    def put(self, thread: str, new: Iterable[NewRecord]) -> Steps[None]:
        """Stores records of a thread, with its session."""
        for batch in batches(new):
            session_id = self._sessions.get(thread)
            try:
                yield put_records([{**each, "sessionId": session_id} for each in batch])
            except NotFound:
                if session_id is None:
                    raise
                self._forget(thread)  # the session was deleted
                yield put_records(batch)

    def append(self, target: CheckpointKey, checkpoint: Checkpoint) -> Steps[None]:
        """Appends the messages of a checkpoint that its session lacks; those of subgraphs are not appended."""
        found = [] if target.ns or self._channel is None else _messages(checkpoint["channel_values"].get(self._channel))
        known = self._stored.get(target.thread, set())
        new = [each for each in found if each["key"] not in known]
        if not new:
            return
        session_id = self._sessions.get(target.thread) or (yield from self._open(target.thread))
        for start in range(0, len(new), MAX_BATCH):
            yield from _append(session_id, new[start : start + MAX_BATCH])
        self._stored.setdefault(target.thread, set()).update(each["key"] for each in new)

    def delete(self, thread: str) -> Steps[None]:
        """Erases the session of a thread, if the mirror has created it."""
        self._forget(thread)
        if self._channel is None:
            return
        found = yield session(key=label_of(thread))
        if found and isinstance(found.metadata, dict) and CREATED_BY in found.metadata:
            yield delete_session(found.id, "HARD")

    def _open(self, thread: str) -> Steps[str]:
        """The id of the thread's session, which is created if there is none; the thread's records get it too."""
        found = yield session(key=label_of(thread))
        session_id = found.id if found else (yield from _create(thread))
        self._cache(thread, session_id)
        for kind in (CHECKPOINTS, WRITES):
            for each in (yield from every(records((*kind, label_of(thread)), MAX_BATCH // 5))):
                if each.session is None:
                    yield from _link(each, session_id)
        return session_id

    def _cache(self, thread: str, session_id: str) -> None:
        if len(self._sessions) >= MAX_THREADS:
            self._sessions.clear()
            self._stored.clear()
        self._sessions[thread] = session_id

    def _forget(self, thread: str) -> None:
        self._sessions.pop(thread, None)
        self._stored.pop(thread, None)


def _create(thread: str) -> Steps[str]:
    try:
        created = yield create_session(key=label_of(thread), status="ACTIVE", metadata={CREATED_BY: {"thread": thread}})
    except Conflict:
        found = yield session(key=label_of(thread))  # of another process
        if found is None:
            raise
        return str(found.id)
    return str(created.session.id)


def _link(found: Record, session_id: str) -> Steps[None]:
    try:
        yield put_records([stored_again(found, session_id)])
    except Conflict:
        return  # a newer put has the session


def _append(session_id: str, drafts: Sequence[Mapping[str, Any]]) -> Steps[None]:
    """Appends messages; one whose key is stored with another content stays as it is."""
    try:
        yield append_messages(session_id, drafts)
    except Conflict:
        for each in drafts:
            try:
                yield append_message(session_id, each["role"], raw=each["raw"], key=each["key"])
            except Conflict:
                continue


def _messages(value: Any) -> list[dict[str, Any]]:
    """The messages with an id as drafts."""
    found = value if isinstance(value, list) else []
    return [_draft(each) for each in found if isinstance(each, BaseMessage) and each.id and _kind(each) in ROLES]


def _draft(message: BaseMessage) -> dict[str, Any]:
    return draft(ROLES[_kind(message)], raw=json.dumps(message_to_dict(message), default=str), key=message.id)


def _kind(message: BaseMessage) -> str:
    name = str(message.type)
    return {"HumanMessageChunk": "human", "AIMessageChunk": "ai", "function": "tool"}.get(name, name)
