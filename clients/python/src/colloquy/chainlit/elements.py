"""Elements: their descriptions as records of their thread. Their bytes are in Chainlit's storage of files."""

from collections.abc import Mapping
from typing import Any

from chainlit.element import ElementDict

from colloquy.chainlit import threads
from colloquy.chainlit.names import (
    ELEMENT_THREADS,
    ELEMENTS,
    delete_in_thread,
    of_thread,
    put_in_thread,
    thread_of,
)
from colloquy.labels import label_of
from colloquy.operations.record import record, records
from colloquy.steps import Steps, every


def save(value: ElementDict) -> Steps[None]:
    """Creates or replaces an element."""
    thread_id = str(value["threadId"])
    session_id = yield from threads.session_id(thread_id)
    yield from put_in_thread(ELEMENTS, ELEMENT_THREADS, thread_id, session_id, value["id"], value)


def get(thread_id: str, element_id: str) -> Steps[ElementDict | None]:
    """Reads an element."""
    found = yield record(of_thread(ELEMENTS, thread_id), label_of(element_id))
    return found.value if found else None


def delete(element_id: str, thread_id: str | None = None) -> Steps[Mapping[str, Any] | None]:
    """Deletes an element and returns it; None without it."""
    thread_id = thread_id or (yield from thread_of(ELEMENT_THREADS, element_id))
    found = (yield from get(thread_id, element_id)) if thread_id else None
    if thread_id and found:
        yield from delete_in_thread(ELEMENTS, ELEMENT_THREADS, thread_id, element_id)
    return found


def delete_of_step(thread_id: str, step_id: str) -> Steps[list[Mapping[str, Any]]]:
    """Deletes the elements of a step and returns them."""
    found = [each.value for each in (yield from every(records(of_thread(ELEMENTS, thread_id))))]
    found = [each for each in found if each.get("forId") == step_id]
    for each in found:
        yield from delete(each["id"], thread_id)
    return found
