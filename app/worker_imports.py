"""What the fork server imports; only the fork server imports this module."""

import os
import signal
from types import FrameType

_FORK_SERVER = os.getpid()


def _end_worker(number: int, _frame: FrameType | None) -> None:
    """Ends a worker that is still starting; the fork server itself stays.

    A service manager may send SIGTERM to all processes. The fork server must stay: it notifies the supervisor when a
    worker has ended, and the supervisor waits for that.
    """
    if os.getpid() != _FORK_SERVER:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


signal.signal(signal.SIGTERM, _end_worker)

import app.main  # noqa: E402,F401
from app.server import keep_imported_objects  # noqa: E402

keep_imported_objects()
