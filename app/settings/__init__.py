"""Every setting, and the only code that reads the environment or a `.env` file.

`Settings.load()` reads and validates all of them and reports every problem at once. `Settings(...)` reads nothing:
for tests.
"""

from collections.abc import Iterator
from errno import EISDIR
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.limits import MAX_TOMBSTONE_DAYS
from app.settings.access import Access
from app.settings.conversations import Conversations
from app.settings.database import Database
from app.settings.limits import Limits
from app.settings.misspelt import misspelt
from app.settings.server import Server
from app.settings.stored_secret import StoredSecret, stored_secret

ACQUIRE_TIMEOUT_SECONDS = 10  # the longest wait for a database connection
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SettingsError(Exception):
    """Invalid settings: one line each, `NAME: the problem; what to give instead`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(Limits, Conversations, Access, Database, Server, BaseSettings):
    """The settings of one process. A field's name in capitals is the name of its environment variable.

    Pydantic collects the fields from the last base to the first; `environment` stands before what depends on it.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

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

    _stored_secret: StoredSecret | None = None

    @property
    def generated_secret(self) -> StoredSecret | None:
        """Where `jwt_secret` is stored, if it was generated; None if JWT_SECRET or JWKS_URL is set."""
        return self._stored_secret

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def indexing(self) -> dict[str, Any]:
        """Parameters of the statements that make text searchable."""
        return {"config": self.search_config, "searchable": self.search_text_limit}

    @property
    def tombstone_days(self) -> int:
        """The time for which `viewerEvents` has every removal: that of the tombstones of live records."""
        return min(self.session_purge_days or MAX_TOMBSTONE_DAYS, MAX_TOMBSTONE_DAYS)

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
            "role": self.database_role,
        }

    @property
    def embedded(self) -> bool:
        """True without DATABASE_URL: the embedded database runs in `data_dir`."""
        return self.database_url is None

    @property
    def directory(self) -> Path:
        """`data_dir`. Raises ValueError if the platform names none."""
        if self.data_dir is None:
            raise ValueError("this account has no home directory")
        return self.data_dir

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> Self:
        """The validated settings; the environment wins over `env_file`. Raises SettingsError with every problem."""
        file, environment = _read(env_file), EnvSettingsSource(cls)
        provided = {**file(), **environment()}
        names = {*file.env_vars, *environment.env_vars}
        unknown = [
            f"{name}: {env_file} has it, and there is no such setting; give {setting}"
            for name, setting in misspelt(names, cls.model_fields)
            if name.lower() in file.env_vars
        ]
        problems = invalid_values(provided)
        settings = cls(**{name: value for name, value in provided.items() if name not in problems})
        problems = dict(conflicts(settings)) | problems
        if not (problems or unknown) and settings.jwt_secret is None and settings.jwks_url is None:
            try:
                return settings._with_stored_secret()
            except (OSError, ValueError) as error:
                problems["data_dir"] = f"it can keep no secret ({error}); give a directory to write to, or JWT_SECRET"
        if problems or unknown:
            known = [f"{name.upper()}: {problems[name]}" for name in cls.model_fields if name in problems]
            raise SettingsError([*known, *unknown])
        return settings

    def _with_stored_secret(self) -> Self:
        stored = stored_secret(self.directory)
        complete = self.model_copy(update={"jwt_secret": stored.secret})
        complete._stored_secret = stored
        return complete


def _read(env_file: Path | None) -> DotEnvSettingsSource:
    """The variables of a file, if it exists. Raises SettingsError for one that cannot be read."""
    try:
        # Pydantic passes over what is not a file. A container has a directory there if the file to mount did not exist.
        if env_file and env_file.is_dir():
            raise IsADirectoryError(EISDIR, "it is a directory")
        return DotEnvSettingsSource(Settings, env_file=env_file)
    except UnicodeDecodeError:
        raise SettingsError([f"{env_file}: it is not UTF-8; save it as UTF-8"]) from None
    except OSError as error:
        raise SettingsError([f"{env_file}: it cannot be read ({error.strerror}); give a file, or remove it"]) from None


def resembling_variables() -> list[str]:
    """The variables of the environment that may be misspelt settings, a line for each."""
    return [
        f"{name}: there is no such setting; {setting} is one"
        for name, setting in misspelt(EnvSettingsSource(Settings).env_vars, Settings.model_fields)
    ]


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
    yield from previous_secret_conflicts(settings)
    if settings.trusted_documents_mode == "only" and settings.trusted_documents is None:
        yield "trusted_documents_mode", "only is set without TRUSTED_DOCUMENTS; give both, or prefer"
    if 0 < settings.budget_cost < settings.max_cost:
        yield "budget_cost", f"an operation may cost {settings.max_cost} (MAX_COST); give at least that, or 0"
    if settings.database_direct_url and settings.embedded:
        yield "database_direct_url", "it is set without DATABASE_URL; give both, or neither"
    if settings.database_replica_urls and settings.embedded:
        yield "database_replica_urls", "it is set without DATABASE_URL; give both, or neither"
    if not settings.production:
        return
    if settings.embedded:
        yield "database_url", "production does not use the embedded database; give postgresql://…"
    if not settings.jwt_secret and not settings.jwks_url:
        yield "jwt_secret", "production does not generate one; give at least 32 random bytes, or JWKS_URL"
    jwks = urlsplit(settings.jwks_url or "")
    if jwks.scheme == "http" and jwks.hostname not in LOOPBACK:
        yield "jwks_url", "keys that come over plain http can be anybody's; give an https URL"


def previous_secret_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    previous = settings.jwt_secret_previous
    if previous and settings.jwks_url:
        yield "jwt_secret_previous", "it is set beside JWKS_URL; leave it away, the issuer publishes its keys"
    elif previous and not settings.jwt_secret:
        yield "jwt_secret_previous", "it is set without JWT_SECRET; give both, or neither"
    elif previous and previous == settings.jwt_secret:
        yield "jwt_secret_previous", "it is the same as JWT_SECRET; give the one before, or none"


def metadata_of(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], Settings.model_fields[name].json_schema_extra)
