"""The claims of a verified token -> owner, scopes and roles, by the names that the settings give.

Issuers name and shape their claims differently: docs/security.md has a table. A claim that is present and cannot be
understood refuses the token, because a restriction that is misread must not become a permission.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import Unauthenticated
from app.settings import Settings
from app.settings.values import claim_path

ClaimPath = tuple[str, ...]

READ, WRITE, ACT = "chat:read", "chat:write", "chat:act"
# RFC 8693 §4.2, and the name that Entra and Okta use: they count if a token has none of the claims that are named.
SCOPE_CLAIMS: tuple[ClaimPath, ...] = (("scope",), ("scp",))
CLIENT_CLAIMS = ("azp", "client_id", "cid")  # OpenID Connect Core §2, RFC 8693 §4.3, Okta
# OpenID Connect Core §2: at most 255 ASCII characters. No spaces: no two owners may look alike.
OWNER = re.compile(r"[!-~]{1,255}")
SCOPE_TEXT, SCOPE = re.compile(r"[ -~]*"), re.compile(r"[!-~]+")  # RFC 6749 §3.3
MAX_ROLES, MAX_ROLE_CHARS = 256, 255
ABSENT = object()


class ClaimReader:
    """Reads the claims that the settings name. Every method raises Unauthenticated."""

    def __init__(self, settings: Settings) -> None:
        self._clients = settings.jwt_clients
        self._owner, self._roles = claim_path(settings.jwt_owner_claim), claim_path(settings.jwt_roles_claim)
        self._scopes = tuple(map(claim_path, settings.jwt_scope_claims))
        self._prefixes = sorted(settings.jwt_scope_prefixes, key=len, reverse=True)
        self._without_claim = frozenset[str]() if settings.jwt_scope_required else frozenset({READ, WRITE})

    def check_client(self, claims: Mapping[str, Any]) -> None:
        """Refuses a token that was issued to a client which the settings do not name."""
        issued_to = [claims[name] for name in CLIENT_CLAIMS if name in claims]
        if self._clients and not (issued_to and all(client in self._clients for client in issued_to)):
            raise Unauthenticated("The token was issued to another client.")

    def owner(self, claims: Mapping[str, Any]) -> str:
        """The owner of all that the token reads and writes."""
        owner = value_at(claims, self._owner)
        if owner is ABSENT or owner is None:
            raise Unauthenticated(f"The token lacks the claim {dotted(self._owner)}.")
        if not isinstance(owner, str) or not OWNER.fullmatch(owner):
            raise Unauthenticated(f"The token's claim {dotted(self._owner)} cannot be an owner.")
        return owner

    def scopes(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """What every claim for scopes contains, without prefixes; of a token without one, what the settings give."""
        found = list(values_at(claims, self._scopes)) or list(values_at(claims, SCOPE_CLAIMS))
        if not found:
            return self._without_claim
        return frozenset.intersection(*(self._unprefixed(words(value, path)) for path, value in found))

    def roles(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """The roles, in the token's order."""
        value = value_at(claims, self._roles)
        if value is ABSENT:
            return ()
        roles = [value] if isinstance(value, str) else value
        if not isinstance(roles, list) or len(roles) > MAX_ROLES or not all(map(is_role, roles)):
            raise Unauthenticated(f"The token's claim {dotted(self._roles)} is not a list of roles.")
        return tuple(roles)

    def _unprefixed(self, scopes: Iterable[str]) -> frozenset[str]:
        return frozenset(
            next((scope.removeprefix(prefix) for prefix in self._prefixes if scope.startswith(prefix)), scope)
            for scope in scopes
        )


def value_at(claims: Mapping[str, Any], path: ClaimPath) -> Any:
    """The value of a claim, or ABSENT. Raises Unauthenticated if a step of its path is not an object."""
    value: Any = claims
    for step in path:
        if not isinstance(value, Mapping):
            raise Unauthenticated(f"The token's claim {dotted(path)} lies in something that is not an object.")
        if step not in value:
            return ABSENT
        value = value[step]
    return value


def values_at(claims: Mapping[str, Any], paths: Iterable[ClaimPath]) -> Iterable[tuple[ClaimPath, Any]]:
    """The claims of these paths that are present."""
    return ((path, value) for path in paths if (value := value_at(claims, path)) is not ABSENT)


def words(value: Any, path: ClaimPath) -> list[str]:
    """The words of a claim that is a text with spaces, or a list of words. Raises Unauthenticated."""
    if isinstance(value, str) and SCOPE_TEXT.fullmatch(value):
        return value.split()
    if isinstance(value, list) and all(isinstance(word, str) and SCOPE.fullmatch(word) for word in value):
        return value
    raise Unauthenticated(f"The token's claim {dotted(path)} is not a list of scopes.")


def is_role(role: Any) -> bool:
    return isinstance(role, str) and 0 < len(role) <= MAX_ROLE_CHARS and role.isprintable()


def dotted(path: ClaimPath) -> str:
    return ".".join(path)


def own_claims(settings: Settings, *, owner: str, scopes: Iterable[str], roles: Iterable[str]) -> dict[str, Any]:
    """The claims that a `ClaimReader` of these settings reads back."""
    claims: dict[str, Any] = {}
    _set(claims, claim_path(settings.jwt_owner_claim), owner)
    _set(claims, claim_path(next(iter(settings.jwt_scope_claims), "scope")), " ".join(scopes))
    if named := list(roles):
        _set(claims, claim_path(settings.jwt_roles_claim), named)
    if settings.jwt_clients:
        claims["client_id"] = settings.jwt_clients[0]
    return claims


def _set(claims: dict[str, Any], path: ClaimPath, value: Any) -> None:
    for step in path[:-1]:
        claims = claims.setdefault(step, {})
    claims[path[-1]] = value
