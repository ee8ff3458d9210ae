"""Wake-ups: "this session has changed, up to this revision". They carry no data, so a lost one costs only latency.

`Bus` notifies the listeners of its own process at once. `SharedBus` also sends wake-ups to the other processes.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

COALESCE_SECONDS = 0.02

Subject = tuple[str, str]
"""What a listener follows: an owner and a session id, or an owner and OWNER_WIDE."""
OWNER_WIDE = ""
"""In place of a session id: all sessions of the owner, and the tasks and approvals outside of sessions."""
Changes = dict[tuple[str, str, bool], int | None]
"""By owner, session id and whether only streamed text has grown: the newest revision, or None for grown text."""


def merge_change(changes: Changes, subject: Subject, revision: int | None) -> None:
    """Adds a change; of several revisions the highest counts, in whatever order they come.

    Grown text has a key of its own: readers may have read up to a revision before the text grew.
    """
    key = (*subject, revision is None)
    changes[key] = None if revision is None else max(revision, changes.get(key) or 0)


class Listener(Protocol):
    """Follows one subject."""

    def notify(self, revision: int | None, /) -> None:
        """The subject has changed, up to `revision`; None if the revision is unknown."""


class Observer(Protocol):
    """Follows the changes of all sessions."""

    def changed(self, owner: str, session_id: str, revision: int, /) -> None:
        """A session has changed, up to `revision`."""

    def clear(self) -> None:
        """Wake-ups may have been lost."""


class Causes(Protocol):
    """Follows which writes caused the wake-ups: tracing. A cause is a W3C `traceparent`."""

    def take(self, owner: str, session_id: str, /) -> Sequence[str]:
        """The causes of a wake-up that is sent to the other processes now."""

    def received(self, owner: str, session_id: str, revision: int | None, cause: str, /) -> None:
        """Another process sent a cause of a change, of which no listener is notified yet."""


class Bus:
    """The wake-ups of one process. `observer` gets every change but the growth of streamed text, before listeners."""

    observer: Observer | None = None
    causes: Causes | None = None

    def __init__(self) -> None:
        self._listeners: dict[Subject, Listener] = {}
        self._pending: Changes = {}
        self._flush_timer: asyncio.TimerHandle | None = None
        self.healthy = True
        self.sent = self.received = 0

    def add_listener(self, subject: Subject, listener: Listener) -> None:
        """Notifies `listener` until `remove_listener`; a subject has one listener."""
        self._listeners[subject] = listener

    def remove_listener(self, subject: Subject) -> None:
        """The subject's listener is notified no more."""
        self._listeners.pop(subject, None)

    def publish(self, owner: str, changes: Iterable[tuple[str, int | None]]) -> None:
        """After a commit: notifies the listeners here, and schedules the wake-ups for other processes.

        `changes` are (session id, revision), with None for the revision if only streamed text has grown.
        """
        for session_id, revision in changes:
            subject = owner, session_id
            self.notify(subject, revision)
            merge_change(self._pending, subject, revision)
        if self._pending and self._flush_timer is None:
            self._flush_timer = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self.flush)

    def notify(self, subject: Subject, revision: int | None) -> None:
        """Notifies the listener of a session, and that of its owner unless only streamed text has grown."""
        if revision is not None and self.observer:
            self.observer.changed(*subject, revision)
        if listener := self._listeners.get(subject):
            listener.notify(revision)
        if revision is not None and (listener := self._listeners.get((subject[0], OWNER_WIDE))):
            listener.notify(None)

    def notify_all(self) -> None:
        """Every listener reads: wake-ups may have been lost."""
        if self.observer:
            self.observer.clear()
        for listener in list(self._listeners.values()):
            listener.notify(None)

    def flush(self) -> None:
        """Sends the wake-ups that wait to be coalesced."""
        changes, self._pending, self._flush_timer = self._pending, {}, None
        self.sent += len(changes)
        self.broadcast(changes)

    def broadcast(self, changes: Changes) -> None:
        """Sends wake-ups to the other processes. A bus of one process has none to send to."""
