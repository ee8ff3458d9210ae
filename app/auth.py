"""Bearer token -> Viewer, for HTTP and websockets.

PyJWT verifies signatures; the rules come from RFC 8725 (JWT best practice), RFC 9068 (`typ`) and RFC 6750 (bearer
tokens). Every failure raises Unauthenticated, with one of a few fixed messages that never quote the token.
"""

import asyncio
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from app.errors import OutOfScope, Unauthenticated
from app.settings import Settings
from app.structured_log import get_logger

log = get_logger(__name__)

READ, WRITE = "chat:read", "chat:write"
LEEWAY_SECONDS = 30  # clocks differ
MAX_CACHE_SECONDS = 300  # the tokens of a withdrawn key are refused within this time, cached or not
MAX_CACHED_TOKENS = 4096
MAX_TOKEN_CHARS = 8192  # the largest header that servers and proxies accept
MAX_NUMERIC_DATE = 253_402_300_799  # 9999-12-31T23:59:59Z: a later time is cut to this one
MISSING = "A bearer token is needed."

ASYMMETRIC = ["RS256", "ES256", "EdDSA"]
# RFC 8725 §3.11: tokens of another type by the same issuer (logout+jwt, dpop+jwt) are not access tokens.
# A token without `typ` passes: RFC 7519 §5.1 makes it optional, and those other types always have it.
TYPES = {"jwt", "at+jwt", "application/at+jwt"}
# OpenID Connect Core §2: at most 255 ASCII characters. No spaces: no two owners may look alike.
SUBJECT = re.compile(r"[!-~]{1,255}")
SCOPES = re.compile(r"[ -~]*")  # RFC 6749 §3.3
MAX_ROLES, MAX_ROLE_CHARS = 64, 255


@dataclass(frozen=True, slots=True)
class Viewer:
    """The user of a request: the owner of all that is read and written. `expires_at` is in unix seconds."""

    subject: str
    scopes: frozenset[str]
    roles: tuple[str, ...]
    expires_at: float


class Authenticator:
    """Verifies tokens with the settings' secret or the issuer's keys, and caches the tokens that passed."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._keys = KeySet(settings.jwks_url, clock) if settings.jwks_url else None
        self._cache: OrderedDict[str, tuple[Viewer, float]] = OrderedDict()

    def cached(self, token: str) -> Viewer | None:
        """The viewer of a recently verified token, in well under a microsecond; None if it must be verified."""
        entry = self._cache.get(token)
        if entry is None:
            return None
        viewer, cached_until = entry
        if cached_until <= self._clock():
            del self._cache[token]
            return None
        self._cache.move_to_end(token)
        return viewer

    async def viewer(self, token: str) -> Viewer:
        """The viewer that the token proves. Raises Unauthenticated."""
        if viewer := self.cached(token):
            return viewer
        viewer = self._viewer_of(await self._claims(token))
        self._cache[token] = viewer, min(viewer.expires_at, self._clock() + MAX_CACHE_SECONDS)
        if len(self._cache) > MAX_CACHED_TOKENS:
            self._cache.popitem(last=False)
        return viewer

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_CHARS or not token.isascii():
            raise Unauthenticated("The token is malformed.")
        try:
            if self._keys is None:
                return self._verified(token, self._settings.jwt_secret or "", ["HS256"])
            kid = jwt.get_unverified_header(token).get("kid")
            return self._verified(token, await self._keys.key(kid), ASYMMETRIC)
        except jwt.InvalidAudienceError:
            raise Unauthenticated("The token is for another audience.") from None
        except jwt.InvalidIssuerError:
            raise Unauthenticated("The token is from another issuer.") from None
        except jwt.MissingRequiredClaimError:
            raise Unauthenticated("The token lacks a claim.") from None
        except jwt.PyJWTError:
            raise Unauthenticated("The token is not valid.") from None

    def _verified(self, token: str, key: str | jwt.PyJWK, algorithms: list[str]) -> dict[str, Any]:
        decoded = jwt.decode_complete(
            token,
            key,
            algorithms,
            issuer=self._settings.jwt_issuer,  # required if it is configured, like the audience
            audience=self._settings.jwt_audience,
            options={
                "require": ["exp", "iat", "sub"],
                "enforce_minimum_key_length": True,
                # `_viewer_of` checks the times: PyJWT would accept them as strings too.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        typ = decoded["header"].get("typ", "JWT")
        if not isinstance(typ, str) or typ.lower() not in TYPES:
            raise Unauthenticated("The token is of another type.")
        claims: dict[str, Any] = decoded["payload"]
        return claims

    def _viewer_of(self, claims: dict[str, Any]) -> Viewer:
        now = self._clock()
        expires_at = numeric_date(claims["exp"])
        if expires_at + LEEWAY_SECONDS <= now:
            raise Unauthenticated("The token has expired.")
        if max(numeric_date(claims["iat"]), numeric_date(claims.get("nbf", 0))) - LEEWAY_SECONDS > now:
            raise Unauthenticated("The token is not valid yet.")
        if not SUBJECT.fullmatch(claims["sub"]):
            raise Unauthenticated("The token's subject cannot be an owner.")
        return Viewer(claims["sub"], scopes_of(claims), roles_of(claims), expires_at)


class KeySet:
    """The issuer's public keys by `kid` (JWKS): fetched in a thread, once for all waiting requests, and cached."""

    LIFESPAN_SECONDS = 300
    STALE_SECONDS = 3600  # keys stay valid for so long while the issuer is unreachable
    COOLDOWN_SECONDS = 30  # unknown key ids, which any client can send, cause one fetch in this time at most
    RETRY_SECONDS = 5

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._client = jwt.PyJWKClient(url, timeout=5)
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._next_fetch_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: Any) -> jwt.PyJWK:
        """The key of that id. Raises Unauthenticated if it does not exist or the keys cannot be fetched."""
        if not isinstance(kid, str):
            raise Unauthenticated("The token names no key.")
        now = self._clock()
        if (kid not in self._keys or self._age() > self.LIFESPAN_SECONDS) and now >= self._next_fetch_at:
            await self._refresh()
        if self._age() > self.STALE_SECONDS:
            raise Unauthenticated("The signing keys are out of reach.")
        if kid not in self._keys:
            raise Unauthenticated("The token's key is not known.")
        return self._keys[kid]

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _refresh(self) -> None:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)  # a cancelled request must not cancel the fetch for the others

    async def _fetch(self) -> None:
        try:
            keys = await asyncio.to_thread(self._client.get_signing_keys, refresh=True)
        except Exception as error:  # the issuer's response may be anything
            log.warning("keys_unreachable", error=str(error))
            self._next_fetch_at = self._clock() + self.RETRY_SECONDS
        else:
            self._keys = {key.key_id: key for key in keys if key.key_id and key.algorithm_name in ASYMMETRIC}
            self._fetched_at = self._clock()
            self._next_fetch_at = self._fetched_at + self.COOLDOWN_SECONDS
        finally:
            self._fetching = None


