"""What the commands do; `cli.py` has their names and options."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from app.settings import Settings, SettingsError, resembling_variables

DEMO_OWNER = "demo"
DAY_SECONDS = 86_400


class CommandError(Exception):
    """A failure that a person can mend; the message is for that person."""


class UsageError(CommandError):
    """An argument that cannot be accepted."""


@contextmanager
def reporting(*expected: type[Exception]) -> Iterator[None]:
    """Raise the expected errors as `CommandError`, with their own message."""
    try:
        yield
    except expected as error:
        raise CommandError(str(error)) from error


def load_settings() -> Settings:
    """The settings of environment and `.env`; names that may be misspelt are printed to stderr."""
    for line in resembling_variables():
        print(line, file=sys.stderr)
    with reporting(SettingsError):
        return Settings.load()


def direct_url(settings: Settings) -> str:
    """The database's URL past a transaction pooler."""
    if url := settings.database_direct_url or settings.database_url:
        return url
    raise CommandError("DATABASE_URL: it is not set; give postgresql://…, or use `colloquy run`")
