"""What a run has found, in Markdown: medians over the rounds, and their ratios."""

import json
import os
import platform
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from bench.answers import SAMPLES
from bench.load import CONNECTIONS, Round
from bench.memory import Memory
from bench.openloop import OpenLoop
from bench.servers import POOL

Rounds = dict[str, dict[str, list[Round]]]
"""By workload, then by server."""


@dataclass
class Found:
    """All that is known: the rounds, when each workload was measured, the open loop, the memory."""

    rounds: Rounds
    facts: dict[str, str]
    opened: OpenLoop | None
    memory: Memory | None

    @classmethod
    def read(cls, file: Path) -> "Found":
        """What an earlier run has kept."""
        kept: dict[str, Any] = json.loads(file.read_text())
        rounds = {
            workload: {name: [Round(**one) for one in each] for name, each in by_server.items()}
            for workload, by_server in kept["rounds"].items()
        }
        opened, memory = kept["opened"], kept["memory"]
        return cls(rounds, kept["facts"], OpenLoop(**opened) if opened else None, Memory(**memory) if memory else None)

    def beside(self, earlier: "Found") -> "Found":
        """With what is only in an earlier one."""
        rounds = {name: (earlier.rounds | self.rounds)[name] for name in sorted(earlier.rounds | self.rounds)}
        return Found(rounds, earlier.facts | self.facts, self.opened or earlier.opened, self.memory or earlier.memory)


WHAT = {
    "W1": "one session with its newest 50 messages and their agents",
    "W2": "the newest 20 sessions, each with its last message and that message's agent",
    "W3": "append one message",
    "W4": "one session's newest 100 messages with every field",
    "W5": "one message by its id, with its session",
    "W6 page 1": "the first 100 of 1,000,000 messages",
    "W6 page 10,000": "the last 100 of 1,000,000 messages",
}
# Design §9: server, of what, at most, on which workloads.
GOALS = (
    ("cpu", "postgraphile", 0.45, ("W1", "W2")),
    ("cpu", "yoga-jit", 0.65, ("W1", "W2")),
    ("cpu", "rest", 1.15, ("W1", "W2")),
    ("cpu", "postgraphile", 1.0, ("W3",)),
    ("cpu", "yoga-jit", 1.0, ("W3",)),
    ("cpu", "rest", 1.0, ("W3",)),
    ("sum", "postgraphile", 0.55, ("W1", "W2", "W3")),
    ("cpu", "stock", 0.1, ("W1",)),
)


def middle(rounds: list[Round]) -> dict[str, float]:
    """The median of each figure; `sum` is that of server and PostgreSQL together, `least` the best `cpu`."""
    found = {field.name: median(getattr(one, field.name) for one in rounds) for field in fields(Round)}
    return found | {"sum": median(one.cpu + one.pg for one in rounds), "least": min(one.cpu for one in rounds)}


def table(workload: str, servers: dict[str, list[Round]]) -> str:
    """One workload's servers, a line each."""
    found = {name: middle(rounds) for name, rounds in servers.items()}
    ours = found["colloquy"]
    lines = [
        f"### {workload}: {WHAT[workload]}",
        "",
        "| server | CPU ms | least | PostgreSQL ms | together | req/s | p50 ms | p95 ms | p99 ms | RSS MiB |"
        " Colloquy's CPU is | together |",
        "|" + "---|" * 12,
    ]
    for name, one in sorted(found.items(), key=lambda item: item[1]["cpu"]):
        shown = [
            f"{one['cpu']:.3f}",
            f"{one['least']:.3f}",
            f"{one['pg']:.3f}",
            f"{one['sum']:.3f}",
            f"{one['rate']:.0f}",
        ]
        shown += [f"{one[p]:.1f}" for p in ("p50", "p95", "p99")] + [f"{one['rss']:.0f}"]
        shown += [f"{ours[figure] / one[figure]:.2f} ×" if name != "colloquy" else "" for figure in ("cpu", "sum")]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def goals(found: Rounds) -> str:
    """Which goals are reached, of those that were measured."""
    lines = ["| goal | workload | found | |", "|---|---|---|---|"]
    for figure, of, most, workloads in GOALS:
        for workload in workloads:
            servers = found.get(workload, {})
            if "colloquy" in servers and of in servers:
                ratio = middle(servers["colloquy"])[figure] / middle(servers[of])[figure]
                what = "server and database" if figure == "sum" else "server"
                verdict = "reached" if ratio <= most else "**not reached**"
                lines.append(f"| {what} ≤ {most} × {of} | {workload} | {ratio:.2f} | {verdict} |")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def load_average() -> str:
    """How much else the machine does."""
    return f"{os.getloadavg()[0]:.1f}"


def machine() -> str:
    """On what this ran."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "?")
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}"


def opened(one: OpenLoop) -> str:
    """The open loop and its bar."""
    reached = one.p95 < 500 and one.wrong < one.requests / 1000
    return (
        f"### Open loop: W1 {one.rate:g} times a second, {one.seconds:g} s\n\n"
        f"p50 {one.p50:.1f} ms, p95 {one.p95:.1f} ms, p99 {one.p99:.1f} ms from the intended times; "
        f"{one.wrong} of {one.requests} wrong ({one.wrong / one.requests:.2%}). "
        f"The bar is p95 < 500 ms and fewer than 0.1 % wrong: {'reached' if reached else '**not reached**'}.\n"
    )


def remembered(one: Memory) -> str:
    """The memory and its bar."""
    low, high = min(rss for _, rss in one.samples), max(rss for _, rss in one.samples)
    return (
        f"### Memory: {one.requests:,} requests of W1\n\n"
        f"{low:.1f} to {high:.1f} MiB, {one.growth:+.1%} since the caches were full. "
        f"The bar is ± 5 %: {'reached' if one.flat else '**not reached**'}.\n"
    )


def markdown(found: Found) -> str:
    """The whole report."""
    facts = {
        "Machine": machine(),
        "Load": f"wrk, {CONNECTIONS} connections; {POOL} database connections each; server on one core, PostgreSQL and"
        " load on another",
        "Answers": f"equal data from all servers, compared for {SAMPLES} sessions each; no errors in any",
        **found.facts,
    }
    parts = ["# Side by side\n", "".join(f"- {name}: {value}\n" for name, value in facts.items())]
    if reached := goals(found.rounds):
        parts.append("## Goals\n\n" + reached)
    parts.append(
        "## Figures\n\nCPU is user and system time of the server's processes per request, medians over the rounds;"
        " the least round beside it shows how noisy the machine was.\n"
    )
    parts += [table(workload, by_server) for workload, by_server in found.rounds.items()]
    parts += [opened(found.opened)] if found.opened else []
    parts += [remembered(found.memory)] if found.memory else []
    return "\n".join(parts)


def keep(found: Found, directory: Path, *, add: bool) -> None:
    """Prints the report and writes it, every round and a picture; `add`: beside what is there of other workloads."""
    from bench.plot import plot

    directory.mkdir(exist_ok=True)
    numbers = directory / "latest.json"
    if add and numbers.exists():
        found = found.beside(Found.read(numbers))
    text = markdown(found)
    print(text)
    (directory / "latest.md").write_text(text)
    numbers.write_text(json.dumps(asdict(found), indent=1) + "\n")
    plot(found.rounds, directory / "latest.png")
