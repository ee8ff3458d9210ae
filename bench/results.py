"""The figures of a run: kept as JSON, summed up as medians."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from bench.load import Round
from bench.memory import Memory
from bench.open_loop import OpenLoop
from bench.workloads import DESCRIPTIONS

Rounds = dict[str, dict[str, list[Round]]]
"""By workload, then by server."""


@dataclass
class Results:
    """The rounds, when and how each workload was measured, the open loop, the memory."""

    rounds: Rounds
    facts: dict[str, str]
    open_loop: OpenLoop | None
    memory: Memory | None

    @classmethod
    def read(cls, file: Path) -> "Results":
        """Reads what `write` has written."""
        kept: dict[str, Any] = json.loads(file.read_text())
        rounds = {
            workload: {name: [Round(**one) for one in kept_rounds] for name, kept_rounds in by_server.items()}
            for workload, by_server in kept["rounds"].items()
        }
        open_loop = OpenLoop(**kept["open_loop"]) if kept["open_loop"] else None
        return cls(rounds, kept["facts"], open_loop, Memory(**kept["memory"]) if kept["memory"] else None)

    def merged_into(self, earlier: "Results") -> "Results":
        """These results, and an earlier run's for the workloads that this run lacks."""
        found = earlier.rounds | self.rounds
        rounds = {name: found[name] for name in DESCRIPTIONS if name in found}
        open_loop, memory = self.open_loop or earlier.open_loop, self.memory or earlier.memory
        return Results(rounds, earlier.facts | self.facts, open_loop, memory)

    def write(self, file: Path) -> None:
        """Writes every round as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")


def medians(rounds: list[Round]) -> dict[str, float]:
    """The median of each figure; `sum` is that of server and PostgreSQL together, `least` the best `cpu`."""
    found = {field.name: median(getattr(one, field.name) for one in rounds) for field in fields(Round)}
    return found | {"sum": median(one.cpu + one.pg for one in rounds), "least": min(one.cpu for one in rounds)}
