"""What must hold for every row, whatever a test has done to the database."""

from app.db.access.database import Database
from app.db.operations import check


async def assert_nothing_broken(url: str) -> None:
    """Runs every rule of `colloquy check`."""
    db = Database(url, pool_size=1)
    try:
        found = {rule: rows async for rule, rows in check.broken(db) if rows}
    finally:
        await db.close()
    assert found == {}
