"""Every setting, read once from the environment or a `.env` file: the only reader of either.

`Settings.load()` reads and checks everything and names every problem at once. `Settings(...)` takes what
it is given and reads nothing, which is what tests want.
"""

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

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

ACQUIRE_TIMEOUT_SECONDS = 10  # the longest wait for a database connection
MIN_SECRET_BYTES = 32  # RFC 7518 §3.2: an HS256 key is at least as long as its hash
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SettingsError(Exception):
    """All that is wrong, one `NAME: what is wrong; what would be right` per line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def setting(default: Any, says: str, right: str, *, shown: str | None = None, **rules: Any) -> Any:
    """A field: `right` completes "give …" in an error, `shown` stands for a default that is computed."""
    kind = {"default_factory": default} if callable(default) else {"default": default}
    return Field(**kind, description=says, json_schema_extra={"right": right, "shown": shown}, **rules)


def number(default: int, says: str, *, low: int = 1, high: int) -> Any:
    return setting(default, says, f"a whole number from {low} to {high}", ge=low, le=high)


def in_development(valid: dict[str, Any]) -> bool:
    return bool(valid["environment"] == "development")


def in_development_only(says: str) -> Any:
    return setting(in_development, says, "true or false", shown="true in development, false in production")


def data_dir() -> Path:
    """Root's data does not lie below its home, which the database's own user cannot enter."""
    return Path("/var/lib/colloquy" if os.geteuid() == 0 else user_data_dir("colloquy"))


def lowered(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def split(value: Any) -> Any:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def respelled(url: str, scheme: str, **names: str) -> str:
    """The URL under another scheme, its parameters renamed."""
    parts = urlsplit(url)
    query = urlencode({names.get(key, key): value for key, value in parse_qsl(parts.query)}, safe="/")
    # Written out by hand: urlunsplit would drop the two slashes of an empty authority.
    return f"{scheme}://{parts.netloc}{urlunsplit(('', '', parts.path, query, ''))}"


def postgres_url(url: str) -> str:
    """Any usual spelling of a PostgreSQL URL as SQLAlchemy's asyncpg dialect wants it."""
    right = "give postgresql://user:password@host:5432/database"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018
    except ValueError:
        raise ValueError(f"it is not a URL; {right}") from None
    if parts.scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError(f"it is not a PostgreSQL URL; {right}")
    parameters = dict(parse_qsl(parts.query))
    if unknown := sorted(parameters.keys() - {"sslmode", "ssl", "host", "port"}):
        raise ValueError(f"it has parameters not known here, {', '.join(unknown)}; leave all but sslmode away")
    if not parts.hostname and "host" not in parameters:
        raise ValueError(f"it names no host; {right}")
    if len(parts.path) < 2:
        raise ValueError(f"it names no database; {right}")
    return respelled(url, "postgresql+asyncpg", sslmode="ssl")


def redis_address(url: str) -> str:
    """A URL as redis-py reads it."""
    right = "give redis://host:6379, rediss:// for TLS, or unix:///path"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018
    except ValueError:
        raise ValueError(f"it is not a URL; {right}") from None
    if parts.scheme not in {"redis", "rediss", "unix"} or not (
        parts.path if parts.scheme == "unix" else parts.hostname
    ):
        raise ValueError(f"it is not a Redis URL; {right}")
    return url


def driver_dsn(url: str) -> str:
    """A URL of ours as asyncpg itself reads it, for the connection that listens outside of the pool."""
    return respelled(url, "postgresql", ssl="sslmode")


def web_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not a web address; give https://issuer/.well-known/jwks.json")
    return url


def origins(given: tuple[str, ...]) -> tuple[str, ...]:
    for origin in given:
        if origin != "*" and not re.fullmatch(r"https?://[^/?#\s]+", origin):
            raise ValueError(f"{origin!r} is not an origin; give * or https://host[:port], separated by commas")
    return given


def strong(secret: str) -> str:
    try:
        size = len(secret.encode())
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8; give text, such as 64 hexadecimal digits") from None
    if size < MIN_SECRET_BYTES:
        raise ValueError(f"it has {size} bytes; give at least {MIN_SECRET_BYTES} (openssl rand -hex 32)")
    return secret


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
PostgresUrl = Annotated[str, AfterValidator(postgres_url)]


