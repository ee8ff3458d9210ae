"""Errors are known by SQLSTATE and by the names in their message, on Citus too."""

from typing import Any

import asyncpg
import pytest

from app.db.access import failures


def refused(sqlstate, message):
    error: Any = asyncpg.exceptions.PostgresError(message)
    error.sqlstate = sqlstate
    return error


@pytest.mark.parametrize(
    "message",
    [
        'duplicate key value violates unique constraint "messages_key"',
        'duplicate key value violates unique constraint "messages_key_102024"',
        "doppelter Schlüsselwert verletzt Unique-Constraint »messages_key«",
    ],
)
def test_a_taken_key_is_known_by_its_constraint(message):
    error = refused("23505", message)
    assert failures.violates(error, "messages_key")
    assert not failures.violates(error, "messages")
    assert not failures.violates(error, "idempotency_keys_pkey")


def test_a_name_in_another_error_is_no_violation():
    assert not failures.violates(refused("42703", 'column "messages_key" does not exist'), "messages_key")
    assert not failures.violates(ValueError('"messages_key"'), "messages_key")


def test_what_to_do_is_known_by_sqlstate():
    assert failures.lock_timeout(refused("55P03", ""))
    assert failures.collided(refused("40001", ""))
    assert failures.collided(refused("40P01", ""))
    assert failures.statement_timeout(refused("57014", ""))
    assert failures.connection_lost(refused("57P01", ""))
    assert failures.connection_lost(ConnectionResetError())
    assert failures.connection_lost(asyncpg.exceptions.InterfaceError("connection is closed"))
    assert failures.connection_lost(asyncpg.exceptions.InternalClientError("cannot switch to state 12"))
    assert not failures.connection_lost(asyncpg.exceptions.InterfaceError("another operation is in progress"))
    assert not failures.connection_lost(refused("57014", ""))
