"""Bearer token -> Viewer: the only reader of tokens, HTTP and websocket alike.

PyJWT verifies; the rules about it are those of RFC 8725 (JWT best practice), RFC 9068 (`typ`) and RFC 6750
(bearer tokens). Whatever fails raises `Unauthenticated`, in one of a few fixed sentences.
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
BELIEVED_SECONDS = 300  # a key that is withdrawn ends its tokens within this time, cached or not
CACHED_TOKENS = 4096
MAX_TOKEN_CHARS = 8192  # what servers and proxies take as a header
FOREVER = 253_402_300_799  # 9999-12-31T23:59:59Z: later than this is as good as never
MISSING = "A bearer token is needed."

ASYMMETRIC = ["RS256", "ES256", "EdDSA"]
# RFC 8725 §3.11: tokens of another kind by the same issuer (logout+jwt, dpop+jwt) are no access tokens.
# Without `typ` a token passes: RFC 7519 §5.1 leaves it out freely, those other kinds always carry it.
TYPES = {"jwt", "at+jwt", "application/at+jwt"}
# OpenID Connect Core §2: at most 255 ASCII characters. No spaces, so that no two owners look alike.
SUBJECT = re.compile(r"[!-~]{1,255}")
SCOPES = re.compile(r"[ -~]*")  # RFC 6749 §3.3
MAX_ROLES, MAX_ROLE_CHARS = 64, 255


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking: the owner of all that is read and written. `expires_at` is unix seconds."""

    subject: str
    scopes: frozenset[str]
    roles: tuple[str, ...]
    expires_at: float


class Authenticator:
    """Verifies tokens by the settings' one kind of key, and remembers those that passed."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._keys = Keys(settings.jwks_url, clock) if settings.jwks_url else None
        self._seen: OrderedDict[str, tuple[Viewer, float]] = OrderedDict()

    def cached(self, token: str) -> Viewer | None:
        """The viewer of a token verified lately, in well under a microsecond; None says nothing about it."""
        known = self._seen.get(token)
        if known is None:
            return None
        if known[1] <= self._clock():
            del self._seen[token]
            return None
        self._seen.move_to_end(token)
        return known[0]

    async def viewer(self, token: str) -> Viewer:
        """Whom the token proves, or `Unauthenticated`."""
        if known := self.cached(token):
            return known
        viewer = self._viewer_of(await self._claims(token))
        self._seen[token] = viewer, min(viewer.expires_at, self._clock() + BELIEVED_SECONDS)
        if len(self._seen) > CACHED_TOKENS:
            self._seen.popitem(last=False)
        return viewer

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_CHARS or not token.isascii():
            raise Unauthenticated("The token is malformed.")
        try:
            if self._keys is None:
                return self._verified(token, self._settings.jwt_secret or "", ["HS256"])
            kid = jwt.get_unverified_header(token).get("kid")
            return self._verified(token, await self._keys.named(kid), ASYMMETRIC)
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
            issuer=self._settings.jwt_issuer,  # required as soon as it is configured, like the audience
            audience=self._settings.jwt_audience,
            options={
                "require": ["exp", "iat", "sub"],
                "enforce_minimum_key_length": True,
                # Times are checked in `_viewer_of`: PyJWT takes them as strings too.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        kind = decoded["header"].get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in TYPES:
            raise Unauthenticated("The token is of another type.")
        claims: dict[str, Any] = decoded["payload"]
        return claims

    def _viewer_of(self, claims: dict[str, Any]) -> Viewer:
        now = self._clock()
        expires_at = moment(claims["exp"])
        if expires_at + LEEWAY_SECONDS <= now:
            raise Unauthenticated("The token has expired.")
        if max(moment(claims["iat"]), moment(claims.get("nbf", 0))) - LEEWAY_SECONDS > now:
            raise Unauthenticated("The token is not valid yet.")
        if not SUBJECT.fullmatch(claims["sub"]):
            raise Unauthenticated("The token's subject cannot be an owner.")
        return Viewer(claims["sub"], scopes_of(claims), roles_of(claims), expires_at)


class Keys:
    """The issuer's public keys by `kid`: fetched in a thread, once for all who wait, and kept."""

    LIFESPAN_SECONDS = 300
    STALE_SECONDS = 3600  # an issuer that is away does not log everybody out
    COOLDOWN_SECONDS = 30  # names made up by strangers cost the issuer one request in this time
    RETRY_SECONDS = 5

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._client = jwt.PyJWKClient(url, timeout=5)
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._next_fetch_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def named(self, kid: Any) -> jwt.PyJWK:
        """The key of that name; `Unauthenticated` when there is none, or none can be had."""
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
        await asyncio.shield(self._fetching)  # one waiter that leaves does not take the answer from the rest

    async def _fetch(self) -> None:
        try:
            keys = await asyncio.to_thread(self._client.get_signing_keys, refresh=True)
        except Exception as error:  # a foreign server may answer anything
            log.warning("keys_unreachable", error=str(error))
            self._next_fetch_at = self._clock() + self.RETRY_SECONDS
        else:
            self._keys = {key.key_id: key for key in keys if key.key_id and key.algorithm_name in ASYMMETRIC}
            self._fetched_at = self._clock()
            self._next_fetch_at = self._fetched_at + self.COOLDOWN_SECONDS
        finally:
            self._fetching = None


