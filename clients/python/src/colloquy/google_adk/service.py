"""The session service: ADK's methods over sessions, events and states."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.input_validation_error import InputValidationError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event
from google.adk.platform import time as adk_time
from google.adk.sessions import BaseSessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig, ListSessionsResponse

from colloquy.client import Token
from colloquy.clients import Clients, ClientsOwner
from colloquy.errors import Conflict, Invalid, NotFound
from colloquy.google_adk import events, states
from colloquy.google_adk.states import Found, Names
from colloquy.labels import label_of
from colloquy.operations.record import record, records
from colloquy.operations.session import create_session, delete_session, mark_session_read, session
from colloquy.results import Message
from colloquy.steps import Steps, every

STALE = "The session has changed since it was loaded. Load it again before appending more events."
TAKEN = "Session with id {} already exists."
MAX_SEQUENCE = 2**31 - 1


class ColloquySessionService(ClientsOwner, BaseSessionService):
    """Stores the sessions of all users of an app in Colloquy; their owner is the subject of `token`.

    Threads, event loops and processes may share a service. An event is appended only to the session that it was made
    for: a StaleSessionError says that another event came first. A request whose response was lost is sent again, and
    nothing is stored twice.
    """

    def __init__(self, url: str, token: Token, **options: Any) -> None:
        """Makes a service that sends nothing yet; `options` are the keyword arguments of `colloquy.Client`."""
        self.clients = Clients(url, token, **options)

    async def create_session(
        self, *, app_name: str, user_id: str, state: dict[str, Any] | None = None, session_id: str | None = None
    ) -> Session:
        """Creates a session with its state. Raises AlreadyExistsError."""
        names = Names(app_name, user_id, uuid4().hex if session_id is None else session_id)
        with _adk_errors():
            return await self.clients.run_async(_create(names, state or {}))

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        """Returns a session with its events, or with those that `config` names; None without the session."""
        with _adk_errors():
            return await self.clients.run_async(_get(Names(app_name, user_id, session_id), config))

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """Returns the sessions of a user, or of all, without events, the least recently active first."""
        with _adk_errors():
            found = await self.clients.run_async(_list(app_name, user_id))
        return ListSessionsResponse(sessions=sorted(found, key=lambda each: (each.last_update_time, *_names(each))))

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Erases a session with its events permanently; the states of user and app stay."""
        with _adk_errors():
            await self.clients.run_async(_delete(Names(app_name, user_id, session_id)))

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        """Returns the state of a user, without the prefix of its keys."""
        with _adk_errors():
            return await self.clients.run_async(_user_state(app_name, user_id))

    async def append_event(self, session: Session, event: Event) -> Event:
        """Appends an event and applies its changes of the state. Raises StaleSessionError and SessionNotFoundError."""
        if event.partial:
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        with _adk_errors():
            stored, known = await self.clients.run_async(_append(session, event))
        if known:
            return event
        session.last_update_time = event.timestamp
        session._storage_update_marker = str(stored.sequence)
        return self._commit_event_to_session(session, event)


def _names(found: Session) -> Names:
    return Names(found.app_name, found.user_id, found.id)


def _create(names: Names, state: Mapping[str, Any]) -> Steps[Session]:
    while True:
        found = yield states.read(names)
        if found.session:
            raise AlreadyExistsError(TAKEN.format(names.session))
        opened = yield from _open(names)
        try:
            yield states.create(names, found, state, opened, adk_time.get_time())
        except Conflict:
            continue  # another call has created the session, or changed the state of its user or its app
        return (yield from _get(names, None)) or _gone(names)


def _open(names: Names) -> Steps[str]:
    """The id of the server's session, which is created if there is none."""
    found = yield session(key=names.key)
    if found is not None:
        return str(found.id)
    try:
        created = yield create_session(key=names.key, status="ACTIVE", metadata={states.ROOT: names._asdict()})
    except Conflict:
        found = yield session(key=names.key)  # of another call
        if found is None:
            raise
        return str(found.id)
    return str(created.session.id)


def _get(names: Names, config: GetSessionConfig | None) -> Steps[Session | None]:
    found = yield from _caught_up(names)
    if found is None:
        return None
    limit = config.num_recent_events if config else None
    since = config.after_timestamp if config else None
    sequence = found.session.value["sequence"]
    listed = yield from events.recent(found.session.session.id, sequence, limit, since)
    return _session(found.session.value, found.state, listed)


