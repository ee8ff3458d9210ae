"""Checks of a client's arguments before anything is sent. No message repeats a value: it may be a secret."""

import re
from collections.abc import Callable

import httpx2

from colloquy.errors import BadInput, Unauthenticated

Owner = str | Callable[[], str | None] | None
TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, section 2.1: b64token


def endpoint(url: object) -> str:
    """Returns the address of the GraphQL endpoint of a server's URL, with or without its path `/graphql`.

    Raises BadInput unless `url` is an http or https URL with a host, and without user name, query and fragment.
    """
    if not isinstance(url, str):
        raise BadInput(f"The server's URL must be a string, not {type(url).__name__}.")
    try:
        parsed = httpx2.URL(url.strip())
    except httpx2.InvalidURL:
        raise BadInput("The server's URL is not a valid URL.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or (parsed.port or 1) not in range(1, 65_536):
        raise BadInput("The server's URL must start with http:// or https:// and a host.")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise BadInput("The server's URL must have no user name, password, query or fragment.")
    return str(parsed).rstrip("/#?").removesuffix("/graphql") + "/graphql"


def bearer_token(token: object) -> str:
    """Returns the token without surrounding white space. Raises Unauthenticated for one that no header can carry."""
    if not isinstance(token, str):
        raise Unauthenticated(f"The token must be a string, not {type(token).__name__}.")
    if not token.strip():
        raise Unauthenticated("The token is empty.")
    if not TOKEN.fullmatch(token.strip()):
        raise Unauthenticated("The token has characters that no bearer token has: white space, quotes or the like.")
    return token.strip()


def header_value(idempotency_key: str) -> str:
    """Returns the idempotency key. Raises BadInput for one that no header can carry."""
    if not (idempotency_key.isascii() and idempotency_key.isprintable()):
        raise BadInput("An idempotency key must be printable ASCII.")
    return idempotency_key


def owner_header(owner: str | None) -> dict[str, str]:
    """Returns the header that names the owner to act for; none for None. Raises BadInput for another value."""
    if owner is None:
        return {}
    if not isinstance(owner, str) or not re.fullmatch("[!-~]{1,255}", owner):
        raise BadInput("An owner must be 1 to 255 visible ASCII characters, without spaces.")
    return {"Colloquy-Owner": owner}


def owner_headers(owner: Owner) -> Callable[[], dict[str, str]]:
    """Returns the function that returns `owner_header` for one request. Checks at once what is no function."""
    if callable(owner):
        return lambda: owner_header(owner())
    header = owner_header(owner)
    return lambda: header
