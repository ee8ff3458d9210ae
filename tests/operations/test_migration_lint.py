"""The linter accepts the migrations of this repository, and none that blocks clients."""

import runpy
import shutil
from pathlib import Path

import pytest

from app.db.operations import readiness

ROOT = Path(__file__).parents[2]
problems = runpy.run_path(str(ROOT / "scripts/migration_lint.py"))["problems"]
SCRIPT = """
import sqlalchemy as sa
from alembic import op
from app.db.operations import online
revision = "n1"
down_revision = "{follows}"
branch_labels = depends_on = None
{declared}
def upgrade():
    {step}
def downgrade(): pass
"""
CONTRACT = 'kind = "contract"\ncompatible_from = "0008"'


@pytest.fixture
def found(tmp_path):
    """The problems of a migration of one step."""

    def find(step, declared='kind = "expand"'):
        shutil.copytree(readiness.SCRIPTS, tmp_path / "migrations")
        script = SCRIPT.format(follows=readiness.expected_revision(), declared=declared, step=step)
        (tmp_path / "migrations/versions/n1.py").write_text(script)
        return problems(tmp_path / "migrations")

    return find


def test_the_migrations_are_accepted():
    assert problems() == []


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ('op.create_index("a", "messages", ["text"])', "require-concurrent-index-creation"),
        ('op.drop_index("sessions_key", "sessions")', "require-concurrent-index-deletion"),
        ('op.add_column("messages", sa.Column("a", sa.Text, nullable=False))', "adding-required-field"),
        ('op.alter_column("messages", "text", nullable=False)', "adding-not-nullable-field"),
        ('op.alter_column("sessions", "head", type_=sa.Numeric)', "changing-column-type"),
        ('op.drop_column("messages", "raw")', "ban-drop-column"),
        ('op.create_check_constraint("a", "messages", "sequence > 0")', "constraint-missing-not-valid"),
        (
            'op.create_foreign_key("a", "streams", "messages", ["owner_id"], ["owner_id"])',
            "adding-foreign-key-constraint",
        ),
        ('op.rename_table("streams", "writing")', "renaming-table"),
        ('op.execute("update messages set fence = null")', "update_in_batches"),
        (
            'op.execute("alter table streams add a int, add constraint a check (a > 0) not valid")',
            "Citus accepts ADD CONSTRAINT only alone",
        ),
        ('op.execute("delete from messages where deleted_at is not null")', "update_in_batches"),
        ('op.execute("insert into streams select 1")', "update_in_batches"),
    ],
)
def test_a_step_that_blocks_clients_is_refused(found, step, problem):
    lines = found(step)
    assert all(line.startswith("n1.py: ") for line in lines)
    assert problem in "\n".join(lines)


@pytest.mark.parametrize("declared", ["", 'kind = "contract"', 'kind = "other"', f'{CONTRACT}\nkind = "expand"'])
def test_a_migration_without_a_kind_is_refused(found, declared):
    assert found("pass", declared) == [
        'n1.py: it has neither kind = "expand", nor kind = "contract" with compatible_from'
    ]


@pytest.mark.parametrize(
    ("step", "declared"),
    [
        ('op.add_column("messages", sa.Column("a", sa.Text))', 'kind = "expand"'),
        ('online.update_in_batches("messages", "fence = null", "fence is not null")', 'kind = "expand"'),
        ('op.drop_column("messages", "raw")', CONTRACT),
    ],
)
def test_a_step_that_does_not_block_is_accepted(found, step, declared):
    assert found(step, declared) == []