class Settings(BaseSettings):
    """One process's settings; a field's name in capitals is its variable's name."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    environment: Annotated[Literal["development", "production"], BeforeValidator(lowered)] = setting(
        "development",
        "development or production, which refuses what is only good enough for one's own machine.",
        "development or production",
    )
    host: str = setting("127.0.0.1", "Address to listen on; 0.0.0.0 in a container.", "an address")
    port: int = number(8000, "Port to listen on; 0 takes any free one.", low=0, high=65535)
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lowered)] = setting(
        "info", "Log debug, info, warning or error and what is worse.", "debug, info, warning or error"
    )
    log_format: Annotated[Literal["json", "console"], BeforeValidator(lowered)] = setting(
        lambda valid: "console" if in_development(valid) else "json",
        "One JSON object a line, or coloured text for people.",
        "json or console",
        shown="console in development, json in production",
    )
    data_dir: Annotated[Path, AfterValidator(absolute)] = setting(
        data_dir,
        "Where the embedded database and the generated secret lie.",
        "a directory",
        shown="the platform's data directory; /var/lib/colloquy as root",
    )
    database_url: PostgresUrl | None = setting(
        None, "PostgreSQL 15 or newer; without it an embedded one runs in DATA_DIR.", "a URL", repr=False
    )
    database_direct_url: PostgresUrl | None = setting(
        None, "The same database past a transaction pooler, for LISTEN and migrations.", "a URL", repr=False
    )
    pool_size: int = number(
        10, "Database connections; those of all replicas stay below max_connections (100).", high=1000
    )
    statement_cache: int = number(
        512, "Prepared statements per connection; 0 behind PgBouncer before 1.21.", low=0, high=10_000
    )
    slow_statement_seconds: float = setting(
        1.0, "A database statement that takes this long is logged and counted.", "a number above 0", gt=0, le=3600
    )
    redis_url: Annotated[str, AfterValidator(redis_address)] | None = setting(
        None, "Carries wake-ups between replicas; without it PostgreSQL does.", "a URL", repr=False
    )
    jwt_secret: Annotated[str, AfterValidator(strong)] | None = setting(
        None,
        "Verifies HS256 tokens, 32 bytes or more; in development one is generated and kept in DATA_DIR.",
        "at least 32 random bytes",
        repr=False,
    )
    jwks_url: Annotated[str, AfterValidator(web_url)] | None = setting(
        None, "The identity provider's keys (RS256, ES256, EdDSA), instead of JWT_SECRET.", "an https URL"
    )
    jwt_issuer: str | None = setting(None, "The only `iss` accepted; not given: any or none.", "a name")
    jwt_audience: str | None = setting(
        None, "Must be in a token's `aud`; not given: a token with an `aud` is refused.", "a name"
    )
    cors_origins: Annotated[Words, AfterValidator(origins)] = setting(
        (), "Web origins that browsers may call from, separated by commas; * is any.", "origins"
    )
    graphiql: bool = in_development_only("Serve GraphiQL at /graphql.")
    introspection: bool = in_development_only("Answer questions about the schema itself.")
    max_active_sessions_per_agent_type: int = number(
        5, "Active sessions per user and agent type, the oldest makes room; 0 is no cap.", low=0, high=10**6
    )
    agent_types: Words = setting((), "The agent types that exist, separated by commas; not given: any.", "names")
    session_retention_days: int = number(7, "An idle session expires after this long.", high=36_500)
    session_purge_days: int = number(
        0, "An expired or deleted session is erased after this long; 0 is never.", low=0, high=36_500
    )
    enable_idempotency: bool = setting(
        True, "Accept idempotency keys; false refuses them instead of ignoring them.", "true or false"
    )
    idempotency_ttl_seconds: int = number(86_400, "A key answers with its first result this long.", high=10**8)
    stream_timeout_seconds: int = number(
        300,
        "A streaming message that its producer is silent about for so long is FAILED, with what it has.",
        high=86_400,
    )
    search_config: str = setting(
        "simple",
        "PostgreSQL's text search configuration, for what is written from now on; `simple` knows no language. "
        "Chinese, Japanese and Korean are not cut into words.",
        "a configuration's name, such as simple or english",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
    )
    search_text_limit: int = number(
        16_384, "Characters of a message that are searchable, from its beginning.", high=65_536
    )
    max_raw_bytes: int = number(2**20, "The largest document in `raw`.", low=1024, high=2**26)
    max_body_bytes: int = number(2**23, "The largest HTTP request body.", low=1024, high=2**30)
    max_frame_bytes: int = number(2**18, "The largest socket message; large writes go by HTTP.", low=1024, high=2**26)
    max_tokens: int = number(5_000, "Lexical tokens in a document.", high=10**6)
    max_depth: int = number(20, "Levels of nesting; GraphiQL's own introspection needs 15.", high=200)
    max_fields: int = number(1_000, "Fields in a document, each fragment as often as it is spread.", high=10**6)
    max_aliases: int = number(100, "Aliases in a document, counted like fields.", high=10**6)
    max_directives: int = number(100, "Directives in a document, counted like fields.", high=10**6)
    max_cost: int = number(
        20_000, "Objects that an answer may hold; 100 sessions with 100 messages are 10,100.", high=10**9
    )
    request_timeout_seconds: int = number(30, "A query or mutation is given up after this long.", high=3600)
    shutdown_seconds: int = number(10, "Requests may finish this long after a stop.", low=0, high=3600)
    socket_init_seconds: int = number(10, "A socket silent for this long at first is closed.", high=600)
    max_operations_per_socket: int = number(100, "Operations at the same time on one socket.", high=10**5)
    max_subscribers_per_user: int = number(1_000, "Live subscriptions of one user in one process.", high=10**6)
    max_subscribers: int = number(10_000, "Live subscriptions in one process.", high=10**7)

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
        """How text becomes searchable, as the statements take it."""
        return {"config": self.search_config, "searchable": self.search_text_limit}

    @property
    def database_options(self) -> dict[str, Any]:
        """The pool and the time limits of a process that serves requests, as `Database` takes them."""
        return {
            "pool_size": self.pool_size,
            "statement_cache": self.statement_cache,
            # The request's deadline comes first: it answers TIMEOUT, where a cancelled statement would answer INTERNAL.
            "statement_timeout": 1.5 * self.request_timeout_seconds,
            "acquire_timeout": ACQUIRE_TIMEOUT_SECONDS,
            "slow_statement": self.slow_statement_seconds,
        }

    @property
    def embedded(self) -> bool:
        """Nobody named a database: our own runs in `data_dir`."""
        return self.database_url is None

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> Self:
        """Those of the environment before those of `env_file`; `SettingsError` names every problem."""
        try:
            given = {**DotEnvSettingsSource(cls, env_file=env_file)(), **EnvSettingsSource(cls)()}
        except UnicodeDecodeError:
            raise SettingsError([f"{env_file}: it is not UTF-8; save it as UTF-8"]) from None
        wrong = misfits(given)
        settings = cls(**{name: value for name, value in given.items() if name not in wrong})
        wrong = dict(conflicts(settings)) | wrong
        if not wrong and settings.jwt_secret is None and settings.jwks_url is None:
            try:
                return settings.model_copy(update={"jwt_secret": kept_secret(settings.data_dir)})
            except (OSError, ValueError) as error:
                wrong["data_dir"] = f"no secret can be kept there ({error}); give a directory to write to"
        if wrong:
            raise SettingsError([f"{name.upper()}: {wrong[name]}" for name in cls.model_fields if name in wrong])
        return settings


def misfits(given: dict[str, Any]) -> dict[str, str]:
    """What is wrong with each value by itself, by field; a secret's value is not repeated."""
    try:
        Settings(**given)
    except ValidationError as error:
        found = {str(e["loc"][0]): e for e in error.errors() if e["loc"][0] in given}
        return {name: misfit(name, e) for name, e in found.items()}
    return {}


