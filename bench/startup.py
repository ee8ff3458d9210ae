"""How long a start takes, with byte code present: `python -m bench.startup [ROUNDS]`.

Wall seconds from the start of the process: of the short commands until they end, of `colloquy serve` until `/readyz`
answers 200 on a migrated database; and how the imports of a server share its start.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from statistics import median

from app.db.operations import migrate
from harness import postgres

COLLOQUY = [sys.executable, "-c", "from app.cli import main; main()"]
SECRET = "a secret of at least thirty-two bytes"
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


def environment(**settings: str) -> dict[str, str]:
    """Of a command, which may write byte code."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"JWT_SECRET": SECRET, "LOG_LEVEL": "error"} | settings


def command_seconds(*arguments: str) -> float:
    """Until a command has ended."""
    begin = time.perf_counter()
    subprocess.run([*COLLOQUY, *arguments], check=True, capture_output=True, env=environment())
    return time.perf_counter() - begin


def ready_seconds(url: str) -> float:
    """Until a server on the database at `url` is ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    begin = time.perf_counter()
    server = subprocess.Popen([*COLLOQUY, "serve"], env=environment(DATABASE_URL=url, PORT=str(port)))
    try:
        while not is_ready(port):
            assert server.poll() is None, f"the server ended with {server.returncode}"
            time.sleep(0.01)
        return time.perf_counter() - begin
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def import_milliseconds() -> Counter[str]:
    """What importing the server costs, by top-level package; each module by itself, without what it imports."""
    line = [sys.executable, "-X", "importtime", "-c", "import app.commands.serving"]
    report = subprocess.run(line, check=True, capture_output=True, text=True, env=environment()).stderr
    costs: Counter[str] = Counter()
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
    with postgres.own_server() as (url, _):
        migrate.upgrade(url)
        measured["serve to /readyz"] = lambda: ready_seconds(url)
        for name, measure in measured.items():
            measure()  # writes the byte code
            seconds = [measure() for _ in range(rounds)]
            print(f"{name:18} {median(seconds):.2f} s (fastest {min(seconds):.2f})")
    for package, cost in import_milliseconds().most_common():
        print(f"  import {package:12} {cost:5.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