def _session(value: Mapping[str, Any], state: dict[str, Any], listed: list[Event]) -> Session:
    found = Session(
        id=value["session"],
        app_name=value["app"],
        user_id=value["user"],
        state=state,
        events=listed,
        last_update_time=value["updated"],
    )
    found._storage_update_marker = str(value["sequence"])
    return found


def _caught_up(names: Names) -> Steps[Any]:
    """The records after all events, also those of a process that ended before it stored the states."""
    while True:
        found = yield states.read(names)
        if found.session is None or found.session.session is None:
            return None
        missing = yield from events.after(found.session.session.id, found.session.value["sequence"])
        if not missing:
            return found
        yield from _follow(names, found, missing)


def _follow(names: Names, found: Found, missing: list[Message]) -> Steps[bool]:
    """Stores the states after these messages; False if another call has changed them."""
    try:
        yield states.follow(names, found, ((each.sequence, events.event_of(each)) for each in missing))
    except Conflict:
        return False
    return True


def _append(target: Session, event: Event) -> Steps[tuple[Message, bool]]:
    """Appends an event; true with it if the session has it already."""
    names = _names(target)
    found = yield states.read(names)
    if found.session is None or found.session.session is None:
        _gone(names)
    server_id, marker = found.session.session.id, target._storage_update_marker
    seen = int(marker) if marker is not None else (yield from _seen(server_id, target))
    try:
        stored = yield events.append(server_id, event, seen)
    except Conflict as error:
        if error.field[-1:] == ("key",):
            raise AlreadyExistsError(f"Event with id {event.id} already exists.") from error
        if error.field != ("expectedSequence",):
            raise
        stored = yield from _append_after_deletion(server_id, event, seen)
    if stored.sequence <= seen:
        return stored, True
    followed = found.session.value["sequence"] == seen and (yield from _follow(names, found, [stored]))
    if not followed:
        yield from _caught_up(names)
    return stored, False


def _append_after_deletion(server_id: str, event: Event, seen: int) -> Steps[Message]:
    """Appends where the newest messages are deleted ones: no page shows their sequence."""
    yield from _check_newest(server_id, seen)  # before the session is marked as read
    newest = (yield mark_session_read(server_id, MAX_SEQUENCE)).last_read_sequence
    yield from _check_newest(server_id, seen)
    try:
        return (yield events.append(server_id, event, newest))  # type: ignore[no-any-return]
    except Conflict as error:
        raise StaleSessionError(STALE) from error


def _check_newest(server_id: str, seen: int) -> Steps[None]:
    newest = yield from events.newest(server_id)
    if newest is not None and newest.sequence > seen:
        raise StaleSessionError(STALE)


def _seen(server_id: str, target: Session) -> Steps[int]:
    """The sequence of the newest event of a session that no service has loaded."""
    newest = yield from events.newest(server_id)
    if (events.event_of(newest).id if newest else None) != (target.events[-1].id if target.events else None):
        raise StaleSessionError(STALE)
    return newest.sequence if newest else 0


def _list(app: str, user: str | None) -> Steps[list[Session]]:
    path = (label_of(app), *(() if user is None else (label_of(user),)))
    heads = yield from every(records((*states.SESSIONS, *path)))
    of_users = (*states.USERS, label_of(app))
    users = (yield from every(records(of_users))) if user is None else [(yield record(of_users, label_of(user)))]
    of_app = yield record(states.APPS, label_of(app))
    by_user = {each.value["user"]: each.value["state"] for each in users if each}
    of_all = of_app.value["state"] if of_app else {}
    return [
        _session(each.value, states.merged(each.value["state"], by_user.get(each.value["user"], {}), of_all), [])
        for each in heads
        if each.session
    ]


def _delete(names: Names) -> Steps[None]:
    found = (yield states.read(names)).session
    if found and found.session:
        try:
            yield delete_session(found.session.id, "HARD")
        except NotFound:
            return  # another call has erased it


def _user_state(app: str, user: str) -> Steps[dict[str, Any]]:
    found = yield record((*states.USERS, label_of(app)), label_of(user))
    return dict(found.value["state"]) if found else {}


def _gone(names: Names) -> Any:
    raise SessionNotFoundError(f"Session {names.session} not found.")


@contextmanager
def _adk_errors() -> Iterator[None]:
    """ADK names what is absent, stale or invalid. Its services leave every other failure as it is."""
    try:
        yield
    except NotFound as error:
        raise SessionNotFoundError(error.message) from error
    except Invalid as error:
        raise InputValidationError(error.message) from error
