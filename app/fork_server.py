"""The fork server of `colloquy serve --workers N`: a process that has imported the program, and forks each worker.

A forked worker serves at once, and shares the memory of what was imported. multiprocessing's fork server has no other
thread and no event loop, so that a fork of it is safe, and ends after its supervisor and its last worker.
"""

import multiprocessing
import os
from multiprocessing import forkserver

FORKS = multiprocessing.get_context("forkserver")


def start() -> None:
    """Starts the fork server unless it runs. Raises OSError if there is no place for its socket."""
    # As for the command itself, `app` is the installed one: the directory in which it is started may have another.
    os.environ["PYTHONSAFEPATH"] = "1"
    FORKS.set_forkserver_preload(["app.cli", "app.worker_imports"])
    forkserver.ensure_running()
