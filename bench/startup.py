"""How long a start takes, with byte code present: `python -m bench.startup [ROUNDS]`.

Wall seconds from the start of the process: of the short commands until they end, of `colloquy serve` until `/readyz`
answers 200 on a migrated database; and how the imports of a server share its start.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

from app.db.operations import migrate
from harness.ports import free_port
from harness.postgres import own_server
from harness.process import Process
from harness.server_process import COLLOQUY
from harness.server_settings import environment_for

WRITES_BYTE_CODE = {"PYTHONDONTWRITEBYTECODE": ""}
NO_DATABASE = "postgresql://nobody@127.0.0.1/none"
PARTS = (
    "sqlalchemy",
    "strawberry",
    "graphql",
    "pydantic",
    "starlette",
    "uvicorn",
    "jwt",
    "asyncpg",
    "structlog",
    "app",
)


def environment(url: str = NO_DATABASE, **settings: str) -> dict[str, str]:
    """The environment of a `colloquy` command."""
    return os.environ | environment_for(url, **settings) | WRITES_BYTE_CODE


def command_seconds(*arguments: str) -> float:
    """From the start of a command to its end."""
    begin = time.perf_counter()
    subprocess.run([str(COLLOQUY), *arguments], check=True, capture_output=True, env=environment())
    return time.perf_counter() - begin


def ready_seconds(url: str, directory: Path) -> float:
    """From the start of a server on the database at `url` until it is ready."""
    port = free_port()
    begin = time.perf_counter()
    server = Process("serve", [str(COLLOQUY), "serve"], directory, environment=environment(url, PORT=str(port)))
    try:
        while not is_ready(port):
            assert server.exit_code is None, server.log.read_text()
            time.sleep(0.01)
        return time.perf_counter() - begin
    finally:
        server.stop()


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            status: int = answer.status
    except OSError:
        return False
    return status == 200


def import_milliseconds() -> dict[str, float]:
    """What importing the server costs, by top-level package; each module by itself, without what it imports."""
    line = [sys.executable, "-X", "importtime", "-c", "import app.commands.serving"]
    report = subprocess.run(line, check=True, capture_output=True, text=True, env=environment()).stderr
    costs: defaultdict[str, float] = defaultdict(float)
    for row in report.splitlines():
        own, _, name = row.removeprefix("import time:").split("|") if row.count("|") == 2 else ("", "", "")
        if own.strip().isdigit():
            package = name.strip().partition(".")[0]
            costs[package if package in PARTS else "others"] += int(own) / 1000
    return costs


def main(rounds: int) -> None:
    """Print medians and the smallest of `rounds`."""
    measured: dict[str, Callable[[], float]] = {
        "--help": lambda: command_seconds("--help"),
        "--version": lambda: command_seconds("--version"),
        "token": lambda: command_seconds("token", "--sub", "somebody"),
    }
    with own_server() as server, tempfile.TemporaryDirectory() as directory:
        migrate.upgrade(server.url)
        measured["serve to /readyz"] = lambda: ready_seconds(server.url, Path(directory))
        for name, measure in measured.items():
            measure()  # writes the byte code
            seconds = [measure() for _ in range(rounds)]
            print(f"{name:18} {median(seconds):.2f} s (fastest {min(seconds):.2f})")
    for package, cost in sorted(import_milliseconds().items(), key=lambda item: -item[1]):
        print(f"  import {package:12} {cost:5.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