def misfit(name: str, error: Any) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    shown = repr(error["input"]) if Settings.model_fields[name].repr else "the value"
    return f"{shown} is not accepted; give {notes(name)['right']}"


def conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with the values together."""
    if settings.jwt_secret and settings.jwks_url:
        yield "jwt_secret", "it is set beside JWKS_URL; give one of the two, tokens have one kind of key"
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


def kept_secret(directory: Path) -> str:
    """The secret in `directory`, made by whoever comes first: a link appears whole, and only once."""
    kept = directory / "jwt-secret"
    if not kept.exists():
        directory.mkdir(parents=True, exist_ok=True)
        new = directory / f".jwt-secret.{os.getpid()}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(MIN_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            kept.hardlink_to(new)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    secret = kept.read_text().strip()
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"{kept} has fewer than {MIN_SECRET_BYTES} bytes: delete it")
    return secret


def notes(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], Settings.model_fields[name].json_schema_extra)


def usual(name: str) -> str:
    default = Settings.model_fields[name].default
    if default is None or default == ():
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def example() -> str:
    """The text of `.env.example`: every setting, commented out, with its default."""
    lines = ["# Every setting with its default. Copy to .env and uncomment what you change."]
    for name, field in Settings.model_fields.items():
        shown = notes(name)["shown"]
        lines += ["", f"# {field.description}" + (f" Default: {shown}." if shown else "")]
        lines += [f"#{name.upper()}=" + ("" if shown else usual(name))]
    return "\n".join(lines) + "\n"


def table() -> str:
    """The settings as a Markdown table, for the README."""
    rows = ["| setting | default | unit | what it does |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = notes(name)["shown"] or (f"`{usual(name)}`" if usual(name) else "none")
        unit = name.rpartition("_")[2] if name.endswith(("_seconds", "_days", "_bytes")) else ""
        rows.append(f"| `{name.upper()}` | {default} | {unit} | {field.description} |")
    return "\n".join(rows) + "\n"
