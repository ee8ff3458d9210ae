"""What an experiment may break, and who is there."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from chaos.counts import Counts
from chaos.load import Load, Probe
from chaos.places import Postgres, Redis, Server


@dataclass
class Arena:
    """One experiment's processes and people; `keeps` is what its faults remember from one to the next."""

    postgres: Postgres
    database: str
    servers: list[Server]
    redis: Redis | None
    random: Random
    load: Load
    probe: Probe
    counts: Counts
    quick: bool
    keeps: dict[str, Any] = field(default_factory=dict)
