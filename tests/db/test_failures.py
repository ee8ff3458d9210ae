"""Driver errors are classified by SQLSTATE and by the names in their message, on Citus too."""

from typing import Any

import asyncpg
import pytest

from app.db.access import failures
from app.errors import Conflict, NotFound


def driver_error(sqlstate, message=""):
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
def test_a_violation_is_recognised_by_its_constraint(message):
    error = driver_error("23505", message)
    assert failures.violates(error, "messages_key")
    assert not failures.violates(error, "messages")
    assert not failures.violates(error, "idempotency_keys_pkey")


def test_a_name_in_another_error_is_no_violation():
    assert not failures.violates(driver_error("42703", 'column "messages_key" does not exist'), "messages_key")
    assert not failures.violates(ValueError('"messages_key"'), "messages_key")


def test_failures_are_classified_by_sqlstate():
    assert failures.lock_timeout(driver_error("55P03"))
    assert failures.serialization_failure(driver_error("40001"))
    assert failures.serialization_failure(driver_error("40P01"))
    assert failures.text_not_storable(driver_error("22021"))
    assert failures.connection_lost(driver_error("57P01"))
    assert failures.connection_lost(ConnectionResetError())
    assert failures.connection_lost(asyncpg.exceptions.InterfaceError("connection is closed"))
    assert failures.connection_lost(driver_error("XX000", "could not commit transaction for shard 7 on at least one"))
    assert not failures.connection_lost(driver_error("XX000", "cache lookup failed for relation 7"))
    assert failures.connection_lost(asyncpg.exceptions.InternalClientError("cannot switch to state 12"))
    assert not failures.connection_lost(asyncpg.exceptions.InterfaceError("another operation is in progress"))
    assert not failures.connection_lost(driver_error("57014"))
    assert failures.read_only(driver_error("25006"))


@pytest.mark.parametrize("sqlstate", ["08006", "57P01", "57P03", "53300", "53100", "53200", "25006"])
def test_a_server_that_cannot_serve_is_unavailable(sqlstate):
    assert failures.unavailable(driver_error(sqlstate))
    assert "try again" in failures.reason(driver_error(sqlstate))


@pytest.mark.parametrize("sqlstate", ["57014", "23505", "40001", "42703", "22021", ""])
def test_a_fault_of_the_statement_is_not_the_servers(sqlstate):
    assert not failures.unavailable(driver_error(sqlstate))


TAKEN = Conflict("This key is taken.")


def translate(error):
    with failures.translated({"notes_key": TAKEN}):
        raise error


def test_a_violation_is_translated_into_the_problem_of_its_constraint():
    with pytest.raises(Conflict) as caught:
        translate(driver_error("23505", 'violates unique constraint "notes_key"'))
    assert caught.value is TAKEN


@pytest.mark.parametrize("sqlstate", ["55P03", "40001", "40P01"])
def test_a_lock_timeout_and_a_serialization_failure_are_a_conflict(sqlstate):
    with pytest.raises(Conflict, match="try again"):
        translate(driver_error(sqlstate))


def test_other_errors_are_not_translated():
    for error in (driver_error("23505", 'violates unique constraint "other"'), NotFound("There is no such note.")):
        with pytest.raises(type(error)) as caught:
            translate(error)
        assert caught.value is error
