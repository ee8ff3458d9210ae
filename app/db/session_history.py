"""Whether a change number belongs to the history of a session, after a standby without the last changes was promoted.

The first change after a promotion takes its number from the next block (migration 0015), so the number of a lost change
is never given to another one, and stands between the fork and the end of the fork's block.
"""

from sqlalchemy import ColumnElement

from app.db.reading.rows import HeadRow

BLOCK = 2**20


def contains(row: HeadRow, revision: int) -> bool:
    """True if the session has had all changes up to this number; False also for numbers before the last two blocks."""
    fork = row.fork_revision
    if fork is None or revision > _end_of_block(fork):
        return revision <= row.head
    return _end_of_block(fork) - BLOCK < revision <= fork


def doubtful(head: ColumnElement[int], fork: ColumnElement[int], revision: ColumnElement[int]) -> ColumnElement[bool]:
    """True if `contains` has to be asked: the number is above the head, or not above the block of the fork."""
    return (head < revision) | (revision <= fork + (BLOCK - 1) - (fork - 1) % BLOCK)


def _end_of_block(revision: int) -> int:
    return revision + BLOCK - 1 - (revision - 1) % BLOCK
