"""The settings of the access: see `Settings`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator

from app.settings.fields import Names, development_only, setting
from app.settings.values import absolute_path, claim, claims, origins, scope_prefixes, strong_secret, to_lower, web_url


class Access(BaseModel):
    """The tokens, origins and documents that the server accepts."""

    jwt_secret: Annotated[str, AfterValidator(strong_secret)] | None = setting(
        None,
        "Secret that verifies HS256 tokens, at least 32 bytes; in development one is generated in DATA_DIR.",
        "at least 32 random bytes",
        repr=False,
    )
    jwt_secret_previous: Annotated[str, AfterValidator(strong_secret)] | None = setting(
        None,
        "The secret before JWT_SECRET, while it is rotated: its tokens are accepted, none are signed with it.",
        "the secret before JWT_SECRET",
        repr=False,
    )
    jwks_url: Annotated[str, AfterValidator(web_url)] | None = setting(
        None, "Address of the identity provider's keys (RS256, ES256, EdDSA), instead of JWT_SECRET.", "an https URL"
    )
    jwt_issuer: str | None = setting(None, "The only accepted `iss`; unset: any issuer, or none.", "a name")
    jwt_audience: str | None = setting(
        None, "Audience that `aud` must contain; unset: a token with an `aud` is refused.", "a name"
    )
    jwt_clients: Names = setting(
        (),
        "Clients whose tokens are accepted, separated by commas: `azp`, `client_id` or `cid`; unset: of any client.",
        "names",
    )
    jwt_owner_claim: Annotated[str, AfterValidator(claim)] = setting(
        "sub", "Claim with the owner. A change makes every user a new owner.", "the name of a claim"
    )
    jwt_scope_claims: Annotated[Names, AfterValidator(claims)] = setting(
        ("scope", "scp"),
        "Claims with the scopes, separated by commas; of several in one token, what all of them contain. A dot leads "
        "into an object: `realm_access.roles`.",
        "names of claims",
    )
    jwt_scope_prefixes: Annotated[Names, AfterValidator(scope_prefixes)] = setting(
        (),
        "Prefixes that the scopes may have, separated by commas: `api://app-id/` makes `api://app-id/chat:read` "
        "`chat:read`.",
        "prefixes",
    )
    jwt_scope_required: bool = setting(
        False, "`true`: a token without a claim for scopes has none; `false`: it has both.", "true or false"
    )
    jwt_roles_claim: Annotated[str, AfterValidator(claim)] = setting(
        "roles", "Claim with the roles: a list, or one role as text.", "the name of a claim"
    )
    cors_origins: Annotated[Names, AfterValidator(origins)] = setting(
        (),
        "Web origins that may call from a browser, separated by commas: `https://app.example.com`, "
        "`https://*.example.com`, `capacitor://localhost`; `*`: any.",
        "origins",
    )
    trusted_documents: Annotated[Path, AfterValidator(absolute_path)] | None = setting(
        None,
        "Manifest of the GraphQL documents that clients name by id, or a directory of them: of graphql-codegen, Apollo "
        "or Relay.",
        "a file or a directory",
    )
    trusted_documents_mode: Annotated[Literal["prefer", "only"], BeforeValidator(to_lower)] = setting(
        "prefer", "`prefer`: other documents are accepted too; `only`: no others.", "prefer or only"
    )
    graphiql: bool = development_only("Serve GraphiQL at `/graphql`.")
    introspection: bool = development_only("Answer introspection queries.")
