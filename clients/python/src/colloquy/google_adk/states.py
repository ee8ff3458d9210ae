"""States of ADK as records: of a session, of a user and of an app, by the prefixes of their keys.

The events of a session are the truth, and its record follows them: `sequence` is the newest message whose delta the
states have. The record of the session and those of its user and its app are stored together, so each delta counts once.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from google.adk.events import Event
from google.adk.sessions.state import State
from pydantic_core import to_jsonable_python

from colloquy.decoding import decode_optional
from colloquy.graphql_documents import THREE_RECORDS
from colloquy.labels import label_of
from colloquy.operation import Operation
from colloquy.operations.record import new_record, put_records
from colloquy.results import Record

ROOT = "google-adk"
SESSIONS, USERS, APPS = (ROOT, "sessions"), (ROOT, "users"), (ROOT, "apps")


class Names(NamedTuple):
    """What names a session."""

    app: str
    user: str
    session: str

    @property
    def key(self) -> str:
        """The key of the server's session."""
        return label_of("/".join(part.replace("%", "%25").replace("/", "%2F") for part in self))

    @property
    def records(self) -> list[tuple[tuple[str, ...], str]]:
        """The namespaces and keys of the records of the session, its user and its app."""
        app, user, session = map(label_of, self)
        return [((*SESSIONS, app, user), session), ((*USERS, app), user), (APPS, app)]


class Found(NamedTuple):
    """The records of a session, its user and its app."""

    session: Record | None
    user: Record | None
    app: Record | None

    @property
    def state(self) -> dict[str, Any]:
        """The three states in one, as ADK shows them."""
        return merged(*(each.value["state"] if each else {} for each in self))


class Deltas(NamedTuple):
    """Changes of the three states, without the prefixes; temporary ones are left out."""

    session: dict[str, Any]
    user: dict[str, Any]
    app: dict[str, Any]

    @classmethod
    def of(cls, delta: Mapping[str, Any]) -> "Deltas":
        """The changes by prefix, as JSON; of what is no JSON, its text."""
        values = to_jsonable_python(dict(delta), fallback=str)
        return cls(
            {
                key: value
                for key, value in values.items()
                if not key.startswith((State.APP_PREFIX, State.USER_PREFIX, State.TEMP_PREFIX))
            },
            _below(State.USER_PREFIX, values),
            _below(State.APP_PREFIX, values),
        )


def merged(session: Mapping[str, Any], user: Mapping[str, Any], app: Mapping[str, Any]) -> dict[str, Any]:
    """The three states in one."""
    users = {State.USER_PREFIX + key: value for key, value in user.items()}
    return {**session, **users, **{State.APP_PREFIX + key: value for key, value in app.items()}}


def read(names: Names) -> Operation[Found]:
    """Reads the three records."""
    paths = {
        f"{kind}{part}": value
        for kind, (namespace, key) in zip(Found._fields, names.records, strict=True)
        for part, value in (("Namespace", list(namespace)), ("Key", key))
    }
    return Operation(
        THREE_RECORDS, paths, lambda data: Found(*(decode_optional(Record, data[kind]) for kind in Found._fields))
    )


def create(names: Names, found: Found, state: Mapping[str, Any], session_id: str, now: float) -> Operation[Any]:
    """Stores a new session with its state."""
    value = {**names._asdict(), "state": {}, "sequence": 0, "updated": now}
    return _put(names, found, value, [Deltas.of(state)], session_id)


def follow(names: Names, found: Found, events: Iterable[tuple[int, Event]]) -> Operation[Any]:
    """Stores the states after these events, each with its sequence."""
    assert found.session
    assert found.session.session
    listed = list(events)
    sequence, newest = listed[-1]
    value = {**found.session.value, "sequence": sequence, "updated": newest.timestamp}
    deltas = [Deltas.of(event.actions.state_delta) for _, event in listed]
    return _put(names, found, value, deltas, found.session.session.id)


def _put(
    names: Names, found: Found, value: Mapping[str, Any], deltas: Iterable[Deltas], session_id: str
) -> Operation[Any]:
    values: list[dict[str, Any]] = [
        dict(value),
        dict(found.user.value if found.user else {"app": names.app, "user": names.user, "state": {}}),
        dict(found.app.value if found.app else {"app": names.app, "state": {}}),
    ]
    changed = [True, False, False]
    for delta in deltas:
        for index, each in enumerate(delta):
            values[index]["state"] = {**values[index]["state"], **each}
            changed[index] = changed[index] or bool(each)
    sessions = (session_id, None, None)
    rows = zip(names.records, values, found, sessions, changed, strict=True)
    return put_records(
        [
            new_record(*name, each, session_id=owner, expected_revision=old.revision if old else 0)
            for name, each, old, owner, put in rows
            if put
        ]
    )


def _below(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
