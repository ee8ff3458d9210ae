"""Steps: those of people, of assistants and of the system are messages, all others are records.

A step that is a message has the step's id as its key and the step's JSON as `raw`. A message that another program
appended is a step with its text.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from chainlit.step import StepDict

from colloquy.chainlit.names import (
    FEEDBACK,
    STEP_THREADS,
    STEPS,
    delete_in_thread,
    of_thread,
    put_in_thread,
    thread_of,
)
from colloquy.errors import Conflict, NotFound
from colloquy.labels import label_of
from colloquy.operations.message import append_message, delete_message, message, messages, update_message
from colloquy.operations.record import delete_records, record, records
from colloquy.results import Message, MessageRole
from colloquy.steps import Steps, every

ROLES: Mapping[str, MessageRole] = {
    "user_message": "USER",
    "assistant_message": "ASSISTANT",
    "system_message": "SYSTEM",
}
TYPES = {"USER": "user_message", "ASSISTANT": "assistant_message", "SYSTEM": "system_message", "TOOL": "tool"}


def save(step: Mapping[str, Any], session_id: str, *, create: bool) -> Steps[None]:
    """Creates or changes a step: what `step` leaves out stays as it is, and with `create` all that is stored."""
    thread_id, key = step["threadId"], label_of(step["id"])
    given = {name: value for name, value in step.items() if value is not None and name != "feedback"}
    role = ROLES.get(step["type"])
    if role is None:
        old = yield record(of_thread(STEPS, thread_id), key)
        new = _merged(old.value if old else {}, given, create)
        yield from put_in_thread(STEPS, STEP_THREADS, thread_id, session_id, step["id"], new)
        return
    while (found := (yield message(session_id, key=key))) is None:
        yield from put_in_thread(STEPS, STEP_THREADS, thread_id, session_id, step["id"])
        try:
            yield append_message(session_id, role, raw=_raw(role, given), key=key)
            return
        except Conflict:
            continue  # another call has appended the message; if a third one deletes it, the key is free again
    yield update_message(found.id, raw=_raw(role, _merged(_step(thread_id, found), given, create)))


def get(thread_id: str, step_id: str) -> Steps[dict[str, Any] | None]:
    """Reads a step without its feedback; None without the step."""
    found = yield message(session_key=label_of(thread_id), key=label_of(step_id))
    if found is not None:
        return _step(thread_id, found)
    stored = yield record(of_thread(STEPS, thread_id), label_of(step_id))
    return stored.value if stored else None


def of(thread_id: str, session_id: str) -> Steps[list[StepDict]]:
    """Reads the steps of a thread with their feedback, by the time of their creation."""
    stored = yield from every(records(of_thread(STEPS, thread_id)))
    written = yield from every(messages(session_id))
    given = yield from every(records(of_thread(FEEDBACK, thread_id)))
    feedback = {each.value["forId"]: each.value for each in given}
    found = [each.value for each in stored] + [_step(thread_id, each) for each in written]
    found.sort(key=lambda step: step.get("createdAt") or "")
    return [StepDict(**{**step, "feedback": feedback.get(step["id"])}) for step in found]


def delete(step_id: str) -> Steps[str | None]:
    """Deletes a step with its feedback and returns its thread; None without the step."""
    thread_id = yield from thread_of(STEP_THREADS, step_id)
    if thread_id is None:
        return None
    found = yield message(session_key=label_of(thread_id), key=label_of(step_id))
    if found is not None:
        with suppress(NotFound):  # another call has deleted it
            yield delete_message(found.id)
    yield delete_records([(of_thread(FEEDBACK, thread_id), label_of(step_id))])
    yield from delete_in_thread(STEPS, STEP_THREADS, thread_id, step_id)
    return thread_id


def _merged(stored: Mapping[str, Any], given: Mapping[str, Any], create: bool) -> dict[str, Any]:
    return {**given, **stored} if create else {**stored, **given}


def _raw(role: MessageRole, step: Mapping[str, Any]) -> str:
    """The step's JSON. With `role` and `content` the server reads it as a message of OpenAI."""
    return json.dumps({"role": role.lower(), "content": step.get("output") or "", **step})


def _step(thread_id: str, found: Message) -> dict[str, Any]:
    try:
        step = json.loads(found.raw or "null")
    except ValueError:
        step = None
    if isinstance(step, dict) and step.get("threadId") == thread_id:
        return {key: value for key, value in step.items() if key not in ("role", "content")}
    return _text_step(thread_id, found)


def _text_step(thread_id: str, found: Message) -> dict[str, Any]:
    """The step of a message without a step's document."""
    text, created = found.text or found.raw or "", found.created_at.isoformat()
    kept = {"id": found.key or found.id, "threadId": thread_id, "type": TYPES[found.role], "name": found.role.lower()}
    return {**kept, "input": "", "output": text, "createdAt": created, "start": created, "end": created, "metadata": {}}
