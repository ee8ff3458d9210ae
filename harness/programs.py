"""Programs that the harness starts and Python does not bring: where they are on this machine."""

import os
import shutil

SEARCH_PATH = f"{os.environ['PATH']}:/usr/sbin"  # Debian keeps PgBouncer there, outside of a user's PATH


class MissingPrerequisite(Exception):
    """Something outside of Python is not there. A test that needs it is skipped, and fails in CI."""


def program(*names: str) -> str:
    """The path of the first installed program of these names; raises MissingPrerequisite without one."""
    for name in names:
        if path := shutil.which(name, path=SEARCH_PATH):
            return path
    raise MissingPrerequisite(f"{names[0]} is not installed: NOT tested; scripts/install-debian installs it")
