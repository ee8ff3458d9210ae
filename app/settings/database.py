"""The settings of the database: see `Settings`."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel

from app.settings.fields import Names, setting, whole_number
from app.settings.postgres_url import postgres_url
from app.settings.values import role_name, valid_redis_url

PostgresUrl = Annotated[str, AfterValidator(postgres_url)]
PostgresUrls = Annotated[Names, AfterValidator(lambda urls: tuple(map(postgres_url, urls)))]


class Database(BaseModel):
    """PostgreSQL, the memory for its rows, and Redis."""

    database_url: PostgresUrl | None = setting(
        None,
        "PostgreSQL 15 or newer, with `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, several hosts and "
        "`target_session_attrs` as in libpq; unset: an embedded PostgreSQL runs in DATA_DIR.",
        "a URL",
        repr=False,
    )
    database_direct_url: PostgresUrl | None = setting(
        None,
        "The same database without a transaction pooler in between, for LISTEN and migrations.",
        "a URL",
        repr=False,
    )
    database_replica_urls: PostgresUrls = setting(
        (),
        "Standbys of the same database for reads, separated by commas, a URL of one host each; see docs/scale.md.",
        "URLs, separated by commas",
        repr=False,
    )
    database_role: Annotated[str, AfterValidator(role_name)] | None = setting(
        None,
        "Role of the server's statements, so that row-level security applies; `colloquy migrate` creates it.",
        "a name of lower-case letters, digits and _",
    )
    pool_size: int = whole_number(
        10, "Database connections of this process; all replicas together stay below max_connections.", high=1000
    )
    statement_cache: int = whole_number(
        512, "Prepared statements per connection; 0 behind PgBouncer older than 1.21.", low=0, high=10_000
    )
    session_cache_bytes: int = whole_number(
        2**26, "Memory for rows of sessions that are unchanged since they were read; 0: none.", low=0, high=2**40
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
