"""The second form of a statement does what the first does: the same rows, errors and effects, for random arguments."""

import asyncpg
import pytest

from app.db import append
from app.db.access import routed
from app.db.access.pool import use_text_codecs
from app.db.access.slow_statements import SlowStatements
from app.db.access.statement import Statement
from app.db.tables import metadata
from harness import statement_variants
from harness.postgres import dsn
from tests.db.ownership_checks import ANN, BOB, SampleTables, has_effect, run

WRITES = [query for query in statement_variants.registered().values() if isinstance(query, Statement) and query.routed]
WRITES = [query for query in WRITES if not query.reads]
ATTEMPTS = 1_500


class SecondForm(Statement):
    """Runs the steps of a statement where its first form would run."""

    def __init__(self, original):
        super().__init__(original.name, original.sentence, original.element, original.row)
        self.routed = original.routed


class TwoForms(SampleTables):
    async def fetch(self, statement, values):
        if isinstance(statement, SecondForm):
            return await routed.run(self.connection, SlowStatements(60), statement, ANN, values)
        return await super().fetch(statement, values)


@pytest.fixture
async def sample(fresh_database):
    connection = await asyncpg.connect(dsn(await fresh_database()))
    await use_text_codecs(connection)
    sample = TwoForms(connection, metadata, WRITES)
    await sample.fill(ANN, 60)
    await sample.copy(ANN, BOB)
    yield sample
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            query,
            marks=[pytest.mark.plain_postgresql("Citus refuses the first form of `append_many` for some arguments")]
            if query is append.APPEND_MANY
            else [],
            id=query.name,
        )
        for query in WRITES
    ],
)
async def test_both_forms_have_the_same_outcome(sample, statement):
    before, _ = await sample.everything()
    runs = await run(sample, statement, before, ATTEMPTS)
    assert any(has_effect(outcome, before) for _, outcome in runs)
    for values, outcome in runs:
        assert await sample.outcome(SecondForm(statement), values) == outcome, values
