"""Refuses migrations that block clients or break running programs: `problems` returns a line for each.

Squawk reads the SQL that Alembic would run. This script adds what Squawk has no rule for: rows that are changed in one
statement, a revision that does not declare whether older programs can go on, and what Citus refuses.
"""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from app.db.operations import online, readiness

UNDECLARED = ("0001", "0002", "0003", "0004", "0005")  # from before the rule
BEFORE_CITUS = "0015"  # its tables can be distributed; what came before has run by then
UNLINTED = ("0001", "0002", "0003", "0005")
SQUAWK = (str(Path(sys.executable).with_name("squawk")), "--pg-version=15", "--reporter=gcc")
ALLOWED = ("prefer-bigint-over-int",)  # numbers within a session fit
ALLOWED_IN_CONTRACT = ("ban-drop-column", "ban-drop-table", "renaming-column", "renaming-table")
CONSTRAINT_BESIDE = re.compile(
    r"alter table .*, *add constraint|alter table .*add constraint .*, *(add|drop|alter) ", re.I
)
WRITE = re.compile(r"(?:update|delete\s+from|insert\s+into)\s+(?!alembic_version\b)", re.IGNORECASE)


def problems(directory: Path = readiness.SCRIPTS) -> list[str]:
    """The problems of the migrations below `directory`."""
    config = Config()
    config.set_main_option("script_location", str(directory))
    config.set_main_option("path_separator", "os")
    return [
        f"{Path(script.path).name}: {problem}"
        for script in ScriptDirectory.from_config(config).walk_revisions()
        for problem in (*_undeclared(script), *_unsafe(config, script))
    ]


def _undeclared(script: Script) -> Iterator[str]:
    kind, compatible_from = (script.module.__dict__.get(name) for name in ("kind", "compatible_from"))
    if script.revision in UNDECLARED or (kind == "expand" and not compatible_from):
        return
    if kind != "contract" or not compatible_from:
        yield 'it has neither kind = "expand", nor kind = "contract" with compatible_from'


def _unsafe(config: Config, script: Script) -> Iterator[str]:
    if script.revision in UNLINTED:
        return
    config.output_buffer = io.StringIO()
    command.upgrade(config, f"{script.down_revision or 'base'}:{script.revision}", sql=True)
    sql = ";\n".join((*online.SETTINGS, config.output_buffer.getvalue()))
    allowed = ALLOWED + (ALLOWED_IN_CONTRACT if script.module.__dict__.get("kind") == "contract" else ())
    line = [*SQUAWK, f"--stdin-filepath={script.revision}.sql", f"--exclude={','.join(allowed)}"]
    squawk = subprocess.run(line, input=sql, capture_output=True, text=True, check=False)
    if squawk.returncode:
        yield from filter(None, (squawk.stdout or squawk.stderr).splitlines())
    for statement in re.sub("^--.*", "", sql, flags=re.MULTILINE).split(";\n"):
        words = " ".join(statement.split())
        if WRITE.match(words) and "skip locked" not in words:
            yield f"change rows with online.update_in_batches, not with: {words[:80]}"
        if script.revision > BEFORE_CITUS and CONSTRAINT_BESIDE.match(words):
            yield f"Citus accepts ADD CONSTRAINT only alone, not with other parts of: {words[:80]}"
