"""A program as a process that can be killed, frozen and started again."""

import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

from harness import ports, usage

START_SECONDS = STOP_SECONDS = 30


class Process:
    """A running command; its working directory and its log are in `directory`."""

    def __init__(
        self, name: str, command: list[str], directory: Path, *, environment: dict[str, str], core: int | None = None
    ) -> None:
        """Starts the command, on one CPU core if `core` is given."""
        self.name, self.command, self.environment = name, command, environment
        self.log = directory / f"{name}.log"
        self._directory, self._core = directory, core
        self.started = 0.0
        self.start()

    def start(self) -> None:
        """Starts the command again, with the same environment and log."""
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                self.command,
                env=os.environ | self.environment,
                cwd=self._directory,  # no `.env` is there
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=None if self._core is None else partial(usage.pin_this_process, self._core),
            )
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while the process runs; a signal's number is negative."""
        return self._popen.poll()

    def kill(self) -> None:
        """SIGKILL; returns when the process has ended."""
        self._popen.kill()
        self._popen.wait()

    def freeze(self) -> None:
        """SIGSTOP: the process keeps its connections and does not answer."""
        self._popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._popen.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """The exit code after SIGTERM, or after SIGKILL once `STOP_SECONDS` have passed."""
        self._popen.terminate()
        try:
            return self._popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._popen.returncode

    def wait_until_listening(self, port: int) -> float:
        """Seconds from the start until the port accepted connections. Raises RuntimeError with the end of the log."""
        while self.exit_code is None and time.monotonic() < self.started + START_SECONDS:
            if ports.accepts(port):
                return time.monotonic() - self.started
            time.sleep(0.02)
        end_of_log = self.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self.name} does not listen on {port}, exit code {self.exit_code}:\n{end_of_log}")

    def rss_mib(self) -> float:
        """Resident memory of the process and its descendants."""
        return usage.rss_mib(self.pid)
