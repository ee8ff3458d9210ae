"""The names of Chainlit's records. Those of a thread are in its own namespaces and are erased with its session."""

from typing import Any

from colloquy.labels import label_of
from colloquy.operation import UNSET
from colloquy.operations.record import delete_records, new_record, put_records, record
from colloquy.results import Record
from colloquy.steps import Steps

ROOT = "chainlit"
USERS, USER_IDS = (ROOT, "users"), (ROOT, "user-ids")
THREADS, OF_USERS = (ROOT, "threads"), (ROOT, "threads-of-users")
STEPS, ELEMENTS, FEEDBACK = (ROOT, "steps"), (ROOT, "elements"), (ROOT, "feedback")
STEP_THREADS, ELEMENT_THREADS = (ROOT, "step-threads"), (ROOT, "element-threads")
FAVORITES = (ROOT, "favorites")


def of_thread(kind: tuple[str, ...], thread_id: str) -> tuple[str, ...]:
    """The namespace of a thread's records of one kind."""
    return (*kind, label_of(thread_id))


def put_in_thread(
    kind: tuple[str, ...], index: tuple[str, ...], thread_id: str, session_id: str, id: str, value: Any = UNSET
) -> Steps[None]:
    """Stores under an id the thread in which it is, and the value, if there is one, as a record of that thread."""
    key = label_of(id)
    new = [new_record(index, key, {"thread": thread_id}, session_id=session_id)]
    if value is not UNSET:
        new.append(new_record(of_thread(kind, thread_id), key, value, session_id=session_id))
    yield put_records(new)


def thread_of(index: tuple[str, ...], id: str) -> Steps[str | None]:
    """The thread of a step or an element."""
    found: Record | None = yield record(index, label_of(id))
    return str(found.value["thread"]) if found else None


def delete_in_thread(kind: tuple[str, ...], index: tuple[str, ...], thread_id: str, id: str) -> Steps[None]:
    """Deletes a record of a thread with its entry in the index."""
    yield delete_records([(of_thread(kind, thread_id), label_of(id)), (index, label_of(id))])
