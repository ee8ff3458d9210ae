"""Tokens as eight identity providers issue them, verified with the settings that docs/security.md shows."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth import Viewer
from app.settings import Settings
from tests.test_auth import refused, signed
from tests.test_jwks import EC, RSA, issuing, jwk

PAGE = (Path(__file__).parent.parent / "docs" / "security.md").read_text()
ROW = re.compile(r"^\| (\w+) \| (`JWKS_URL=.*?`) \| (.*?) \| (.*?) \| (.*?) \|$", re.M)
TABLE = {name: (dict(re.findall(r"`([A-Z_]+)=([^`]*)`", cell)), *columns) for name, cell, *columns in ROW.findall(PAGE)}
BOTH = frozenset({"chat:read", "chat:write"})
HOUR = 3600


def token(provider, **changes):
    """The claims of a token of Ann, as the provider's documentation shows them; `...` leaves one out."""
    now = int(time.time())
    provided: dict[str, Any] = {"iat": now, "exp": now + HOUR} | CLAIMS[provider] | changes
    return {name: value for name, value in provided.items() if value is not ...}


CLAIMS: dict[str, dict[str, Any]] = {
    "Auth0": {
        "iss": "https://example.eu.auth0.com/",
        "sub": "auth0|63f1c0ffee",
        "aud": ["https://chat.example.com", "https://example.eu.auth0.com/userinfo"],
        "azp": "my_client_id",
        "scope": "openid profile chat:read chat:write",
        "permissions": ["chat:read", "chat:write"],
        "https://example.com/roles": ["lead"],
    },
    "Entra": {
        "aud": "6e74172b-0000-0000-0000-e66a39bb12e3",
        "iss": "https://login.microsoftonline.com/72f988bf-0000-0000-0000-2d7cd011db47/v2.0",
        "nbf": 1537231048,
        "aio": "AXQAi/8IAAAAtAaZLo3ChMif6KOnttRB7eBq4",
        "azp": "b1c2d3e4-0000-0000-0000-000000000000",
        "azpacr": "0",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "preferred_username": "ann@example.com",
        "roles": ["lead"],
        "scp": "chat:read chat:write",
        "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "tid": "72f988bf-0000-0000-0000-2d7cd011db47",
        "ver": "2.0",
    },
    "Okta": {
        "ver": 1,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "iss": "https://example.okta.com/oauth2/default",
        "aud": "https://chat.example.com",
        "sub": "ann@example.com",
        "cid": "nmdP1fcyvdVO11AL7ECm",
        "uid": "00ujmkLgagxeRrAg20g3",
        "scp": ["openid", "chat:read", "chat:write"],
        "groups": ["lead"],
    },
    "Keycloak": {
        "jti": "onrtac:0e8a2f3c-0000-0000-0000-3a8d1c1f2b4d",
        "iss": "https://id.example.com/realms/chat",
        "aud": ["colloquy", "account"],
        "sub": "144bdeab-9bbf-47d6-9ec4-55982cd20e82",
        "typ": "Bearer",
        "azp": "sidebar",
        "realm_access": {"roles": ["lead"]},
        "resource_access": {"account": {"roles": ["manage-account"]}},
        "scope": "openid profile email chat:read chat:write",
    },
    "Cognito": {
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "cognito:groups": ["lead"],
        "token_use": "access",
        "scope": "openid https://chat.example.com/chat:read https://chat.example.com/chat:write",
        "auth_time": 1562190524,
        "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_example",
        "client_id": "57cbishk4j24pabc1234567890",
        "username": "ann@example.com",
    },
    "Firebase": {
        "iss": "https://securetoken.google.com/example-chat",
        "aud": "example-chat",
        "auth_time": 1700000000,
        "user_id": "Xk893u23H9SJ893",
        "sub": "Xk893u23H9SJ893",
        "email": "ann@example.com",
        "email_verified": True,
        "firebase": {"identities": {"email": ["ann@example.com"]}, "sign_in_provider": "password"},
        "roles": ["lead"],
    },
    "Supabase": {
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": 1640991600}],
        "app_metadata": {"provider": "email", "providers": ["email"], "roles": ["lead"]},
        "aud": "authenticated",
        "email": "ann@example.com",
        "iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
        "phone": "",
        "role": "authenticated",
        "session_id": "123e4567-e89b-12d3-a456-426614174001",
        "sub": "123e4567-e89b-12d3-a456-426614174000",
        "user_metadata": {"name": "Ann", "roles": ["owner of everything"]},
        "is_anonymous": False,
    },
    "Clerk": {
        "azp": "https://chat.example.com",
        "fva": [7, -1],
        "iss": "https://clerk.example.com",
        "nbf": 1713158400,
        "o": {"id": "org_123", "rol": "lead", "slg": "acme", "per": "read,manage", "fpm": "3,2"},
        "sid": "sess_123",
        "sub": "user_123",
        "v": 2,
    },
}
OWNERS = {
    "Auth0": "auth0|63f1c0ffee",
    "Entra": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
    "Okta": "00ujmkLgagxeRrAg20g3",
    "Keycloak": "144bdeab-9bbf-47d6-9ec4-55982cd20e82",
    "Cognito": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "Firebase": "Xk893u23H9SJ893",
    "Supabase": "123e4567-e89b-12d3-a456-426614174000",
    "Clerk": "user_123",
}
READ_ONLY: dict[str, dict[str, Any]] = {
    "Auth0": {"scope": "openid chat:read"},  # `permissions` still has both
    "Entra": {"scp": "chat:read"},
    "Okta": {"scp": ["chat:read"]},
    "Keycloak": {"scope": "chat:read email"},
    "Cognito": {"scope": "https://chat.example.com/chat:read https://mail.example.com/chat:write"},
    "Firebase": {"scope": "chat:read"},
    "Supabase": {"scope": ["chat:read"]},
    "Clerk": {"scope": "chat:read"},
}
# Providers publish RSA keys without `alg` (Entra), keys for encryption beside them (Keycloak), or elliptic keys.
KEYS = {
    "Entra": [jwk(RSA, "1", use="sig", x5t="1", issuer="https://login.microsoftonline.com/{tenantid}/v2.0")],
    "Keycloak": [jwk(RSA, "0", use="enc", alg="RSA-OAEP"), jwk(RSA, "1", use="sig", alg="RS256")],
    "Supabase": [jwk(EC, "1", use="sig", alg="ES256", key_ops=["verify"])],
}
HEADERS = {"Okta": {"typ": None}, "Cognito": {"typ": None}, "Auth0": {"typ": "at+jwt"}, "Clerk": {"cat": "cl_B7d4PD"}}


