"""A real Redis of one's own, which can be killed, stopped and started again on the same port."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

REDIS = shutil.which("redis-server")
PASSWORD = "not in any log"


class RedisServer:
    """`url` stays the same for as long as the object lives."""

    def __init__(self, directory: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.url = f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}/0"
        where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", directory, "--logfile", "redis.log"]
        self._command = [str(REDIS), *where, "--save", "", "--appendonly", "no", "--requirepass", PASSWORD]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)

    def kill(self) -> None:
        """kill -9, also when it is stopped."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It keeps its connections, and does not answer."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Running; without the program the test is skipped, and fails in CI."""
    if REDIS is None:
        missing = "no redis-server on this machine: the wake-ups by Redis were NOT tested (scripts/install-debian)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with tempfile.TemporaryDirectory() as directory:
        running = RedisServer(directory)
        try:
            yield running
        finally:
            running.kill()
