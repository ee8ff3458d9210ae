"""The settings of the access: see `Settings`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator

from app.settings.fields import Names, development_only, setting
from app.settings.values import absolute_path, origins, strong_secret, to_lower, web_url


class Access(BaseModel):
    """Who may call from where, with which documents."""

    jwt_secret: Annotated[str, AfterValidator(strong_secret)] | None = setting(
        None,
        "Secret that verifies HS256 tokens, at least 32 bytes; in development one is generated in DATA_DIR.",
        "at least 32 random bytes",
        repr=False,
    )
    jwks_url: Annotated[str, AfterValidator(web_url)] | None = setting(
        None, "Address of the identity provider's keys (RS256, ES256, EdDSA), instead of JWT_SECRET.", "an https URL"
    )
    jwt_issuer: str | None = setting(None, "The only accepted `iss`; unset: any issuer, or none.", "a name")
    jwt_audience: str | None = setting(
        None, "Audience that `aud` must contain; unset: a token with an `aud` is refused.", "a name"
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
