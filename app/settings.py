"""Every setting, and the only code that reads the environment or a `.env` file.

`Settings.load()` reads and validates all of them and reports every problem at once. `Settings(...)` reads nothing:
for tests.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast
from urllib.parse import urlsplit

from platformdirs import user_data_dir
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.setting_values import (
    MIN_SECRET_BYTES,
    absolute_path,
    networks,
    origins,
    path_prefix,
    postgres_url,
    split_list,
    strong_secret,
    to_lower,
    valid_redis_url,
    web_url,
)

ACQUIRE_TIMEOUT_SECONDS = 10  # the longest wait for a database connection
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SettingsError(Exception):
    """Invalid settings: one line each, `NAME: the problem; what to give instead`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def setting(default: Any, description: str, expected: str, *, default_text: str | None = None, **rules: Any) -> Any:
    """A field. `expected` completes "give …" in an error; `default_text` describes a computed default."""
    kind = {"default_factory": default} if callable(default) else {"default": default}
    return Field(
        **kind, description=description, json_schema_extra={"expected": expected, "default_text": default_text}, **rules
    )


def whole_number(default: int, description: str, *, low: int = 1, high: int) -> Any:
    return setting(default, description, f"a whole number from {low} to {high}", ge=low, le=high)


def is_development(valid: dict[str, Any]) -> bool:
    return bool(valid["environment"] == "development")


def development_only(description: str) -> Any:
    return setting(
        is_development, description, "true or false", default_text="true in development, false in production"
    )


def data_dir() -> Path:
    """The platform's data directory. For root a place that the database's own account can enter: not its home."""
    return Path("/var/lib/colloquy" if os.geteuid() == 0 else user_data_dir("colloquy"))


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]
PostgresUrl = Annotated[str, AfterValidator(postgres_url)]


