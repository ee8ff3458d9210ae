"""The server's wheel: what is in it, and that it serves from an environment that holds nothing else."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import httpx2
import pytest

from harness import wheels
from harness.postgres import directory
from harness.wheels import ROOT, Environment

pytestmark = pytest.mark.timeout(600)

SECRET = "a secret of at least thirty-two bytes"
APPEND = (
    "mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { sequence } errors { code } } }"
)
CREATE = "mutation { createSession(input: {}) { session { id } errors { code } } }"


@pytest.fixture(scope="module")
def built() -> Iterator[tuple[Path, Path]]:
    """The wheels of the server and of the engine that it needs."""
    with tempfile.TemporaryDirectory() as dist:
        yield wheels.build(ROOT, Path(dist)), wheels.build(ROOT / "engine", Path(dist))


def test_the_wheel_holds_the_server_and_nothing_else(built):
    names = ZipFile(built[0]).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"app", "migrations"}
    for tree in ("app/web", "migrations"):
        tracked = subprocess.check_output(["git", "ls-files", tree], cwd=ROOT, text=True).splitlines()
        assert tracked
        assert set(tracked) <= set(names)
    assert wheels.metadata(built[0], "entry_points.txt").split() == [
        "[console_scripts]",
        "colloquy",
        "=",
        "app.cli:main",
    ]


def test_the_metadata_has_ranges_and_no_pins(built):
    needed = [line for line in wheels.metadata(built[0]).splitlines() if line.startswith("Requires-Dist: ")]
    assert any("graphql-compiled" in line for line in needed)
    assert not [line for line in needed if "==" in line.partition(";")[0] or ">=" not in line]


def test_the_installed_server_runs_without_a_checkout(built):
    server, engine = built
    with wheels.installed(f"{server}[embedded]", str(engine)) as environment, directory() as data:
        settings = {"DATA_DIR": str(data), "JWT_SECRET": SECRET, "LOG_LEVEL": "ERROR", "PORT": str(free_port())}
        token = environment.run("colloquy", "token", "--sub", "ann", **settings).stdout.split()[-1]
        with running(environment, settings) as url:
            session = ask(url, token, CREATE)["createSession"]["session"]["id"]
            message = {"sessionId": session, "message": {"role": "USER", "text": "hello"}}
            appended = ask(url, token, APPEND, input=message)["appendMessage"]
            assert appended == {"message": {"sequence": 1}, "errors": []}
            page = httpx2.get(url, headers={"accept": "text/html"})
            assert "sidebar.js" in page.text
        assert not os.listdir(environment.work)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def running(environment: Environment, settings: dict[str, str]) -> Iterator[str]:
    """`colloquy run` until the block ends; SIGINT then ends the program with exit code 0."""
    url = f"http://127.0.0.1:{settings['PORT']}"
    process = subprocess.Popen(
        [environment.programs / "colloquy", "run"],
        cwd=environment.work,
        env=wheels.outside() | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_ready(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # also after a failure: the program stops its PostgreSQL
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed
    assert "Traceback" not in printed


def wait_until_ready(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        assert process.poll() is None, process.communicate()[0]
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server was not ready within a minute")


def ask(url: str, token: str, query: str, **variables: object) -> dict:
    response = httpx2.post(
        f"{url}/graphql",
        content=json.dumps({"query": query, "variables": variables}),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    return response.json()["data"]
