"""`colloquy serve --workers N`: processes that share one port, under uvicorn's supervisor.

The supervisor replaces a worker that has died, and passes a stop signal to all. The fork server (`app/fork_server.py`)
forks the workers; a worker stops by itself when one of the two is gone. What belongs to one process (the pool, the
session cache, the listening connection) is there once for each worker; the bus carries wake-ups between them, and one
of them sweeps.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from uvicorn import _subprocess
from uvicorn.supervisors import Multiprocess

from app import fork_server, telemetry
from app.server import START_FAILED, address_of, config_for, keep_imported_objects
from app.settings import Settings
from app.structured_log import get_logger

log = get_logger("colloquy.workers")
WATCH_SECONDS = 1.0
"""A worker notices the end of the fork server after at most so long, that of the supervisor at once."""


class WorkersSocket(socket.socket):
    """A bound socket of which each process that receives it makes one of its own, on the same port (SO_REUSEPORT).

    The kernel spreads connections evenly over such sockets. Of one socket for all, the process that is awake takes more
    than its share: of 64 connections one of four workers had 39.
    """

    def __reduce__(self) -> Any:
        return _workers_socket, (self.family, self.getsockname())


def _workers_socket(family: int, address: Any) -> WorkersSocket:
    one = WorkersSocket(family)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    one.bind(address)
    return one


class Supervisor(Multiprocess):
    """uvicorn's, which forks its workers, and notices at once that one has ended while it waits for its answer."""

    def init_processes(self) -> None:
        """Starts the workers."""
        _subprocess.spawn = fork_server.FORKS  # type: ignore[assignment]  # uvicorn would start Python for each worker
        super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """Replaces workers that have ended, or do not answer for HUNG_SECONDS."""
        for process in self.processes:
            process.child_conn.close()  # the worker has its own: with it the last one goes, which ends the wait
        super().keep_subprocess_alive()


def serve(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serves with `settings.workers` processes until SIGINT or SIGTERM; exits with 3 if they cannot start.

    `ready` is called with the address, in a thread, as soon as the port accepts connections.
    """
    with _metrics_directory() as directory, _bound(settings) as listener:
        config = config_for(partial(create_worker, settings, Path(directory)), settings)
        supervisor = Supervisor(config, [listener])
        if ready:
            threading.Thread(target=_call_when_accepting, args=(address_of(listener), ready), daemon=True).start()
        supervisor.run()
    if any(process.exitcode == START_FAILED for process in supervisor.processes):
        sys.exit(START_FAILED)


def _metrics_directory() -> "TemporaryDirectory[str]":
    """A directory for the metrics that the workers share. Exits where there is none, or none for the fork server."""
    try:
        fork_server.start()
        return TemporaryDirectory(prefix="colloquy-workers-")
    except OSError as error:
        no_directory = "there is no directory to write to; mount one at /tmp, set TMPDIR, or give WORKERS=1"
        too_long = "the path of TMPDIR is too long for a socket; set a shorter one, or give WORKERS=1"
        log.error(f"WORKERS: {no_directory if error.errno else too_long}")
        sys.exit(START_FAILED)


def _bound(settings: Settings) -> WorkersSocket:
    """The address of the settings; no other server has it. Exits if it cannot be used."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.create_server((settings.host, settings.port), family=family) as only:  # SO_REUSEPORT hides a server
            address = only.getsockname()
        return _workers_socket(family, address)
    except OSError as error:
        log.error(f"HOST={settings.host}, PORT={settings.port}: {error.strerror}")
        sys.exit(START_FAILED)


def create_worker(settings: Settings, directory: Path) -> Starlette:
    """The application of one worker, in the worker's process."""
    from app.main import create_app  # the supervisor does without it
    from app.tracing import NotInstalled
    from app.transport import InvalidManifests

    telemetry.set_up_logs(settings)
    telemetry.renew_process_id()
    threading.Thread(target=_stop_without_supervisor, daemon=True).start()
    try:
        app = create_app(settings, workers_directory=directory)
        keep_imported_objects()
        return app
    except (InvalidManifests, NotInstalled) as error:
        log.error(str(error))
        sys.exit(START_FAILED)


def _call_when_accepting(address: str, call: Callable[[str], None]) -> None:
    """Calls with the address once a worker listens there."""
    url = urlsplit(address)
    while True:
        try:
            socket.create_connection((url.hostname, url.port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return call(address)


def _stop_without_supervisor() -> None:
    """Sends this worker SIGTERM when the supervisor or the fork server is gone."""
    supervisor, fork_server_id = multiprocessing.parent_process(), os.getppid()
    assert supervisor
    while supervisor.is_alive() and os.getppid() == fork_server_id:
        supervisor.join(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