class Settings(BaseSettings):
    """The settings of one process. A field's name in capitals is the name of its environment variable."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    environment: Annotated[Literal["development", "production"], BeforeValidator(to_lower)] = setting(
        "development",
        "`development` or `production`; production refuses the embedded database and a generated secret.",
        "development or production",
    )
    host: str = setting(
        "127.0.0.1", "Address to listen on; in a container `0.0.0.0`, or `::` for IPv6 and IPv4.", "an address"
    )
    port: int = whole_number(8000, "Port to listen on; 0 selects a free port.", low=0, high=65535)
    root_path: Annotated[str, AfterValidator(path_prefix)] = setting(
        "",
        "Path under which a proxy serves this server, such as `/chat`; needed only if the proxy leaves it in the path.",
        "a path",
    )
    forwarded_allow_ips: Annotated[Names, AfterValidator(networks)] = setting(
        (),
        "Proxies whose `X-Forwarded-Host` and `X-Forwarded-Proto` are used: addresses, networks or `*`.",
        "addresses",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(to_lower)] = setting(
        "info", "Lowest level that is logged: debug, info, warning or error.", "debug, info, warning or error"
    )
    log_format: Annotated[Literal["json", "console"], BeforeValidator(to_lower)] = setting(
        lambda valid: "console" if is_development(valid) else "json",
        "`json`: one object per line; `console`: coloured text.",
        "json or console",
        default_text="console in development, json in production",
    )
    data_dir: Annotated[Path, AfterValidator(absolute_path)] = setting(
        data_dir,
        "Directory of the embedded database and of the generated secret.",
        "a directory",
        default_text="the platform's data directory; /var/lib/colloquy as root",
    )
    database_url: PostgresUrl | None = setting(
        None, "PostgreSQL 15 or newer; unset: an embedded PostgreSQL runs in DATA_DIR.", "a URL", repr=False
    )
    database_direct_url: PostgresUrl | None = setting(
        None,
        "The same database without a transaction pooler in between, for LISTEN and migrations.",
        "a URL",
        repr=False,
    )
    pool_size: int = whole_number(
        10, "Database connections of this process; all replicas together stay below max_connections.", high=1000
    )
    statement_cache: int = whole_number(
        512, "Prepared statements per connection; 0 behind PgBouncer older than 1.21.", low=0, high=10_000
    )
    session_cache_bytes: int = whole_number(
        0, "Memory for rows of sessions that are unchanged since they were read; 0: none.", low=0, high=2**40
    )
    slow_statement_seconds: float = setting(
        1.0,
        "Duration from which a database statement is logged and counted as slow.",
        "a number above 0",
        gt=0,
        le=3600,
    )
    redis_url: Annotated[str, AfterValidator(valid_redis_url)] | None = setting(
        None,
        "Redis that carries wake-ups between replicas; unset: PostgreSQL's NOTIFY carries them.",
        "a URL",
        repr=False,
    )
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
    max_active_sessions_per_agent_type: int = whole_number(
        5,
        "Active sessions per owner and agent type; one more archives the least recently active; 0: no cap.",
        low=0,
        high=10**6,
    )
    agent_types: Names = setting((), "Allowed agent types, separated by commas; unset: any.", "names")
    session_retention_days: int = whole_number(7, "Time without activity after which a session expires.", high=36_500)
    session_purge_days: int = whole_number(
        0, "Time after which an expired or deleted session is erased; 0: never.", low=0, high=36_500
    )
    enable_idempotency: bool = setting(
        True, "Accept idempotency keys; false: refuse a request that has one.", "true or false"
    )
    idempotency_ttl_seconds: int = whole_number(
        86_400, "Time for which an idempotency key returns its first result.", high=10**8
    )
    stream_timeout_seconds: int = whole_number(
        300,
        "Silence of a producer after which its streaming message becomes FAILED; its text stays.",
        high=86_400,
    )
    search_config: str = setting(
        "simple",
        "PostgreSQL text search configuration; `simple` has no language rules. After a change run `colloquy reindex`.",
        "a configuration's name, such as simple or english",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
    )
    search_text_limit: int = whole_number(
        16_384, "Characters of a message that are searchable, counted from its start.", high=65_536
    )
    max_raw_bytes: int = whole_number(2**20, "Largest document in `raw`.", low=1024, high=2**26)
    max_body_bytes: int = whole_number(2**23, "Largest HTTP request body.", low=1024, high=2**30)
    max_frame_bytes: int = whole_number(
        2**18, "Largest WebSocket message; larger writes must use HTTP.", low=1024, high=2**26
    )
    max_document_bytes: int = whole_number(
        2**16, "Largest GraphQL document; it is measured before it is parsed.", low=1024, high=2**24
    )
    max_tokens: int = whole_number(5_000, "Lexical tokens in a GraphQL document.", high=10**6)
    max_depth: int = whole_number(20, "Levels of nesting in a document; GraphiQL's introspection needs 15.", high=200)
    max_fields: int = whole_number(
        1_000, "Fields in a document; a fragment counts as often as it is spread.", high=10**6
    )
    max_aliases: int = whole_number(100, "Aliases in a document, counted as fields are.", high=10**6)
    max_directives: int = whole_number(100, "Directives in a document, counted as fields are.", high=10**6)
    max_cost: int = whole_number(
        20_000,
        "Fields of the largest possible response: what is selected below a page counts once for each of its elements.",
        high=10**9,
    )
    request_timeout_seconds: int = whole_number(30, "Time after which a query or mutation is cancelled.", high=3600)
    shutdown_seconds: int = whole_number(10, "Time that running requests get after a stop signal.", low=0, high=3600)
    socket_init_seconds: int = whole_number(10, "Time in which a new WebSocket must send `connection_init`.", high=600)
    max_operations_per_socket: int = whole_number(100, "Concurrent operations on one WebSocket.", high=10**5)
    max_subscribers_per_user: int = whole_number(1_000, "Live subscriptions of one owner in one process.", high=10**6)
    max_subscribers: int = whole_number(10_000, "Live subscriptions in one process.", high=10**7)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def indexing(self) -> dict[str, Any]:
        """Parameters of the statements that make text searchable."""
        return {"config": self.search_config, "searchable": self.search_text_limit}

    @property
    def database_options(self) -> dict[str, Any]:
        """Parameters of the `Database` of a process that serves requests."""
        return {
            "pool_size": self.pool_size,
            "statement_cache": self.statement_cache,
            # Later than the request deadline, which answers TIMEOUT; a cancelled statement would answer INTERNAL.
            "statement_timeout": 1.5 * self.request_timeout_seconds,
            "acquire_timeout": ACQUIRE_TIMEOUT_SECONDS,
            "slow_statement": self.slow_statement_seconds,
        }

    @property
    def embedded(self) -> bool:
        """True without DATABASE_URL: the embedded database runs in `data_dir`."""
        return self.database_url is None

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> Self:
        """The validated settings; the environment wins over `env_file`. Raises SettingsError with every problem."""
        try:
            provided = {**DotEnvSettingsSource(cls, env_file=env_file)(), **EnvSettingsSource(cls)()}
        except UnicodeDecodeError:
            raise SettingsError([f"{env_file}: it is not UTF-8; save it as UTF-8"]) from None
        problems = invalid_values(provided)
        settings = cls(**{name: value for name, value in provided.items() if name not in problems})
        problems = dict(conflicts(settings)) | problems
        if not problems and settings.jwt_secret is None and settings.jwks_url is None:
            try:
                return settings.model_copy(update={"jwt_secret": stored_secret(settings.data_dir)})
            except (OSError, ValueError) as error:
                problems["data_dir"] = f"no secret can be kept there ({error}); give a directory to write to"
        if problems:
            raise SettingsError([f"{name.upper()}: {problems[name]}" for name in cls.model_fields if name in problems])
        return settings


def invalid_values(provided: dict[str, Any]) -> dict[str, str]:
    """Problems of single values, by field. The value of a secret is not repeated."""
    try:
        Settings(**provided)
    except ValidationError as error:
        found = {str(e["loc"][0]): e for e in error.errors() if e["loc"][0] in provided}
        return {name: describe_invalid(name, e) for name, e in found.items()}
    return {}


def describe_invalid(name: str, error: Any) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    value = repr(error["input"]) if Settings.model_fields[name].repr else "the value"
    return f"{value} is not accepted; give {metadata_of(name)['expected']}"


def conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Problems of values that do not fit together, as (field, problem)."""
    if settings.jwt_secret and settings.jwks_url:
        yield "jwt_secret", "it is set beside JWKS_URL; give one of the two, tokens have one kind of key"
    if settings.trusted_documents_mode == "only" and settings.trusted_documents is None:
        yield "trusted_documents_mode", "only is set without TRUSTED_DOCUMENTS; give both, or prefer"
    if settings.database_direct_url and settings.embedded:
        yield "database_direct_url", "it is set without DATABASE_URL; give both, or neither"
    if not settings.production:
        return
    if settings.embedded:
        yield "database_url", "production does not use the embedded database; give postgresql://…"
    if not settings.jwt_secret and not settings.jwks_url:
        yield "jwt_secret", "production does not generate one; give at least 32 random bytes, or JWKS_URL"
    jwks = urlsplit(settings.jwks_url or "")
    if jwks.scheme == "http" and jwks.hostname not in LOOPBACK:
        yield "jwks_url", "keys that come over plain http can be anybody's; give an https URL"


def stored_secret(directory: Path) -> str:
    """The secret in `directory`, generated by the first process. A hard link appears whole and only once."""
    path = directory / "jwt-secret"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        new = directory / f".jwt-secret.{os.getpid()}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(MIN_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(new)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    secret = path.read_text().strip()
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"{path} has fewer than {MIN_SECRET_BYTES} bytes: delete it")
    return secret


def metadata_of(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], Settings.model_fields[name].json_schema_extra)
