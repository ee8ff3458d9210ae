"""Steps that a user has marked: a record for each, in a namespace of the user."""

from collections.abc import Mapping
from typing import Any

from chainlit.step import StepDict

from colloquy.chainlit import steps, threads
from colloquy.chainlit.names import FAVORITES
from colloquy.labels import label_of
from colloquy.operations.record import delete_records, new_record, put_records, records
from colloquy.steps import Steps, every


def mark(step: Mapping[str, Any]) -> Steps[None]:
    """Stores whether a step is marked, if its metadata says so."""
    marked = (step.get("metadata") or {}).get("favorite")
    if marked is None:
        return
    thread = yield from threads.read(step["threadId"])
    if thread is None or thread.value["userId"] is None:
        return
    name = ((*FAVORITES, label_of(thread.value["userId"])), label_of(step["id"]))
    if marked:
        value = {"thread": step["threadId"], "step": step["id"]}
        yield put_records([new_record(*name, value, session_id=threads.session_of(thread))])
    else:
        yield delete_records([name])


def of(user_id: str) -> Steps[list[StepDict]]:
    """Reads the marked steps of a user, the newest first."""
    listed = yield from every(records((*FAVORITES, label_of(user_id))))
    found = []
    for each in listed:
        step = yield from steps.get(each.value["thread"], each.value["step"])
        if step is not None:
            found.append(StepDict(**step))
    return sorted(found, key=lambda step: step.get("createdAt") or "", reverse=True)
