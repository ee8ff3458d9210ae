"""Threads: a session whose key is the thread id, and a record with what Chainlit keeps of a thread besides its steps.

A second record, under the user and the time of creation, lists the threads of a user.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from chainlit.types import PageInfo, PaginatedResponse, Pagination, ThreadDict, ThreadFilter

from colloquy.chainlit import steps, users
from colloquy.chainlit.names import ELEMENTS, FEEDBACK, OF_USERS, ROOT, THREADS, of_thread
from colloquy.errors import Conflict, NotFound
from colloquy.labels import label_of
from colloquy.operations.record import delete_records, new_record, put_records, record, record_page, records
from colloquy.operations.session import create_session, delete_session, session, update_session
from colloquy.results import Record
from colloquy.steps import Steps, every

PAGE_SIZE = 50


def read(thread_id: str) -> Steps[Record | None]:
    """Reads the record of a thread; None without the thread."""
    found = yield record(THREADS, label_of(thread_id))
    return found if found and found.session else None


def session_of(found: Record) -> str:
    """The id of the session of a thread's record."""
    assert found.session
    return found.session.id


def session_id(thread_id: str) -> Steps[str]:
    """The id of a thread's session; a thread that does not exist is created."""
    found = (yield from read(thread_id)) or (yield from update(thread_id))
    return session_of(found)


def update(
    thread_id: str,
    name: str | None = None,
    user_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: list[str] | None = None,
) -> Steps[Record]:
    """Creates a thread or changes what is not None; a value None in `metadata` deletes its key."""
    user = {} if user_id is None else {"userId": user_id, "userIdentifier": (yield from users.identifier(user_id))}
    if name is None and metadata:
        name = metadata.get("name")
    changes = {key: value for key, value in (("name", name), ("tags", tags)) if value is not None} | user
    while True:
        found = yield from read(thread_id)
        if found and not changes and metadata is None:
            return found
        old = found.value if found else _new(thread_id)
        merged = {key: value for key, value in {**old["metadata"], **(metadata or {})}.items() if value is not None}
        value = {**old, **changes, "metadata": merged}
        target = found.session.id if found and found.session else (yield from _open(thread_id))
        try:
            stored = yield put_records(_records(found, value, target))
        except Conflict:
            continue  # another call has changed the thread
        if name is not None and name != old["name"]:
            yield update_session(target, title=name[:200])
        if old["userId"] not in (None, value["userId"]):
            yield delete_records([_listed(old)])
        return stored[0]  # type: ignore[no-any-return]


def get(thread_id: str) -> Steps[ThreadDict | None]:
    """Reads a thread with its steps and elements."""
    found = yield from read(thread_id)
    if found is None:
        return None
    listed = yield from steps.of(thread_id, session_of(found))
    elements = yield from every(records(of_thread(ELEMENTS, thread_id)))
    return ThreadDict(**found.value, steps=listed, elements=[each.value for each in elements])


def delete(thread_id: str) -> Steps[list[Mapping[str, Any]]]:
    """Erases a thread and returns its elements, whose files the caller deletes."""
    found = yield from read(thread_id)
    if found is None:
        return []
    elements = yield from every(records(of_thread(ELEMENTS, thread_id)))
    try:
        yield delete_session(session_of(found), "HARD")
    except NotFound:
        return []  # another call has erased it
    return [each.value for each in elements]


def page(pagination: Pagination, filters: ThreadFilter) -> Steps[PaginatedResponse[ThreadDict]]:
    """Reads a page of a user's threads without their steps, the newest first."""
    if not filters.userId:
        raise ValueError("userId is required")
    namespace = (*OF_USERS, label_of(filters.userId))
    bounds: dict[str, Any] = {"direction": "DESC"}
    if pagination.cursor and (last := (yield from read(pagination.cursor))):
        bounds["key_to"] = _listed(last.value)[1]
    found: list[ThreadDict] = []
    cursor, has_more = None, True
    while has_more and len(found) <= pagination.first:
        part = yield record_page(namespace, first=PAGE_SIZE, after=cursor, **bounds)
        for each in part.nodes:
            if each.value["id"] != pagination.cursor and each.session and (yield from _matches(each, filters)):
                found.append(ThreadDict(**each.value, steps=[], elements=[]))
        cursor, has_more = part.info.end_cursor, part.info.has_next_page
    shown = found[: pagination.first]
    first, end = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    return PaginatedResponse(PageInfo(len(found) > pagination.first, first, end), shown)


def _matches(found: Record, filters: ThreadFilter) -> Steps[bool]:
    """True if a step has the searched text and a step the feedback. A value 0 counts, which Chainlit's SQL ignores."""
    if filters.feedback is not None:
        given = yield from every(records(of_thread(FEEDBACK, found.value["id"])))
        if not any(each.value["value"] == filters.feedback for each in given):
            return False
    if filters.search:
        listed = yield from steps.of(found.value["id"], session_of(found))
        text = filters.search.lower()
        return text in (found.value["name"] or "").lower() or any(_has(text)(step) for step in listed)
    return True


def _has(text: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda step: text in str(step.get("output") or "").lower()


def _new(thread_id: str) -> dict[str, Any]:
    empty = dict.fromkeys(("name", "userId", "userIdentifier", "tags"))
    return {"id": thread_id, "createdAt": datetime.now(UTC).isoformat(), **empty, "metadata": {}}


def _records(found: Record | None, value: Mapping[str, Any], target: str) -> list[dict[str, Any]]:
    revision = found.revision if found else 0
    head = new_record(THREADS, label_of(value["id"]), value, session_id=target, expected_revision=revision)
    return [head, new_record(*_listed(value), value, session_id=target)] if value["userId"] else [head]


def _listed(value: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The name of the record by which a user's thread is listed."""
    return (*OF_USERS, label_of(value["userId"])), label_of(f"{value['createdAt']} {value['id']}")


def _open(thread_id: str) -> Steps[str]:
    """The id of the thread's session, which is created if there is none."""
    key = label_of(thread_id)
    found = yield session(key=key)
    if found is not None:
        return str(found.id)
    try:
        created = yield create_session(key=key, status="ACTIVE", metadata={ROOT: {"thread": thread_id}})
    except Conflict:
        found = yield session(key=key)  # of another call
        if found is None:
            raise
        return str(found.id)
    return str(created.session.id)
