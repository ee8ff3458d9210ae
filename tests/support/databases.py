"""A database as a server opens it, for tests that call `app.db` themselves."""

from typing import Any

from app.db.access.database import Database
from harness.server_settings import settings_for


def open_database(url: str, **options: Any) -> Database:
    """With the defaults of the settings, but for these options; the caller closes the database."""
    return Database(url, **settings_for(url).database_options | options)
