"""What the faults of one experiment act on."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from chaos.counts import Counts
from chaos.load import Load, Probe
from harness.postgres import PostgresServer
from harness.redis_server import RedisServer
from harness.replication import Replication
from harness.server_process import ServerProcess


@dataclass
class Context:
    """One experiment's processes, load and counts; `state` is what its faults keep from one to the next."""

    postgres: PostgresServer
    database: str
    servers: list[ServerProcess]
    redis: RedisServer | None
    replication: Replication | None
    random: Random
    load: Load
    probe: Probe
    counts: Counts
    quick: bool
    directory: Path
    state: dict[str, Any] = field(default_factory=dict)
