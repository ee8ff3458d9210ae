"""What the cost of a statement may depend on.

Every statement has a bound; `tests/db/test_plan_bounds.py` runs each on generated data of two sizes, and checks that
the shared buffers of the plan that really runs grow with nothing else. The cost of a request depends on other owners'
data under no bound: only `EVERYTHING` allows that, for the command line.
"""

from enum import Enum


class Bound(Enum):
    """What the number of shared buffers may grow with. A B-tree's height is not growth."""

    CONSTANT = "nothing"
    PAGE = "the rows requested: a limit, or the keys in an array"
    MATCHES = "the rows that fulfil the filters, and the page"
    CATALOGUE = "the agents of the owner, the matches and the page"
    SESSION = "the rows in the one session, the matches and the page"
    FEW_ROWS = "all rows of the owner; the program runs the statement only for an owner who has few"
    NEWEST_ROWS = "the newest rows of the owner, up to a fixed number"
    EVERYTHING = "all rows of all owners"
