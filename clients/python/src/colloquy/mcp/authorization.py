"""OAuth for streamable HTTP: the server is a resource server, and acts for the subject of each request's token.

The authorization part of the MCP specification: a request without a valid token gets 401 with the address of the
protected resource metadata (RFC 9728), and a token counts only if it was issued for this server (RFC 8707). The token
of an MCP client is not sent on to Colloquy: the server has a token of its own, with the scope `chat:act`.
https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from colloquy.errors import Unauthenticated
from colloquy.extras import extra

with extra("mcp"):
    import jwt
    from mcp.server.auth.middleware.auth_context import get_access_token
    from mcp.server.auth.provider import AccessToken
    from mcp.server.auth.settings import AuthSettings
    from mcp.server.transport_security import TransportSecuritySettings

log = logging.getLogger(__name__)
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SCOPES = ("chat:read", "chat:write")
KEYS_TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class Authorization:
    """Whose tokens the server accepts: those of one issuer, signed with its keys, for this resource, with all scopes.

    `resource` is the public URL of `/mcp`, which is the audience of the tokens.
    """

    resource: str
    issuer: str
    jwks_url: str
    scopes: tuple[str, ...] = SCOPES

    @property
    def settings(self) -> AuthSettings:
        """What the server publishes and requires."""
        # Of texts: AnyHttpUrl adds a slash to an issuer without a path, and clients compare that with the issuer's own.
        return AuthSettings.model_validate(
            {
                "issuer_url": self.issuer,
                "resource_server_url": self.resource,
                "required_scopes": list(self.scopes),
                "validate_token_resource": False,  # the verifier checks the audience
            }
        )

    @property
    def transport_security(self) -> TransportSecuritySettings:
        """The names under which clients may reach the server, so that no other page's name leads a browser to it."""
        public = urlsplit(self.resource)
        return TransportSecuritySettings(
            allowed_hosts=[public.netloc, *(f"{host}:*" for host in LOOPBACK)],
            allowed_origins=[f"{public.scheme}://{public.netloc}", *(f"http://{host}:*" for host in LOOPBACK)],
        )


class Verifier:
    """Verifies JWT access tokens (RFC 9068) with the issuer's keys, which it fetches and keeps for five minutes."""

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization
        self._keys = jwt.PyJWKClient(authorization.jwks_url, timeout=KEYS_TIMEOUT_SECONDS)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Returns the token's subject and scopes; None for a token that is not valid here.

        Raises jwt.PyJWKClientConnectionError if the issuer's keys cannot be fetched: that is not the token's fault.
        """
        try:
            key = await asyncio.to_thread(self._keys.get_signing_key_from_jwt, token)
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self._authorization.issuer,
                audience=self._authorization.resource,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWKClientConnectionError:
            raise
        except jwt.PyJWTError:
            return None
        return AccessToken(
            token=token,
            client_id=str(claims.get("client_id") or claims.get("azp") or claims["sub"]),
            scopes=_scopes(claims),
            expires_at=int(claims["exp"]),
            resource=self._authorization.resource,
            subject=claims["sub"],
            claims=claims,
        )


class KeysRequired:
    """ASGI middleware that answers 503 while the issuer's keys cannot be fetched: a new token would not help."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        try:
            await self._app(scope, receive, send)
        except jwt.PyJWKClientConnectionError as error:
            log.error("The keys of the authorization server cannot be fetched: %s", error)
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send(
                {"type": "http.response.body", "body": b"The keys of the authorization server cannot be fetched."}
            )


def subject() -> str:
    """Returns the subject of the request's token: the owner to act for. Raises Unauthenticated outside a request."""
    token = get_access_token()
    if token is None or token.subject is None:
        raise Unauthenticated("This call has no token of an owner.")
    return token.subject


def _scopes(claims: dict[str, Any]) -> list[str]:
    """The scopes under `scope` (RFC 9068) or `scp`, a text or a list."""
    found = claims.get("scope", claims.get("scp", []))
    return found.split() if isinstance(found, str) else list(map(str, found)) if isinstance(found, list) else []
