"""The embedded PostgreSQL against everything that kills: real processes, real signals."""

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

from app.db.operations.embedded import EmbeddedError, embedded_postgres, installations
from harness.postgres import HERE, directory, postmaster

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has directories that the server cannot enter")
HOLDER = """
    import sys
    from pathlib import Path
    from app.db.operations.embedded import embedded_postgres
    with embedded_postgres(Path(sys.argv[1])) as url:
        print(url, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def root():
    with directory() as place:
        yield place / "pg"


def ask(url, *statements):
    async def asked():
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(asked())


def holder(root, *path):
    """Another process that uses the server until its input ends; it looks for packages in `path` first."""
    line = [sys.executable, "-c", textwrap.dedent(HOLDER), str(root)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, path), str(HERE)])}
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(happened):
    while not happened():
        time.sleep(0.01)


def test_a_warm_restart_keeps_the_data_and_the_way_out_stops_the_server(root):
    with embedded_postgres(root) as url:
        ask(url, "create table t (n int)", "insert into t values (1)")
        first = postmaster(root)
    assert not runs(first)
    with embedded_postgres(root) as url:
        assert ask(url, "select n from t") == 1
        assert ask(url, "show timezone") == "UTC"
        assert ask(url, "show fsync") == "on"


def test_a_server_for_tests_does_not_wait_for_the_disk(root):
    with embedded_postgres(root, durable=False) as url:
        assert ask(url, "select string_agg(setting, ' ') from pg_settings where name = 'fsync'") == "off"


def test_a_killed_user_leaves_the_server_to_the_next_who_stops_it(root):
    gone = holder(root)
    gone.stdout.readline()
    server = postmaster(root)
    kill(gone.pid)
    gone.communicate()
    assert runs(server)
    with embedded_postgres(root) as url:
        assert ask(url, "select 1") == 1
        assert postmaster(root) == server
    assert not runs(server)


def test_no_committed_row_is_lost_when_server_and_user_are_killed(root):
    gone = holder(root)
    url = gone.stdout.readline().strip()
    ask(url, "create table t (n int)", "insert into t select generate_series(1, 1000)")
    kill(postmaster(root))
    kill(gone.pid)
    gone.communicate()
    with embedded_postgres(root) as url:
        assert ask(url, "select count(*) from t") == 1000


def test_a_killed_server_starts_again_under_its_users(root):
    with embedded_postgres(root) as url:
        ask(url, "create table t (n int)")
        kill(postmaster(root))
        with embedded_postgres(root) as again:
            assert again == url
            assert ask(url, "select count(*) from t") == 0
        assert ask(url, "select 1") == 1


def test_two_cold_processes_share_one_server_and_the_last_one_stops_it(root):
    pair = [holder(root), holder(root)]
    first, second = (process.stdout.readline().strip() for process in pair)
    server = postmaster(root)
    assert first == second
    pair[0].communicate()
    assert ask(second, "select 1") == 1
    pair[1].communicate()
    assert not runs(server)


@pytest.mark.parametrize("zombie", [False, True])
def test_a_stale_pid_is_not_believed_and_its_new_bearer_is_left_alone(root, zombie):
    with embedded_postgres(root) as url:
        ask(url, "create table t (n int)")
        lines = (root / "data/postmaster.pid").read_text().splitlines()
    # As the server's own account: a process that it could signal.
    account = {"user": (root / "data").stat().st_uid} if os.geteuid() == 0 else {}
    stranger = subprocess.Popen(["sleep", "600"], cwd="/", **account)
    if zombie:
        kill(stranger.pid)
        until(lambda: not runs(stranger.pid))
    (root / "data/postmaster.pid").write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
    with embedded_postgres(root) as url:
        assert ask(url, "select count(*) from t") == 0
    assert runs(stranger.pid) is not zombie
    stranger.kill()
    stranger.wait()


def test_an_initdb_that_was_killed_is_done_again(root):
    gone = holder(root)
    until(lambda: list(root.glob("new-*/PG_VERSION")))
    kill(gone.pid)
    gone.communicate()
    assert not (root / "data").exists()
    with embedded_postgres(root) as url:
        assert ask(url, "select 1") == 1
    assert not list(root.glob("new-*"))


def test_a_long_path_with_odd_characters_works(root):
    with embedded_postgres(root / "a b%41é?#'" / ("long" * 20)) as url:
        assert ask(url, "select 1") == 1


@ROOT
def test_binaries_that_only_root_may_read_are_copied_out(root):
    private, installation = root.parent / "private", installations()[0]
    package = installation.parent
    private.mkdir(mode=0o700)
    for part in (f"{package.name}/{installation.name}", f"{package.name}.libs"):
        shutil.copytree(package.parent / part, private / part, symlinks=True)
    (private / package.name / "__init__.py").touch()
    for _ in range(2):
        user = holder(root, private)
        assert ask(user.stdout.readline().strip(), "select 1") == 1
        assert str(root) in Path(f"/proc/{postmaster(root)}/cmdline").read_text().split("\0")[0]
        user.communicate()


@ROOT
def test_a_directory_that_only_root_may_enter_works(root):
    root.parent.chmod(0o700)
    with embedded_postgres(root) as url:
        ask(url, "create table t (n int)")
    with embedded_postgres(root) as url:
        assert ask(url, "select count(*) from t") == 0
    assert root.parent.stat().st_mode & 0o777 == 0o700


def test_a_server_that_cannot_start_says_why(root):
    with embedded_postgres(root):
        pass
    (root / "data/PG_VERSION").write_text("9.6\n")
    with pytest.raises(EmbeddedError, match="not compatible"), embedded_postgres(root):
        pass
