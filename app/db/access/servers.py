"""The servers of one database, a primary and its standbys: which of them a connection leads to.

As libpq does, a connection takes the first host that meets `target_session_attrs` (PostgreSQL manual, 34.1.2).
"""

from typing import Any

import asyncpg
from asyncpg.exceptions import TargetServerAttributeNotMatched

from app.settings.postgres_url import driver_arguments, each_host

HOST_SECONDS = 2.0  # a host that is switched off refuses nothing: without a limit the next ones would never be tried
WRITABLE = ("target_session_attrs=read-write", "target_session_attrs=primary")


class Servers:
    """Connects to the hosts of a URL; a host that accepted a connection for writing is tried first from then on."""

    def __init__(self, url: str) -> None:
        self._urls = each_host(url)
        self._several = len(self._urls) > 1
        self.writable = self._urls[0].endswith(WRITABLE)
        """True if connections are for writing: a server that becomes read-only is left."""

    async def connect(self, **options: Any) -> Any:
        """A connection of the driver; `options` are those of `asyncpg.connect`, with a `timeout` in seconds.

        Raises the error that says most: a mistake in the URL, or a server of the wrong kind, before one that is away.
        """
        if self._several:
            options["timeout"] = min(options["timeout"], HOST_SECONDS)
        errors: list[Exception] = []
        for url in list(self._urls):
            try:
                connection: Any = await asyncpg.connect(  # type: ignore[no-untyped-call]
                    **driver_arguments(url), **options
                )
            except Exception as error:
                errors.append(error)
            else:
                self._prefer(url)
                return connection
        mistakes = [error for error in errors if not _means_another_host(error)]
        standbys = [error for error in errors if isinstance(error, TargetServerAttributeNotMatched)]
        raise (mistakes or standbys or errors)[0]

    def left(self, connection: Any) -> bool:
        """True if the connection leads to a server that has become read-only, although it is for writing.

        The server reports both settings with every change (PostgreSQL manual, 54.2.7), so this asks nothing.
        """
        if not self.writable:
            return False
        settings = connection.get_settings()
        by_default = getattr(settings, "default_transaction_read_only", "off")
        return "on" in (by_default, getattr(settings, "in_hot_standby", "off"))

    def _prefer(self, url: str) -> None:
        if self._urls[0] != url and self.writable:
            self._urls.remove(url)
            self._urls.insert(0, url)


def _means_another_host(error: Exception) -> bool:
    """True for an error that another host may not have: this one is off, starts, stops, or is of the wrong kind."""
    state = getattr(error, "sqlstate", None) or ""
    wrong = (OSError, TargetServerAttributeNotMatched)
    return isinstance(error, wrong) or state.startswith(("08", "57P"))
