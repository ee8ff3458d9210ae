"""Node ids: opaque for clients; for the server, the kind of an object and its primary key.

A text that is not the canonical form of an id names no object. The functions that make ids return plain strings
without a call of `ID`, which is `str`, because every page makes many.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from strawberry import ID

from app.db.reading.rows import (
    AgentRow,
    ApprovalRow,
    MessageKey,
    MessageRow,
    RecordRow,
    SessionAgentRow,
    SessionRow,
    TaskRow,
)
from app.errors import BadInput, NotFound
from app.record_path import KEY_START, name_of, path_of

T = TypeVar("T")
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SESSION = re.compile(f"ses_({UUID})")
AGENT = re.compile(f"agt_({UUID})")
MESSAGE = re.compile(f"msg_({UUID})_([1-9][0-9]{{0,9}})")
TASK = re.compile(f"tsk_({UUID})")
APPROVAL = re.compile(f"apr_({UUID})")
AUDIT_EVENT = re.compile(f"aud_({UUID})")
SESSION_AGENT = re.compile(f"prt_({UUID})_([am])_([A-Za-z0-9_-]+)")
RECORD = re.compile("rec_([A-Za-z0-9_-]+)")
SUBJECT_PREFIXES = {"SESSION": "ses", "AGENT": "agt", "TASK": "tsk", "APPROVAL": "apr"}
SESSION_AGENT_KINDS = {"a": "AGENT", "m": "MULTI_AGENT"}
NO_ROW = "00000000-0000-0000-0000-000000000000"
"""A uuid that no row has."""


def session(session_id: str) -> ID:
    """The id of a session."""
    return f"ses_{session_id}"  # type: ignore[return-value]


def agent(agent_id: str) -> ID:
    """The id of an agent in the catalogue."""
    return f"agt_{agent_id}"  # type: ignore[return-value]


def message(session_id: str, sequence: int) -> ID:
    """The id of a message."""
    return f"msg_{session_id}_{sequence}"  # type: ignore[return-value]


def session_agent(session_id: str, kind: str, key: str) -> ID:
    """The id of a SessionAgent."""
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


def record(path: str) -> ID:
    """The id of a record."""
    return ID(f"rec_{urlsafe_b64encode(path.encode()).decode().rstrip('=')}")


def subject(kind: str, row_id: str, sequence: int | None) -> ID:
    """The id of the object of an audit event."""
    return message(row_id, sequence) if sequence is not None else ID(f"{SUBJECT_PREFIXES[kind]}_{row_id}")


def parse_session(text: str) -> str | None:
    """The uuid in the id of a session; None for another text."""
    return _uuid_in(SESSION, text)


def parse_agent(text: str) -> str | None:
    """The uuid in the id of an agent; None for another text."""
    return _uuid_in(AGENT, text)


def parse_task(text: str) -> str | None:
    """The uuid in the id of a task; None for another text."""
    return _uuid_in(TASK, text)


def parse_approval(text: str) -> str | None:
    """The uuid in the id of an approval; None for another text."""
    return _uuid_in(APPROVAL, text)


def parse_audit_event(text: str) -> str | None:
    """The uuid in the id of an audit event; None for another text."""
    return _uuid_in(AUDIT_EVENT, text)


def parse_message(text: str) -> MessageKey | None:
    """The key in the id of a message; None for another text."""
    match = MESSAGE.fullmatch(text)
    return MessageKey(match[1], int(match[2])) if match and int(match[2]) < 2**31 else None


def parse_session_agent(text: str) -> tuple[str, str, str] | None:
    """The session, kind and key in the id of a SessionAgent; None for another text."""
    match = SESSION_AGENT.fullmatch(text)
    if not match:
        return None
    session_id, kind, encoded = match[1], SESSION_AGENT_KINDS[match[2]], match[3]
    try:
        key = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        return None
    canonical = key and "\0" not in key and session_agent(session_id, kind, key) == text
    return (session_id, kind, key) if canonical else None


def parse_record(text: str) -> str | None:
    """The path in the id of a record; None for another text."""
    match = RECORD.fullmatch(text)
    if not match:
        return None
    try:
        path = urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)).decode()
    except ValueError:
        return None
    canonical = KEY_START in path and "\0" not in path and record(path) == text and path_of(*name_of(path)) == path
    return path if canonical else None


def parse_subject(text: str) -> tuple[str, str, int | None]:
    """The kind, uuid and sequence of the object of an audit event; for another text, those of no object."""
    if key := parse_message(text):
        return "MESSAGE", *key
    prefix, _, row_id = text.partition("_")
    kind = next((kind for kind, known in SUBJECT_PREFIXES.items() if known == prefix), None)
    return (kind, row_id, None) if kind and re.fullmatch(UUID, row_id) else ("", NO_ROW, None)


def _uuid_in(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.fullmatch(text)
    return match[1] if match else None


def _required(parse: Callable[[str], T | None], noun: str) -> Callable[..., T]:
    """The parser of an id in an input: raises NotFound, which names the input's field, where `parse` returns None."""

    def require(text: str, field: str = "id") -> T:
        key = parse(text)
        if key is None:
            raise NotFound(f"There is no such {noun}.", field=field)
        return key

    return require


require_session = _required(parse_session, "session")
require_agent = _required(parse_agent, "agent")
require_task = _required(parse_task, "task")
require_approval = _required(parse_approval, "approval")
require_message = _required(parse_message, "message")


def optional(require: Callable[[str, str], T], text: str | None, field: str) -> T | None:
    """The parsed id; None for null."""
    return None if text is None else require(text, field)


ID_OF: dict[type, Callable[[Any], ID]] = {
    SessionRow: lambda row: session(row.id),
    AgentRow: lambda row: agent(row.id),
    MessageRow: lambda row: message(row.session_id, row.sequence),
    SessionAgentRow: lambda row: session_agent(row.session_id, row.kind, row.key),
    TaskRow: lambda row: task(row.id),
    ApprovalRow: lambda row: approval(row.id),
    RecordRow: lambda row: record(row.path),
}
LOADERS: tuple[tuple[Callable[[str], Any], str], ...] = (
    (parse_session, "sessions"),
    (parse_message, "messages"),
    (parse_agent, "agents"),
    (parse_session_agent, "session_agents"),
    (parse_task, "tasks"),
    (parse_approval, "approvals"),
    (parse_record, "records"),
    (parse_audit_event, "audit_events"),
)


def of_row(row: Any) -> ID:
    """The id of a row."""
    return next(ID_OF[kind] for kind in type(row).__mro__ if kind in ID_OF)(row)


def load(loaders: Any, text: str) -> Any:
    """The future of the row with this id; None for a text that is not an id."""
    for parse, loader in LOADERS:
        key = parse(text)
        if key is not None:
            return getattr(loaders, loader).load(key)
    return None


def load_by_id_or_key(parse: Any, by_id: Any, by_key: Any, id: str | None, key: str | None) -> Any:
    """The future of the row with this id or this key; None for a text that is not an id. Raises BadInput."""
    if (id is None) == (key is None):
        raise BadInput("Name it by exactly one of id and key.")
    if key is not None:
        return by_key.load(key)
    row_id = parse(id)
    return by_id.load(row_id) if row_id else None
