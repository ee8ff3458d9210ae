"""Bearer token -> Viewer, for HTTP and websockets.

PyJWT verifies signatures; the rules come from RFC 8725 (JWT best practice), RFC 9068 (`typ`) and RFC 6750 (bearer
tokens). Every failure raises Unauthenticated, with a message and a reason for the log that never quote the token.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jwt

from app.claims import ACT, OWNER, READ, WRITE, ClaimReader, own_claims
from app.errors import BadInput, OutOfScope, Unauthenticated
from app.settings import Settings
from app.structured_log import get_logger

log = get_logger(__name__)

LEEWAY_SECONDS = 30  # clocks differ
MAX_CACHE_SECONDS = 300  # the tokens of a withdrawn key are refused after this time and KeySet.LIFESPAN_SECONDS
MAX_CACHED_TOKENS = 4096
MAX_TOKEN_CHARS = 8192  # the largest header that servers and proxies accept
MAX_NUMERIC_DATE = 253_402_300_799  # 9999-12-31T23:59:59Z: a later time is cut to this one
MISSING = "A bearer token is needed."
NOT_VALID = "The token is not valid."

ASYMMETRIC = ["RS256", "ES256", "EdDSA"]
# RFC 8725 §3.11: tokens of another type by the same issuer (logout+jwt, dpop+jwt) are not access tokens.
# A token without `typ` passes: RFC 7519 §5.1 makes it optional, and those other types always have it.
TYPES = {"jwt", "at+jwt", "application/at+jwt"}


@dataclass(frozen=True, slots=True)
class Viewer:
    """The user of a request: the owner of all that is read and written. `expires_at` is in unix seconds.

    `acting` is the token's own subject if the token acts for this owner.
    """

    subject: str
    scopes: frozenset[str]
    roles: tuple[str, ...]
    expires_at: float
    acting: str | None = None

    @property
    def actor(self) -> str:
        """The token's own subject: the author of what the request changes."""
        return self.acting or self.subject


class Authenticator:
    """Verifies tokens with the settings' secret or the issuer's keys, and caches the tokens that passed."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._reader = ClaimReader(settings)
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
        """The viewer that the token proves. Raises Unauthenticated, and logs the reason."""
        if viewer := self.cached(token):
            return viewer
        try:
            viewer = self._viewer_of(await self._claims(token))
        except Unauthenticated as refused:
            log.info("token_refused", reason=refused.reason)
            raise
        self._cache[token] = viewer, min(viewer.expires_at, self._clock() + MAX_CACHE_SECONDS)
        if len(self._cache) > MAX_CACHED_TOKENS:
            self._cache.popitem(last=False)
        return viewer

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_CHARS or not token.isascii():
            raise Unauthenticated("The token is malformed.")
        try:
            if self._keys is None:
                return self._verified_by_secret(token)
            kid = jwt.get_unverified_header(token).get("kid")
            return self._verified(token, await self._keys.key(kid), ASYMMETRIC)
        except jwt.PyJWTError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: jwt.PyJWTError) -> Unauthenticated:
        """What the client gets, and for the log the setting that the token does not fit. Neither quotes the token."""
        settings = self._settings
        match error:
            case jwt.InvalidAudienceError():
                other = f"The token is for another audience than {settings.jwt_audience}."
                reason = other if settings.jwt_audience else "The token has an audience, and JWT_AUDIENCE is not set."
                return Unauthenticated("The token is for another audience.", reason=reason)
            case jwt.InvalidIssuerError():
                reason = f"The token is from another issuer than {settings.jwt_issuer}."
                return Unauthenticated("The token is from another issuer.", reason=reason)
            case jwt.MissingRequiredClaimError():
                return Unauthenticated(f"The token lacks the claim {error.claim}.")
            case jwt.InvalidSignatureError():
                previous = " and JWT_SECRET_PREVIOUS" if settings.jwt_secret_previous else ""
                reason = f"The signature was made by another key than {key_name(settings)}{previous}."
                return Unauthenticated(NOT_VALID, reason=reason)
        return Unauthenticated(NOT_VALID, reason=f"The token is not valid: {type(error).__name__}.")

    def _verified_by_secret(self, token: str) -> dict[str, Any]:
        try:
            return self._verified(token, self._settings.jwt_secret or "", ["HS256"])
        except jwt.InvalidSignatureError:
            if self._settings.jwt_secret_previous is None:
                raise
        return self._verified(token, self._settings.jwt_secret_previous, ["HS256"])

    def _verified(self, token: str, key: str | jwt.PyJWK, algorithms: list[str]) -> dict[str, Any]:
        decoded = jwt.decode_complete(
            token,
            key,
            algorithms,
            issuer=self._settings.jwt_issuer,  # required if it is configured, like the audience
            audience=self._settings.jwt_audience,
            options={
                "require": ["exp", "iat"],
                "enforce_minimum_key_length": True,
                # `_viewer_of` checks the times: PyJWT would accept them as strings too. It also checks the owner.
                "verify_sub": False,
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
        self._reader.check_client(claims)
        return Viewer(self._reader.owner(claims), self._reader.scopes(claims), self._reader.roles(claims), expires_at)


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


def key_name(settings: Settings) -> str:
    """What signs or verifies tokens, in words."""
    if settings.jwks_url:
        return "the issuer's of that id"
    if stored := settings.generated_secret:
        return f"the secret in {stored.path}"
    return "JWT_SECRET"


def require(viewer: Viewer, scope: str) -> None:
    """Raises OutOfScope unless the viewer's token covers `scope`."""
    if scope not in viewer.scopes:
        raise OutOfScope(f"The token lacks the scope {scope}.")


def on_behalf(viewer: Viewer, owner: Any) -> Viewer:
    """The viewer of a request that names an owner to act for; None: the token's own.

    Raises OutOfScope without the scope for it, whatever is named, and BadInput for what cannot be an owner.
    """
    if owner is None:
        return viewer
    require(viewer, ACT)
    if not isinstance(owner, str) or not OWNER.fullmatch(owner):
        raise BadInput("Colloquy-Owner must be 1 to 255 visible ASCII characters, without spaces.")
    return replace(viewer, subject=owner, acting=viewer.subject)


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
    scopes: Sequence[str] = (READ, WRITE),
    roles: Sequence[str] = (),
) -> str:
    """Signs a token for `sub` with the settings' secret (HS256). Raises ValueError if we would not accept it."""
    if settings.jwt_secret is None:
        raise ValueError("Tokens are signed by the issuer that JWKS_URL names, not here.")
    if not OWNER.fullmatch(sub):
        raise ValueError("A subject is 1 to 255 visible ASCII characters, without spaces.")
    if unknown := [scope for scope in scopes if scope not in (READ, WRITE, ACT)]:
        raise ValueError(f"The scope {unknown[0]!r} is not known; give {READ}, {WRITE} or {ACT}.")
    now = time.time()
    claims = own_claims(settings, owner=sub, scopes=scopes, roles=roles)
    claims |= {"iat": int(now), "exp": int(now + ttl_seconds)}
    registered = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience}
    claims |= {name: value for name, value in registered.items() if value is not None}
    return jwt.encode(claims, settings.jwt_secret, algorithm="HS256")
