"""`colloquy token`."""

from collections.abc import Sequence

from app.auth import mint
from app.commands import UsageError, load_settings


def print_token(sub: str, scopes: Sequence[str] | None, roles: Sequence[str], ttl_seconds: int) -> None:
    """Print a token of the settings' secret."""
    try:
        print(mint(load_settings(), sub=sub, scopes=scopes, roles=roles, ttl_seconds=ttl_seconds))
    except ValueError as error:
        raise UsageError(str(error)) from None
