"""`colloquy token`."""

import sys
from collections.abc import Sequence

from app.auth import key_name, mint
from app.claims import READ, WRITE
from app.commands import UsageError, load_settings


def print_token(sub: str, scopes: Sequence[str] | None, roles: Sequence[str], ttl_seconds: int) -> None:
    """Print a token of the settings' secret, and on stderr which secret signed it."""
    settings = load_settings()
    try:
        token = mint(settings, sub=sub, scopes=scopes or (READ, WRITE), roles=roles, ttl_seconds=ttl_seconds)
    except ValueError as error:
        raise UsageError(str(error)) from None
    stored = settings.generated_secret
    new = ", generated just now: only a server with this DATA_DIR accepts it" if stored and stored.is_new else ""
    print(f"Signed with {key_name(settings)}{new}.", file=sys.stderr)
    print(token)