def issuing_as(provider):
    """The provider's keys on a local web server, and an authenticator with the settings of the page."""
    settings = {name.lower(): value for name, value in TABLE[provider][0].items() if name != "JWKS_URL"}
    return issuing(*KEYS.get(provider, [jwk(RSA, "1", use="sig", alg="RS256")]), **settings)


def signed_by(provider, claims):
    key, algorithm = (EC, "ES256") if provider == "Supabase" else (RSA, "RS256")
    return signed(claims, key, algorithm, kid="1", **HEADERS.get(provider, {}))


def test_the_table_has_the_providers_of_these_tests():
    assert list(TABLE) == list(CLAIMS) == list(OWNERS) == list(READ_ONLY)


@pytest.mark.parametrize("provider", TABLE)
def test_the_settings_of_the_table_start_a_production_server(provider, monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    settings, owner, scopes, roles = TABLE[provider]
    for name, value in settings.items() | {("ENVIRONMENT", "production"), ("DATABASE_URL", "postgresql://host/db")}:
        monkeypatch.setenv(name, value)
    loaded = Settings.load(tmp_path / ".env")
    assert loaded.jwks_url == settings["JWKS_URL"]
    assert owner == f"`{loaded.jwt_owner_claim}`"
    assert f"`{loaded.jwt_roles_claim}`" in roles
    assert re.findall(r"`(\w+)`", scopes)[0] in loaded.jwt_scope_claims


@pytest.mark.parametrize("provider", CLAIMS)
async def test_owner_scopes_and_roles_come_from_the_claims_of_the_provider(provider):
    async with issuing_as(provider) as (_, authenticator, _):
        claims = token(provider)
        viewer = await authenticator.viewer(signed_by(provider, claims))
        assert viewer == Viewer(OWNERS[provider], viewer.scopes, ("lead",), float(claims["exp"]))
        assert viewer.scopes & BOTH == BOTH
        stranger = {claim: f"{value}-2" for claim, value in claims.items() if value == OWNERS[provider]}
        other = await authenticator.viewer(signed_by(provider, claims | stranger))
        assert other.subject == f"{OWNERS[provider]}-2"


@pytest.mark.parametrize("provider", CLAIMS)
async def test_a_token_for_reading_does_not_write(provider):
    async with issuing_as(provider) as (_, authenticator, _):
        viewer = await authenticator.viewer(signed_by(provider, token(provider, **READ_ONLY[provider])))
        assert viewer.scopes & BOTH == {"chat:read"}


@pytest.mark.parametrize("provider", CLAIMS)
async def test_a_token_of_another_tenant_is_refused(provider):
    async with issuing_as(provider) as (_, authenticator, _):
        elsewhere = token(provider, iss=CLAIMS[provider]["iss"] + "x")
        assert await refused(signed_by(provider, elsewhere), authenticator) == "The token is from another issuer."


@pytest.mark.parametrize(
    ("provider", "changes", "reason"),
    [
        ("Auth0", {"aud": "https://mail.example.com"}, "The token is for another audience."),
        (
            "Auth0",
            {"https://example.com/roles": {}},
            "The token's claim https://example.com/roles is not a list of roles.",
        ),
        ("Entra", {"aud": "00000003-0000-0000-c000-000000000000"}, "The token is for another audience."),
        ("Entra", {"oid": ...}, "The token lacks the claim oid."),  # requested without the scope `profile`
        ("Okta", {"uid": ..., "sub": "nmdP1fcyvdVO11AL7ECm"}, "The token lacks the claim uid."),  # of no user
        ("Okta", {"scp": {"chat:read": True}}, "The token's claim scp is not a list of scopes."),
        ("Keycloak", {"aud": "account"}, "The token is for another audience."),  # no mapper for the audience
        (
            "Keycloak",
            {"realm_access": ["lead"]},
            "The token's claim realm_access.roles lies in something that is not an object.",
        ),
        ("Cognito", {"token_use": "id", "aud": "57cbishk4j24pabc1234567890"}, "The token is for another audience."),
        ("Cognito", {"client_id": "another"}, "The token was issued to another client."),
        ("Firebase", {"aud": "another-project"}, "The token is for another audience."),
        ("Supabase", {"sub": ..., "role": "anon"}, "The token lacks the claim sub."),  # a key of the project
        ("Supabase", {"aud": "anon"}, "The token is for another audience."),
        ("Clerk", {"azp": "https://evil.example.com"}, "The token was issued to another client."),
        ("Clerk", {"azp": ...}, "The token was issued to another client."),
    ],
)
async def test_other_tokens_of_the_provider_are_refused(provider, changes, reason):
    async with issuing_as(provider) as (_, authenticator, _):
        assert await refused(signed_by(provider, token(provider, **changes)), authenticator) == reason


async def test_a_token_of_an_application_without_scopes_has_none():
    """Entra issues one to every application of the tenant, with or without roles."""
    async with issuing_as("Entra") as (_, authenticator, _):
        viewer = await authenticator.viewer(signed_by("Entra", token("Entra", scp=..., roles=...)))
        assert (viewer.scopes, viewer.roles) == (frozenset(), ())


@pytest.mark.parametrize("provider", CLAIMS)
@given(scopes=st.lists(st.sampled_from([*BOTH, "openid", "chat:admin"]), unique=True), as_list=st.booleans())
async def test_no_shape_of_the_scopes_grants_more_than_it_names(provider, scopes, as_list):
    prefix = TABLE[provider][0].get("JWT_SCOPE_PREFIXES", "")
    words = [prefix + scope for scope in scopes]
    [name] = READ_ONLY[provider]
    async with issuing_as(provider) as (_, authenticator, _):
        provided = token(provider, **{name: words if as_list else " ".join(words)})
        assert (await authenticator.viewer(signed_by(provider, provided))).scopes == set(scopes)
