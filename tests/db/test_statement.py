"""Statements: unique names with a sentence, the name in the SQL text and in errors, arguments by name."""

import asyncio
import re

import asyncpg
import pytest
from sqlalchemy import delete, insert, select, text

from app.db.access.elements import NotOwned
from app.db.access.statement import NAME, OWNER, REGISTERED, across_owners, statement, variant
from harness import statement_variants
from harness.postgres import dsn
from tests.db.notes import ADD, ALL_OWNERS, ANN, GET, NOTES, Note, by_owner

NO_ID = "00000000-0000-0000-0000-000000000000"
SENTENCE = re.compile(r"[A-Z].*[^.]\.")


def test_every_registered_statement_has_a_name_and_a_sentence():
    found = statement_variants.registered()
    assert len(found) > 150
    assert [name for name, query in found.items() if not NAME.fullmatch(name) or query.name != name] == []
    assert [name for name, query in found.items() if not SENTENCE.fullmatch(query.sentence)] == []


def test_the_sql_text_of_every_registered_statement_has_its_name_behind_the_first_word():
    found = statement_variants.registered()
    begins = {name: re.match(r"(SELECT|INSERT|UPDATE|DELETE|WITH) /\* (.*?) \*/ ", q.sql) for name, q in found.items()}
    assert {name: match and match[2] for name, match in begins.items()} == {name: name for name in found}


async def test_the_server_shows_the_name_of_a_running_statement(db, outside, locked):
    async with locked():
        reading = asyncio.create_task(db.one(ANN, GET, id=NO_ID))
        await outside.until_waiting(1)
        shown = await outside.fetchval("SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    assert await reading is None
    assert shown.startswith("SELECT /* test_note.get */ ")


async def test_postgresql_counts_the_name_as_part_of_the_statement(outside, own_database):
    """`pg_stat_statements` keeps the text from the statement's location on, which is behind a leading comment."""
    connection = await asyncpg.connect(dsn(own_database))
    details = []
    connection.add_log_listener(lambda _, message: details.append(message.detail))
    await connection.execute("SET debug_print_parse = on; SET client_min_messages = log")
    await connection.fetch(GET.sql, "ann", NO_ID)
    await connection.close()
    [location] = re.findall(r":stmt_location (\d+)", details[-1])
    assert "/* test_note.get */" in GET.sql[int(location) :]


@pytest.mark.parametrize("name", ["", "note", "Note.get", "note.get[", "note.get[]", "note.get */ --", "a.b.c"])
def test_a_malformed_name_is_refused(name):
    with pytest.raises(ValueError, match="not a statement's name"):
        statement(name, "One note.", select(NOTES).where(by_owner))
    assert name not in REGISTERED


def test_a_name_that_is_registered_is_refused():
    for register in (statement, across_owners):
        with pytest.raises(ValueError, match=r"test_note\.get is registered already"):
            register("test_note.get", "Another.", select(NOTES).where(by_owner))


def test_the_name_of_an_unbound_statement_is_in_the_error():
    with pytest.raises(NotOwned, match=r"^test_note\.open: owner_id is not bound for test_notes$"):
        statement("test_note.open", "All notes.", select(NOTES))
    with pytest.raises(NotOwned, match=r"^test_note\.write: a statement across owners may only read$"):
        across_owners("test_note.write", "Deletes all notes.", delete(NOTES))
    with pytest.raises(NotOwned, match=r"^test_note\.text: TextClause cannot be checked$"):
        across_owners("test_note.text", "Deletes all notes.", text("delete from test_notes"))
    assert not {"test_note.open", "test_note.write", "test_note.text"} & REGISTERED.keys()


@pytest.mark.parametrize("values", [{}, {"id": "x", "more": 1}, {"id": "x", "owner": "bob"}, {"ids": "x"}])
def test_a_missing_or_unexpected_argument_is_refused_with_the_name(values):
    with pytest.raises(TypeError, match=r"^test_note\.get takes id; missing or unexpected: "):
        GET.bind("ann", **values)
    with pytest.raises(TypeError, match=r"^test_note\.all_owners takes no parameters; missing or unexpected: id$"):
        ALL_OWNERS.bind(None, id="x")


def test_arguments_are_bound_in_the_order_of_the_parameters():
    bound = dict(zip(ADD.names, ADD.bind("ann", id="x"), strict=True))
    assert bound == {**ADD.constants, "owner": "ann", "id": "x"}
    assert sorted(map(str, ADD.constants.values())) == ["", "1"]


def test_a_default_that_python_would_compute_is_refused():
    made = statement("test_note.default", "Inserts a note.", insert(with_default()).values(owner_id=OWNER))
    with pytest.raises(NotOwned, match=r"test_note\.default: a default made in Python"):
        made.bind("ann")


def with_default():
    from sqlalchemy import Column, MetaData, Table, Text

    return Table("with_default", MetaData(), Column("owner_id", Text), Column("text", Text, default=str))


def test_the_partial_variant_has_fewer_columns_and_a_name_of_its_own():
    full = statement("test_note.list", "Notes.", select(NOTES).where(by_owner), Note, {"id", "at"})
    assert (full.partial.name, full.partial.row) == ("test_note.list[partial]", Note)
    assert [column.key for column in full.partial.element.selected_columns] == ["id", "at"]
    assert GET.partial is GET


def test_names_of_variants():
    assert variant("note.page", "backward") == "note.page[backward]"
    assert variant("note.page[backward]", "partial") == "note.page[backward,partial]"
    assert variant("note.update") == "note.update"
