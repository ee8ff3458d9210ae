"""A run in two tables, for the terminal and docs/benchmark.md: the medians of every server, and the goals."""

import re

from bench.results import Results, Rounds, medians
from bench.workloads import COMPARED, WORKLOADS

COLD, WARM, MIXED = ("W1-cold", "W2-cold"), ("W1-warm", "W2-warm"), ("W1-turn", "W1-mixed", "W2-mixed")
# Figure, the compared server, the highest ratio of Colloquy to it, and on which workloads.
GOALS = (
    ("cpu", "rest", 1.15, COLD),
    ("cpu", "postgraphile", 0.45, COLD),
    ("cpu", "yoga-jit", 0.65, COLD),
    ("cpu", "stock", 0.1, COLD),
    ("sum", "rest", 1.1, COLD),
    ("sum", "postgraphile", 0.55, COLD),
    ("cpu", "rest", 0.8, WARM),
    ("sum", "rest", 0.6, WARM),
    ("sum", "raw", 0.8, WARM),
    ("cpu", "rest", 1.0, MIXED),
    ("sum", "rest", 0.85, MIXED),
    ("cpu", "rest", 1.0, ("W3",)),
    ("cpu", "postgraphile", 1.0, ("W3",)),
    ("cpu", "yoga-jit", 1.0, ("W3",)),
    ("sum", "rest", 0.85, ("W3",)),
)
BEGIN, END = "<!-- written by make bench -->", "<!-- end -->"


def tables(results: Results) -> str:
    """Both tables, and when each workload was measured."""
    workloads = [name for name in sorted(WORKLOADS, key=lambda name: name not in COMPARED) if name in results.rounds]
    facts: dict[str, list[str]] = {}
    for name in workloads:
        facts.setdefault(results.facts[name], []).append(name)
    measured = [f"- {', '.join(names)}: {fact}" for fact, names in facts.items()]
    return "\n".join([figures(results.rounds, workloads), goals(results.rounds), *measured, ""])


def figures(rounds: Rounds, workloads: list[str]) -> str:
    """CPU in milliseconds per request, server + PostgreSQL: a row per server, a column per workload."""
    found = {name: {server: medians(one) for server, one in rounds[name].items()} for name in workloads}
    first = found[workloads[0]]
    lines = [f"| server | {' | '.join(workloads)} |", "|---" * (len(workloads) + 1) + "|"]
    for server in sorted(first, key=lambda name: first[name]["cpu"]):
        cells = [_cell(found[name].get(server)) for name in workloads]
        lines.append(f"| {server} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(one: dict[str, float] | None) -> str:
    return f"{one['cpu']:.2f} + {one['pg']:.2f}" if one else ""


def goals(rounds: Rounds) -> str:
    """Of the measured goals, which are reached."""
    lines = ["| goal | found | |", "|---|---|---|"]
    for figure, other, maximum, workloads in GOALS:
        for workload in workloads:
            servers = rounds.get(workload, {})
            if "colloquy" in servers and other in servers:
                ratio = medians(servers["colloquy"])[figure] / medians(servers[other])[figure]
                what = "server and database" if figure == "sum" else "server"
                verdict = "reached" if ratio <= maximum else "**not reached**"
                lines.append(f"| {workload}: {what} ≤ {maximum} × {other} | {ratio:.2f} | {verdict} |")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def renewed(page: str, results: Results) -> str:
    """The page with these tables between its two marks."""
    between = re.compile(f"(?<={re.escape(BEGIN)}\n).*(?=\n{re.escape(END)})", re.DOTALL)
    return between.sub(lambda _: "\n" + tables(results), page, count=1)
