"""The embedded PostgreSQL survives killed processes: real ones, real signals."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import asyncpg
import pytest

from app.db.operations.binaries import installations
from app.db.operations.embedded import EmbeddedError, embedded_postgres
from harness.postgres import HERE, directory, postmaster

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has directories that the server's account cannot enter")
SOCKET_LOCK = "s/.s.PGSQL.5432.lock"
OTHER_USER = """
    import sys
    from pathlib import Path
    from app.db.operations.embedded import embedded_postgres
    with embedded_postgres(Path(sys.argv[1])) as url:
        print(url, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def root():
    with directory() as parent:
        yield parent / "pg"


def execute(url, *statements):
    async def run():
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def other_user(root, *path):
    """Another process that uses the server until its input ends; `path` comes first on its import path."""
    line = [sys.executable, "-c", textwrap.dedent(OTHER_USER), str(root)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, path), str(HERE)])}
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition):
    while not condition():
        time.sleep(0.01)


def test_the_exit_stops_the_server_and_a_restart_keeps_the_data(root):
    with embedded_postgres(root) as url:
        execute(url, "create table t (n int)", "insert into t values (1)")
        first = postmaster(root)
    assert not runs(first)
    with embedded_postgres(root) as url:
        assert execute(url, "select n from t") == 1
        assert execute(url, "show timezone") == "UTC"
        assert execute(url, "show fsync") == "on"


def test_a_server_that_need_not_be_durable_does_not_wait_for_the_disk(root):
    with embedded_postgres(root, durable=False) as url:
        assert execute(url, "select string_agg(setting, ' ') from pg_settings where name = 'fsync'") == "off"


def test_the_next_user_stops_the_server_of_a_killed_user(root):
    killed = other_user(root)
    killed.stdout.readline()
    server = postmaster(root)
    kill(killed.pid)
    killed.communicate()
    assert runs(server)
    with embedded_postgres(root) as url:
        assert execute(url, "select 1") == 1
        assert postmaster(root) == server
    assert not runs(server)


def test_no_committed_row_is_lost_when_server_and_user_are_killed(root):
    killed = other_user(root)
    url = killed.stdout.readline().strip()
    execute(url, "create table t (n int)", "insert into t select generate_series(1, 1000)")
    kill(postmaster(root))
    kill(killed.pid)
    killed.communicate()
    with embedded_postgres(root) as url:
        assert execute(url, "select count(*) from t") == 1000


def test_a_killed_server_is_started_again_for_its_users(root):
    with embedded_postgres(root) as url:
        execute(url, "create table t (n int)")
        kill(postmaster(root))
        with embedded_postgres(root) as again:
            assert again == url
            assert execute(url, "select count(*) from t") == 0
        assert execute(url, "select 1") == 1


def test_two_processes_share_one_server_and_the_last_one_stops_it(root):
    pair = [other_user(root), other_user(root)]
    first, second = (process.stdout.readline().strip() for process in pair)
    server = postmaster(root)
    assert first == second
    pair[0].communicate()
    assert execute(second, "select 1") == 1
    pair[1].communicate()
    assert not runs(server)


@pytest.mark.parametrize("zombie", [False, True])
def test_a_stale_pid_is_ignored_and_the_process_that_has_it_now_is_not_signalled(root, zombie):
    with embedded_postgres(root) as url:
        execute(url, "create table t (n int)")
        left = [(file, file.read_text().splitlines()) for file in (root / "data/postmaster.pid", root / SOCKET_LOCK)]
    # With the server's account, so that the server could signal the process.
    account = {"user": (root / "data").stat().st_uid} if os.geteuid() == 0 else {}
    other = subprocess.Popen(["sleep", "600"], cwd="/", **account)
    if zombie:
        kill(other.pid)
        wait_for(lambda: not runs(other.pid))
    for file, lines in left:
        file.write_text("\n".join([str(other.pid), *lines[1:], ""]))
    with embedded_postgres(root) as url:
        assert execute(url, "select count(*) from t") == 0
    assert runs(other.pid) is not zombie
    other.kill()
    other.wait()


def test_a_killed_initdb_is_repeated(root):
    killed = other_user(root)
    wait_for(lambda: list(root.glob("new-*/PG_VERSION")))
    kill(killed.pid)
    killed.communicate()
    assert not (root / "data").exists()
    with embedded_postgres(root) as url:
        assert execute(url, "select 1") == 1
    assert not list(root.glob("new-*"))


def test_a_long_path_with_special_characters_works(root):
    with embedded_postgres(root / "a b%41é?#'" / ("long" * 20)) as url:
        assert execute(url, "select 1") == 1


@ROOT
def test_binaries_that_only_root_may_read_are_copied(root):
    private, installation = root.parent / "private", installations()[0]
    package = installation.parent
    private.mkdir(mode=0o700)
    for part in (f"{package.name}/{installation.name}", f"{package.name}.libs"):
        shutil.copytree(package.parent / part, private / part, symlinks=True)
    (private / package.name / "__init__.py").touch()
    for _ in range(2):
        user = other_user(root, private)
        assert execute(user.stdout.readline().strip(), "select 1") == 1
        assert str(root) in Path(f"/proc/{postmaster(root)}/cmdline").read_text().split("\0")[0]
        user.communicate()


@ROOT
def test_a_directory_that_only_root_may_enter_works(root):
    root.parent.chmod(0o700)
    with embedded_postgres(root) as url:
        execute(url, "create table t (n int)")
    with embedded_postgres(root) as url:
        assert execute(url, "select count(*) from t") == 0
    assert root.parent.stat().st_mode & 0o777 == 0o700


def test_the_error_of_a_server_that_does_not_start_has_the_reason(root):
    with embedded_postgres(root):
        pass
    (root / "data/PG_VERSION").write_text("9.6\n")
    with pytest.raises(EmbeddedError, match="not compatible"), embedded_postgres(root):
        pass
