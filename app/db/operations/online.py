"""Migration steps that do not block clients, and that can be run again.

A step that takes a strong lock must be short: it uses `op`, in the migration's own transaction, which fails when the
lock is not free; `migrate` tries again later. A long step uses this module: it runs outside of that transaction, takes
only locks that do not conflict with reads and writes of rows, and continues after an interruption.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from string import Template
from time import monotonic
from typing import Any, NamedTuple

from alembic import op
from alembic.script import ScriptDirectory
from sqlalchemy import text

# While a statement waits for a strong lock, all later statements on the table wait behind it.
LOCK_TIMEOUT = "set lock_timeout = '400ms'"
SETTINGS = (
    LOCK_TIMEOUT,
    "set statement_timeout = 0",
    "set application_name = 'colloquy migrate'",
)
BATCH_SECONDS = 0.2  # a client that writes a row of the batch waits as long
FIRST_PAGES = 64
REPORT_SECONDS = 5
SMALL_PAGES = 1_000
VALID = "select indisvalid from pg_index where indexrelid = to_regclass(:name)"
TABLE = "select indrelid::regclass::text from pg_index where indexrelid = to_regclass(:name)"
PAGES = "select pg_relation_size(to_regclass(:table)) / current_setting('block_size')::bigint"
UPDATE = Template("""\
update $table set $change where ctid = any (array(
    select ctid from $table where ctid >= '($first,0)' and ctid < '($end,0)' and ($where)
    for no key update $locked))""")


class Index(NamedTuple):
    """An index by name; `on` is what follows ON in CREATE INDEX."""

    name: str
    on: str
    unique: bool = False


def create_index(name: str, on: str, *, unique: bool = False) -> None:
    """Builds an index. An invalid index of that name is left from an interrupted build: it is built again."""
    table = on.split()[0]
    with _beside_clients(table) as concurrently:
        valid = _scalar(VALID, name=name)
        if valid:
            return
        if valid is False:
            op.execute(f"drop index {concurrently} if exists {name}")
        _announce(table, f"index {name} is built")
        op.execute(f"create {'unique ' if unique else ''}index {concurrently} if not exists {name} on {on}")


def drop_index(name: str) -> None:
    """Drops an index if it exists, after the transactions that use its table."""
    with _beside_clients(_scalar(TABLE, name=name)) as concurrently:
        op.execute(f"drop index {concurrently} if exists {name}")


def replace_indexes(*indexes: Index) -> None:
    """Builds each index beside the existing one of its name, and replaces that one. The last step of a migration.

    The names change in the migration's transaction, together with the database's revision, so a migration that is run
    again finds the indexes that it has built. Until then errors name an index with a number at its end, which
    `failures.violates` ignores as it does on Citus: running programs return the same errors as before.
    """
    for index in indexes:
        create_index(f"{index.name}_0", index.on, unique=index.unique)
    for index in indexes:
        drop_index(index.name)
    for index in indexes:
        op.execute(f"-- squawk-ignore renaming-object\nalter index {index.name}_0 rename to {index.name}")


def validate_constraint(table: str, name: str) -> None:
    """Checks a constraint that was added NOT VALID on all rows."""
    with _beside_clients(table):
        _announce(table, f"constraint {name} is checked")
        op.execute(f"-- squawk-ignore prefer-robust-stmts\nalter table {table} validate constraint {name}")


def update_in_batches(table: str, change: str, where: str) -> None:
    """Changes the rows that meet `where`, a few pages of the table per transaction; changed rows do not meet it.

    The first pass skips rows that a client has locked, so a deadlock with clients is impossible. The second pass
    changes these rows, and rows written since; it waits for a lock as briefly as other steps, so it gives up before
    PostgreSQL looks for a deadlock.
    """
    what = {"table": table, "change": change, "where": where}
    if op.get_context().as_sql:
        op.execute(UPDATE.substitute(what, first=0, end=FIRST_PAGES, locked="skip locked"))
        return
    with op.get_context().autocommit_block():
        for locked in ("skip locked", ""):
            _update_all(what, locked)


def _update_all(what: dict[str, str], locked: str) -> None:
    table, first, pages, changed, reported = what["table"], 0, FIRST_PAGES, 0, monotonic()
    size = _scalar(PAGES, table=table)
    # The table grows during the pass: the new version of a row may be stored at its end.
    while first < _scalar(PAGES, table=table):
        began = monotonic()
        update = UPDATE.substitute(what, first=first, end=first + pages, locked=locked)
        changed += op.get_bind().execute(text(update)).rowcount
        first, seconds = first + pages, monotonic() - began
        pages = max(1, pages // 2) if seconds > BATCH_SECONDS else pages * 2 if seconds < BATCH_SECONDS / 2 else pages
        if monotonic() - reported > REPORT_SECONDS:
            _announce(table, f"{changed} rows changed, {min(100, first * 100 // (size or 1))} % read")
            reported = monotonic()


def compatible_from(scripts: ScriptDirectory, revision: str) -> str:
    """The oldest revision whose program can use a database at `revision`.

    A revision of kind "expand" removes nothing that the previous program uses. One of kind "contract" declares the
    oldest revision whose program does not use what it removes. Revisions up to 0005 have no kind.
    """
    for script in scripts.iterate_revisions(revision, "base"):
        if script.module.__dict__.get("kind") != "expand":
            break
    return getattr(script.module, "compatible_from", script.revision)


@contextmanager
def _beside_clients(table: str | None) -> Iterator[str]:
    """Each statement commits separately, and may wait for locks: its own do not block reads and writes of rows.

    Yields the keyword of such statements. For a table that never had a row it yields none and keeps the transaction, so
    that a new database is ready sooner.
    """
    context = op.get_context()
    if _scalar(PAGES, table=table) == 0:
        yield ""
        return
    with context.autocommit_block():
        if not context.as_sql:
            op.execute("set lock_timeout = 0")
        yield "concurrently"
        if not context.as_sql:
            op.execute(LOCK_TIMEOUT)


def _scalar(query: str, **values: str | None) -> Any:
    return None if op.get_context().as_sql else op.get_bind().scalar(text(query), values)


def _announce(table: str, line: str) -> None:
    """Reports a step on a table, unless the table is small."""
    config = op.get_context().config
    if config and "report" in config.attributes and _scalar(PAGES, table=table) > SMALL_PAGES:
        config.attributes["report"](f"{table}: {line}")
