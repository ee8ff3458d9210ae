"""The command line: what it prints, how it fails, and what it leaves unloaded."""

import os
import subprocess
import sys
from importlib.metadata import version

import jwt
import pytest

UNUSED_BY_A_SERVER = ("alembic", "rich", "sqlalchemy.orm", "app.demo", "app.db.operations.embedded", "typer.rich_utils")
UNUSED_BY_HELP = (*UNUSED_BY_A_SERVER, "sqlalchemy", "strawberry", "starlette", "pydantic", "jwt", "asyncio")


def colloquy(*arguments, **environment):
    """The finished command."""
    line = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
    return subprocess.run(line, capture_output=True, text=True, env=os.environ | environment, timeout=60)


def loaded_after(code, names):
    """Those of the modules that a new process has loaded after `code`."""
    line = f"import sys\n{code}\nprint(*[name for name in {names!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout.split()


def test_the_version_is_that_of_the_distribution():
    assert colloquy("--version").stdout == f"colloquy-server {version('colloquy-server')}\n"


def test_help_loads_nothing_of_the_server():
    assert "serve" in colloquy("--help").stdout
    assert loaded_after("import app.cli", UNUSED_BY_HELP) == []


def test_serving_loads_neither_alembic_nor_rich_nor_the_orm():
    assert loaded_after("import app.commands.serving", UNUSED_BY_A_SERVER) == []


@pytest.mark.parametrize("first", ["app.db.access.pool", "sqlalchemy.ext.asyncio"])
def test_the_engine_is_sqlalchemys_own_whichever_import_comes_first(first):
    code = f"""
import {first}
import app.db.access.async_engine as ours, sqlalchemy.ext.asyncio as theirs
assert ours.create_async_engine is theirs.create_async_engine
assert ours.AsyncConnection is theirs.AsyncConnection
assert theirs.AsyncSession
"""
    assert loaded_after(code, ["sqlalchemy.orm"]) == ["sqlalchemy.orm"]


def test_a_token_that_would_be_refused_is_not_signed(tmp_path):
    answer = colloquy("token", "--sub", "two words", DATA_DIR=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "1 to 255 visible ASCII characters" in " ".join(answer.stderr.split())


def test_a_scope_that_does_not_exist_is_not_signed(tmp_path):
    answer = colloquy("token", "--sub", "ann", "--scope", "chat:wirte", DATA_DIR=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "'chat:wirte' is not known" in " ".join(answer.stderr.split())


def test_the_secret_that_signed_a_token_is_named_on_stderr(tmp_path):
    file = tmp_path / "jwt-secret"
    first, again = (colloquy("token", "--sub", "ann", DATA_DIR=str(tmp_path), JWT_SECRET="") for _ in range(2))
    new = "generated just now: only a server with this DATA_DIR accepts it"
    assert first.stderr == f"Signed with the secret in {file}, {new}.\n"
    assert again.stderr == f"Signed with the secret in {file}.\n"
    by_setting = colloquy("token", "--sub", "ann", DATA_DIR=str(tmp_path), JWT_SECRET="s" * 32)
    assert by_setting.stderr == "Signed with JWT_SECRET.\n"
    for answer, secret in [(first, file.read_text()), (again, file.read_text()), (by_setting, "s" * 32)]:
        assert jwt.decode(answer.stdout.strip(), secret, ["HS256"])["sub"] == "ann"


def test_serving_without_a_database_names_the_setting(tmp_path):
    answer = colloquy("serve", DATA_DIR=str(tmp_path), DATABASE_URL="")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "DATABASE_URL: it is not set; give postgresql://…, or use `colloquy run`\n"


def test_every_problem_of_the_settings_is_printed(tmp_path):
    answer = colloquy("serve", DATA_DIR=str(tmp_path), PORT="none", POOL_SIZE="0")
    assert answer.returncode == 1
    assert [line.split(":")[0] for line in answer.stderr.splitlines()] == ["PORT", "POOL_SIZE"]


def test_a_variable_that_may_be_misspelt_is_named_and_does_not_stop_a_command(tmp_path):
    answer = colloquy("token", "--sub", "ann", DATA_DIR=str(tmp_path), JWT_SECRT="not a secret of ours")
    assert (answer.returncode, len(answer.stdout.split())) == (0, 1)
    assert "JWT_SECRT: there is no such setting; JWT_SECRET is one\n" in answer.stderr
    assert "not a secret" not in answer.stderr