def numeric_date(value: Any) -> float:
    """A NumericDate (RFC 7519 §2), which is a number, in unix seconds. Raises Unauthenticated."""
    finite = math.isfinite(value) if isinstance(value, float) else type(value) is int
    if not finite:
        raise Unauthenticated("The token's times are not numbers.")
    return float(max(0, min(value, MAX_NUMERIC_DATE)))


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes in the claim `scope` (RFC 8693 §4.2); all of ours if a token has no such claim."""
    scope = claims.get("scope", f"{READ} {WRITE}")
    if not isinstance(scope, str) or not SCOPES.fullmatch(scope):
        raise Unauthenticated("The token's scope is not a list of words.")
    return frozenset(scope.split())


def roles_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in the claim `roles`. Raises Unauthenticated."""
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or len(roles) > MAX_ROLES or not all(map(is_role, roles)):
        raise Unauthenticated("The token's roles are not a list of names.")
    return tuple(roles)


def is_role(role: Any) -> bool:
    return isinstance(role, str) and 0 < len(role) <= MAX_ROLE_CHARS and role.isprintable()


def require(viewer: Viewer, scope: str) -> None:
    """Raises OutOfScope unless the viewer's token covers `scope`."""
    if scope not in viewer.scopes:
        raise OutOfScope(f"The token lacks the scope {scope}.")


def bearer(header: Any) -> str:
    """The token in an `Authorization` header, or in the field of that name of `connection_init`."""
    if header is None or header == "":
        raise Unauthenticated(MISSING)
    scheme, _, token = header.partition(" ") if isinstance(header, str) else ("", "", "")
    if scheme.lower() != "bearer" or not (token := token.strip(" ")):
        raise Unauthenticated("Authorization must be Bearer and a token.")
    return token


def challenge(refused: Unauthenticated) -> str:
    """The `WWW-Authenticate` header of a 401 (RFC 6750 §3.1: without an error code if no token was sent)."""
    if refused.message == MISSING:
        return 'Bearer realm="colloquy"'
    return f'Bearer realm="colloquy", error="invalid_token", error_description="{refused.message}"'


def mint(
    settings: Settings,
    *,
    sub: str,
    ttl_seconds: float,
    scopes: Sequence[str] | None = None,
    roles: Sequence[str] = (),
) -> str:
    """Signs a token for `sub` with the settings' secret (HS256). Raises ValueError if we would not accept it."""
    if settings.jwt_secret is None:
        raise ValueError("Tokens are signed by the issuer that JWKS_URL names, not here.")
    if not SUBJECT.fullmatch(sub):
        raise ValueError("A subject is 1 to 255 visible ASCII characters, without spaces.")
    now = time.time()
    optional = {
        "scope": None if scopes is None else " ".join(scopes),
        "roles": list(roles) or None,
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
    }
    claims = {"sub": sub, "iat": int(now), "exp": int(now + ttl_seconds)}
    claims |= {name: value for name, value in optional.items() if value is not None}
    return jwt.encode(claims, settings.jwt_secret, algorithm="HS256")
