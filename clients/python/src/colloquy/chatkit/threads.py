"""Threads: what the store sends for their metadata, see `colloquy.steps`.

A thread is a session whose key is the thread id, and two records that are stored together and erased with it: one under
the id, and one under the time of creation, by which threads are listed.
"""

from datetime import UTC
from typing import Any

from chatkit.store import NotFoundError
from chatkit.types import Page, ThreadMetadata

from colloquy.errors import Conflict, NotFound
from colloquy.labels import label_of
from colloquy.operations.record import new_record, put_records, record, record_page
from colloquy.operations.session import create_session, delete_session, session, update_session
from colloquy.results import Record
from colloquy.steps import Steps

ROOT = "chatkit"
BY_ID, BY_TIME = (ROOT, "threads"), (ROOT, "threads-by-time")
MAX_PAGE = 100


def load(thread_id: str) -> Steps[ThreadMetadata]:
    """Reads one thread."""
    return ThreadMetadata.model_validate((yield from _existing(thread_id)).value)


def session_id(thread_id: str) -> Steps[str]:
    """Reads the server's id of a thread's session."""
    found = yield from _existing(thread_id)
    assert found.session is not None
    return found.session.id


def save(thread: ThreadMetadata) -> Steps[None]:
    """Creates or replaces a thread; a changed title becomes that of the session."""
    while True:
        found = yield record(BY_ID, label_of(thread.id))
        target = found.session.id if found and found.session else (yield from _open(thread))
        try:
            yield put_records(_records(thread, found, target))
        except Conflict:
            continue  # another call has stored the thread
        if thread.title and thread.title != (found.value["title"] if found else None):
            yield update_session(target, title=thread.title)
        return


def page(limit: int, after: str | None, order: str) -> Steps[Page[ThreadMetadata]]:
    """Reads a page of threads in the order of their creation."""
    bounds: dict[str, Any] = {"direction": order.upper()}
    if after:
        start = _time_key(ThreadMetadata.model_validate((yield from _existing(after)).value))
        bounds["key_from" if order == "asc" else "key_to"] = start
    found: list[ThreadMetadata] = []
    cursor, has_more = None, True
    while has_more and len(found) <= limit:
        size = min(MAX_PAGE, limit - len(found) + 2)  # one shows whether there are more, one may be `after` itself
        part = yield record_page(BY_TIME, first=size, after=cursor, **bounds)
        threads = (ThreadMetadata.model_validate(each.value) for each in part.nodes if each.session)
        found += (each for each in threads if each.id != after)
        cursor, has_more = part.info.end_cursor, part.info.has_next_page
    return page_of(found, limit)


def delete(thread_id: str) -> Steps[None]:
    """Erases a thread with its items, if it exists."""
    found = yield record(BY_ID, label_of(thread_id))
    if found and found.session:
        try:
            yield delete_session(found.session.id, "HARD")
        except NotFound:
            return  # another call has erased it


def page_of(found: list[Any], limit: int) -> Page[Any]:
    """The first nodes as a page; its `after` is the id of the last one, if there are more."""
    shown, has_more = found[:limit], len(found) > limit
    return Page(data=shown, has_more=has_more, after=shown[-1].id if has_more and shown else None)


def _existing(thread_id: str) -> Steps[Record]:
    found = yield record(BY_ID, label_of(thread_id))
    if found is None or found.session is None:
        raise NotFoundError(f"Thread {thread_id} not found")
    return found  # type: ignore[no-any-return]


def _open(thread: ThreadMetadata) -> Steps[str]:
    """The server's id of the thread's session, which is created if there is none."""
    key = label_of(thread.id)
    found = yield session(key=key)
    if found is not None:
        return str(found.id)
    try:
        created = yield create_session(key=key, status="ACTIVE", metadata={ROOT: {"thread": thread.id}})
    except Conflict:
        found = yield session(key=key)  # of another call
        if found is None:
            raise
        return str(found.id)
    return str(created.session.id)


def _records(thread: ThreadMetadata, found: Record | None, target: str) -> list[dict[str, Any]]:
    """Both records; the time by which a thread is listed stays that of its first save."""
    value = thread.model_dump(mode="json")
    if found:
        value["created_at"] = found.value["created_at"]
    by_time = _time_key(ThreadMetadata.model_validate(value))
    return [
        new_record(
            BY_ID, label_of(thread.id), value, session_id=target, expected_revision=found.revision if found else 0
        ),
        new_record(BY_TIME, by_time, value, session_id=target),
    ]


def _time_key(thread: ThreadMetadata) -> str:
    return label_of(f"{thread.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f} {thread.id}")
