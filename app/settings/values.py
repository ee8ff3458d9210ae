"""Settings that are more than a word or a number: what is accepted, and what it becomes.

Values that are not accepted raise ValueError.
"""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.origins import pattern

MIN_SECRET_BYTES = 32  # RFC 7518 §3.2: an HS256 key is at least as long as its hash
ROLE = re.compile(r"(?!none\Z|pg_)[a-z_][a-z0-9_]{0,62}", re.ASCII)
PATH = re.compile(r"(/[\w.~-]+)*/?", re.ASCII)
CLAIM = re.compile(r"[!#-\[\]-~]+")  # visible ASCII that may stand in the header of a 401 (RFC 6750 §3)
NESTING = re.compile(r"(?<!\\)\.")
SCOPE_PREFIX = re.compile(r"[!-~]*[^\w\s]", re.ASCII)


def to_lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def split_list(value: Any) -> Any:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def absolute_path(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"{path} is below a home directory that does not exist; give a path from / on") from None


def origins(provided: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns of web origins, in their own spelling."""
    return tuple(map(pattern, provided))


def networks(provided: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses and networks of IPv4 or IPv6, or `*`."""
    for address in provided:
        try:
            address == "*" or ip_network(address)
        except ValueError:
            message = f"{address!r} is not an address; give 10.0.0.7, 10.0.0.0/8 or *, separated by commas"
            raise ValueError(message) from None
    return provided


def path_prefix(path: str) -> str:
    """A path without a slash at its end; empty for the root."""
    if not PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not a path; give /chat")
    return path.rstrip("/")


def claim_path(name: str) -> tuple[str, ...]:
    """The steps to a claim: `a.b` is `b` in the object `a`. A dot is part of the name in a URL, and as `\\.`."""
    steps = (name,) if "://" in name else tuple(step.replace("\\.", ".") for step in NESTING.split(name))
    if not all(map(CLAIM.fullmatch, steps)):
        raise ValueError(f"{name!r} is not a claim; give roles, realm_access.roles or https://example.com/roles")
    return steps


def claim(name: str) -> str:
    """The name of a claim that `claim_path` accepts."""
    claim_path(name)
    return name


def claims(provided: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(claim, provided))


def scope_prefixes(provided: tuple[str, ...]) -> tuple[str, ...]:
    """Prefixes with the sign that separates them from the scope: without it no scope would ever match."""
    for prefix in provided:
        if not SCOPE_PREFIX.fullmatch(prefix):
            raise ValueError(f"{prefix!r} does not end in a separator; give it whole, such as api://app-id/")
    return provided


def web_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not a web address; give https://issuer/.well-known/jwks.json")
    return url


def strong_secret(secret: str) -> str:
    try:
        size = len(secret.encode())
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8; give text, such as 64 hexadecimal digits") from None
    if size < MIN_SECRET_BYTES:
        raise ValueError(f"it has {size} bytes; give at least {MIN_SECRET_BYTES} (openssl rand -hex 32)")
    return secret


def role_name(name: str) -> str:
    """A name of a role that SQL needs not quote."""
    if not ROLE.fullmatch(name):
        raise ValueError(f"{name!r} is not a name for a role; give colloquy_server")
    return name


def valid_redis_url(url: str) -> str:
    """A URL that redis-py accepts. Raises ValueError."""
    expected = "give redis://host:6379, rediss:// for TLS, or unix:///path"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018
    except ValueError:
        raise ValueError(f"it is not a URL; {expected}") from None
    if parts.scheme not in {"redis", "rediss", "unix"} or not (
        parts.path if parts.scheme == "unix" else parts.hostname
    ):
        raise ValueError(f"it is not a Redis URL; {expected}")
    return url
