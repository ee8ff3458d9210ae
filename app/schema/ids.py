"""Node ids: opaque to clients, and all that a lookup by primary key needs to us.

An id that is not in its canonical form, or of another kind, is simply absent. Those that every page is full of are
made without a call of `ID`, which is `str`.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from strawberry import ID

from app.db.reading.rows import AgentRow, ApprovalRow, MessageKey, MessageRow, SessionAgentRow, SessionRow, TaskRow
from app.errors import NotFound

T = TypeVar("T")
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SESSION = re.compile(f"ses_({UUID})")
AGENT = re.compile(f"agt_({UUID})")
MESSAGE = re.compile(f"msg_({UUID})_([1-9][0-9]{{0,9}})")
TASK = re.compile(f"tsk_({UUID})")
APPROVAL = re.compile(f"apr_({UUID})")
AUDIT_EVENT = re.compile(f"aud_({UUID})")
PART = re.compile(f"prt_({UUID})_([am])_([A-Za-z0-9_-]+)")
SUBJECTS = {"SESSION": "ses", "AGENT": "agt", "TASK": "tsk", "APPROVAL": "apr"}
NOTHING = "00000000-0000-0000-0000-000000000000"  # the id of no row
KINDS = {"a": "AGENT", "m": "MULTI_AGENT"}


def session(session_id: str) -> ID:
    """The id of a session."""
    return f"ses_{session_id}"  # type: ignore[return-value]


def agent(agent_id: str) -> ID:
    """The id of a catalogue entry."""
    return f"agt_{agent_id}"  # type: ignore[return-value]


def message(session_id: str, sequence: int) -> ID:
    """The id of a message: its session and its place in it."""
    return f"msg_{session_id}_{sequence}"  # type: ignore[return-value]


def subject(kind: str, thing_id: str, sequence: int | None) -> ID:
    """The id of what an audit event is about."""
    return message(thing_id, sequence) if sequence is not None else ID(f"{SUBJECTS[kind]}_{thing_id}")


def part(session_id: str, kind: str, key: str) -> ID:
    """The id of an agent's part in a session."""
    return ID(f"prt_{session_id}_{kind[0].lower()}_{urlsafe_b64encode(key.encode()).decode().rstrip('=')}")


def task(task_id: str) -> ID:
    """The id of a task."""
    return ID(f"tsk_{task_id}")


def approval(approval_id: str) -> ID:
    """The id of an approval."""
    return ID(f"apr_{approval_id}")


def audit_event(event_id: str) -> ID:
    """The id of an audit event."""
    return ID(f"aud_{event_id}")


def session_of(text: str) -> str | None:
    """The session that an id names."""
    found = SESSION.fullmatch(text)
    return found[1] if found else None


def agent_of(text: str) -> str | None:
    """The agent that an id names."""
    found = AGENT.fullmatch(text)
    return found[1] if found else None


def task_of(text: str) -> str | None:
    """The task that an id names."""
    found = TASK.fullmatch(text)
    return found[1] if found else None


def approval_of(text: str) -> str | None:
    """The approval that an id names."""
    found = APPROVAL.fullmatch(text)
    return found[1] if found else None


def audit_event_of(text: str) -> str | None:
    """The audit event that an id names."""
    found = AUDIT_EVENT.fullmatch(text)
    return found[1] if found else None


def message_of(text: str) -> MessageKey | None:
    """The session and sequence that an id names."""
    found = MESSAGE.fullmatch(text)
    return MessageKey(found[1], int(found[2])) if found and int(found[2]) < 2**31 else None


def subject_of(text: str) -> tuple[str, str, int | None]:
    """The kind, id and sequence of what an audit event may be about; for another id, of nothing."""
    if place := message_of(text):
        return "MESSAGE", *place
    prefix, _, thing_id = text.partition("_")
    kinds = [kind for kind, known in SUBJECTS.items() if known == prefix]
    return (kinds[0], thing_id, None) if kinds and re.fullmatch(UUID, thing_id) else ("", NOTHING, None)


def part_of(text: str) -> tuple[str, str, str] | None:
    """The session, kind and key that an id names."""
    found = PART.fullmatch(text)
    try:
        key = urlsafe_b64decode(found[3] + "=" * (-len(found[3]) % 4)).decode() if found else ""
    except ValueError:
        return None
    if not found or not key or "\0" in key or part(found[1], KINDS[found[2]], key) != text:
        return None
    return found[1], KINDS[found[2]], key


OF: dict[type, Callable[[Any], ID]] = {
    SessionRow: lambda row: session(row.id),
    AgentRow: lambda row: agent(row.id),
    MessageRow: lambda row: message(row.session_id, row.sequence),
    SessionAgentRow: lambda row: part(row.session_id, row.kind, row.key),
    TaskRow: lambda row: task(row.id),
    ApprovalRow: lambda row: approval(row.id),
}
LOADERS: tuple[tuple[Callable[[str], Any], str], ...] = (
    (session_of, "sessions"),
    (message_of, "messages"),
    (agent_of, "agents"),
    (part_of, "session_agents"),
    (task_of, "tasks"),
    (approval_of, "approvals"),
    (audit_event_of, "audit_events"),
)


def named(parse: Callable[[str], T | None], text: str, what: str, field: str = "id") -> T:
    """What an input's id names; NotFound when it names nothing of this kind."""
    found = parse(text)
    if found is None:
        raise NotFound(f"There is no such {what}.", field=field)
    return found


def maybe(parse: Callable[[str], T | None], text: str | None, what: str, field: str) -> T | None:
    """The same, or None for null."""
    return None if text is None else named(parse, text, what, field)


def of(row: Any) -> ID:
    """The node id of a row."""
    return next(OF[kind] for kind in type(row).__mro__ if kind in OF)(row)


def load(loaders: Any, text: str) -> Any:
    """The future of the row that any id names; None for an id of no kind."""
    for parse, loader in LOADERS:
        key = parse(text)
        if key is not None:
            return getattr(loaders, loader).load(key)
    return None
