"""The settings of the conversations: see `Settings`."""

from pydantic import BaseModel

from app.settings.fields import Names, setting, whole_number


class Conversations(BaseModel):
    """Sessions, messages and their search."""

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
