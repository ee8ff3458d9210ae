"""What must hold for every row, whatever a test has done to the database."""

from app.db.operations import check
from tests.support.databases import open_database


async def assert_nothing_broken(url: str) -> None:
    """Runs every rule of `colloquy check`."""
    db = open_database(url, pool_size=1)
    try:
        found = {rule: rows async for rule, rows in check.violations(db) if rows}
    finally:
        await db.close()
    assert not found, f"broken: {found}"
