"""A line at debug level for each refused request and socket, with the reason and without the client's values."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.structured_log import get_logger
from app.transport.errors import INTERNAL

REFUSALS = logging.getLogger("colloquy.refusal")
log = get_logger(REFUSALS.name)
MAX_REASON_CHARS = 300
VALUE = re.compile(  # in the messages of graphql-core and in ours
    r"""(cannot\ represent\ [^:]*:\ |,\ found:\ |;\ it\ is\ |(?:found|Unexpected)\ (?:Block)?String\ |(?:\A|:\ )Value\ )
        .*?(?=\ does\ not\ exist\ in\ |\Z)""",
    re.VERBOSE | re.DOTALL,
)


def log_refused(errors: Sequence[Mapping[str, Any]]) -> None:
    """Logs the first of a request's errors. INTERNAL ones have their own line, with a traceback."""
    if not REFUSALS.isEnabledFor(logging.DEBUG):
        return
    first = errors[0]
    code = first["extensions"]["code"]
    if code != INTERNAL:
        log.debug("request_refused", code=code, reason=without_values(first["message"]), path=first.get("path"))


def log_closed(code: int, reason: str, **details: str) -> None:
    """Logs why a socket was refused or closed; `details` are of its handshake."""
    if REFUSALS.isEnabledFor(logging.DEBUG):
        log.debug("socket_refused", code=code, reason=reason, **details)


def without_values(message: str) -> str:
    """The message with `…` for a value that the client sent: it may be a secret, or content."""
    return VALUE.sub(r"\1…", message)[:MAX_REASON_CHARS]