def moment(value: Any) -> float:
    """A NumericDate (RFC 7519 §2) in unix seconds: a number, not its text."""
    finite = math.isfinite(value) if isinstance(value, float) else type(value) is int
    if not finite:
        raise Unauthenticated("The token's times are not numbers.")
    return float(max(0, min(value, FOREVER)))


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """`scope` as RFC 8693 §4.2 has it; without the claim a token may do everything."""
    scope = claims.get("scope", f"{READ} {WRITE}")
    if not isinstance(scope, str) or not SCOPES.fullmatch(scope):
        raise Unauthenticated("The token's scope is not a list of words.")
    return frozenset(scope.split())


def roles_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or len(roles) > MAX_ROLES or not all(map(is_role, roles)):
        raise Unauthenticated("The token's roles are not a list of names.")
    return tuple(roles)


def is_role(role: Any) -> bool:
    return isinstance(role, str) and 0 < len(role) <= MAX_ROLE_CHARS and role.isprintable()


def require(viewer: Viewer, scope: str) -> None:
    """Raises `OutOfScope` unless the viewer's token covers `scope`."""
    if scope not in viewer.scopes:
        raise OutOfScope(f"The token lacks the scope {scope}.")


def bearer(header: Any) -> str:
    """The token in an `Authorization` header, or in the field of that name of a socket's first message."""
    if header is None or header == "":
        raise Unauthenticated(MISSING)
    scheme, _, token = header.partition(" ") if isinstance(header, str) else ("", "", "")
    if scheme.lower() != "bearer" or not (token := token.strip(" ")):
        raise Unauthenticated("Authorization must be Bearer and a token.")
    return token


def challenge(refused: Unauthenticated) -> str:
    """The `WWW-Authenticate` of a 401; RFC 6750 §3.1: no error code for who brought no token."""
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
    """A token of our own for `sub` (HS256 only); ValueError for what we would not accept ourselves."""
    if settings.jwt_secret is None:
        raise ValueError("Tokens are signed by the keeper of JWKS_URL's keys, not here.")
    if not SUBJECT.fullmatch(sub):
        raise ValueError("A subject is 1 to 255 visible ASCII characters, without spaces.")
    now = time.time()
    given = {
        "scope": None if scopes is None else " ".join(scopes),
        "roles": list(roles) or None,
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
    }
    claims = {"sub": sub, "iat": int(now), "exp": int(now + ttl_seconds)}
    claims |= {name: value for name, value in given.items() if value is not None}
    return jwt.encode(claims, settings.jwt_secret, algorithm="HS256")
