"""Feedback: a record of the thread under the id of its step, which is the id of the feedback too."""

from collections.abc import Mapping
from typing import Any

from colloquy.chainlit import threads
from colloquy.chainlit.names import FEEDBACK, STEP_THREADS, of_thread, thread_of
from colloquy.labels import label_of
from colloquy.operations.record import delete_records, new_record, put_records
from colloquy.steps import Steps


def save(value: Mapping[str, Any]) -> Steps[str]:
    """Creates or replaces the feedback of a step and returns its id. Raises ValueError without the step."""
    step_id = str(value["forId"])
    thread_id = value["threadId"] or (yield from thread_of(STEP_THREADS, step_id))
    found = (yield from threads.read(thread_id)) if thread_id else None
    if thread_id is None or found is None:
        raise ValueError(f"Thread not found for step_id {step_id}")
    kept = {"id": step_id, "forId": step_id, "value": value["value"], "comment": value["comment"]}
    name = (of_thread(FEEDBACK, thread_id), label_of(step_id))
    yield put_records([new_record(*name, kept, session_id=threads.session_of(found))])
    return step_id


def delete(id: str) -> Steps[bool]:
    """Deletes feedback; true if there was some."""
    thread_id = yield from thread_of(STEP_THREADS, id)
    if thread_id is None:
        return False
    return bool((yield delete_records([(of_thread(FEEDBACK, thread_id), label_of(id))])))
