"""Web origins (RFC 6454): which pages may use the API. HTTP, event streams and WebSockets ask here.

An origin is `scheme://host[:port]`, with any scheme: the pages of app shells and extensions have schemes of their own.
A pattern is an origin, or one whose first label is `*`: `https://*.example.com` covers every host directly below
example.com, and no other.
"""

import re
from collections.abc import Iterable

ANY = "*"
DEFAULT_PORTS = {"http": "80", "https": "443"}
PATTERN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
    r"(:(?P<port>[0-9]{1,5}))?"
)
LABEL = re.compile(r"[a-z0-9_-]+")


def pattern(text: str) -> str:
    """The pattern as a browser would spell it: in lower case, without the scheme's own port. Raises ValueError."""
    found = PATTERN.fullmatch(text.lower())
    if text == ANY:
        return text
    if found is None:
        raise ValueError(f"{text!r} is not an origin; give * or scheme://host[:port], separated by commas")
    scheme, host, port = found.group("scheme", "host", "port")
    if host.startswith("*.") and not ("." in host[2:] or host == "*.localhost"):
        raise ValueError(f"{text!r} covers hosts of many owners; give one with two names after the *")
    return f"{scheme}://{host}" + ("" if port is None or port == DEFAULT_PORTS.get(scheme) else f":{port}")


class Origins:
    """The origins that patterns cover. Raises ValueError for a text that is not a pattern."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = frozenset(map(pattern, patterns))
        self.any = ANY in self._patterns

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def allow(self, origin: str) -> bool:
        """True if a page of this origin, as its browser spells it, may use the API."""
        if self.any:
            return True
        origin = origin.lower()
        if origin in self._patterns:
            return True
        scheme, _, rest = origin.partition("://")
        label, _, parent = rest.partition(".")
        return LABEL.fullmatch(label) is not None and f"{scheme}://*.{parent}" in self._patterns
