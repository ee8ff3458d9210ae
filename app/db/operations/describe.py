"""The description of the tables for `docs/SCHEMA.md`, generated from the metadata."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, MetaData, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.elements import ClauseElement

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def markdown(metadata: MetaData) -> str:
    """Every table by name, with its columns, keys, checks and indexes."""
    lines = ["# The tables", "", "Printed by `colloquy schema --tables`; `make check` compares."]
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        lines += ["", f"## {table.name}", ""]
        lines += [table.comment, ""] if table.comment else []
        lines += ["| column | type | null | default | |", "| --- | --- | --- | --- | --- |"]
        lines += [_column(column) for column in table.columns]
        lines += ["", *(f"- {rule}" for rule in _rules(table))]
    return "\n".join(lines) + "\n"


def _column(column: Column[object]) -> str:
    kind = column.type.compile(DIALECT)
    default = getattr(column.server_default, "arg", None)
    default_sql = _sql(default) if isinstance(default, ClauseElement) else f"'{default}'"
    cells = [
        f"`{column.name}`",
        kind.replace(' COLLATE "C"', " C"),
        "yes" if column.nullable else "",
        "" if default is None else f"`{default_sql}`",
        (column.doc or "").replace("|", "\\|"),
    ]
    return "| " + " | ".join(cells) + " |"


def _rules(table: Table) -> Iterator[str]:
    yield f"primary key ({_names(table.primary_key.columns)})"
    for rule in sorted(table.constraints, key=lambda rule: str(rule.name)):
        if isinstance(rule, UniqueConstraint):
            yield f"`{rule.name}`: unique ({_names(rule.columns)})"
        elif isinstance(rule, ForeignKeyConstraint):
            target = f"{rule.referred_table.name} ({_names(element.column for element in rule.elements)})"
            deletes = f", on delete {rule.ondelete.lower()}" if rule.ondelete else ""
            yield f"`{rule.name}`: ({_names(rule.columns)}) references {target}{deletes}"
        elif isinstance(rule, CheckConstraint):
            yield f"`{rule.name}`: `{_sql(rule.sqltext)}`"
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        yield f"`{_sql(CreateIndex(index))}`"


def _names(columns: Iterable[Any]) -> str:
    return ", ".join(column.name for column in columns)


def _sql(element: ClauseElement | CreateIndex) -> str:
    return " ".join(str(element.compile(dialect=DIALECT)).split())
