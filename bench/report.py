"""What a run has found, in Markdown: medians over the rounds, and their ratios."""

import os
import platform
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

from bench.load import Round

Rounds = dict[str, dict[str, list[Round]]]
"""By workload, then by server."""

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


def machine() -> str:
    """On what this ran; the load says how much else did."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "?")
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}; load average {load}."


def markdown(found: Rounds, facts: dict[str, str], opened: dict[str, Any]) -> str:
    """The whole report."""
    parts = ["# Side by side\n", "".join(f"- {name}: {value}\n" for name, value in facts.items())]
    if reached := goals(found):
        parts.append("## Goals\n\n" + reached)
    parts.append(
        "## Figures\n\nCPU is user and system time of the server's processes per request, medians over the rounds;"
        " the least round beside it shows how noisy the machine was.\n"
    )
    parts += [table(workload, servers) for workload, servers in found.items() if "colloquy" in servers]
    for name, one in opened.items():
        parts.append(
            f"### Open loop: {name} asked for W1 {one.rate:g} times a second, {one.seconds:g} s\n\n"
            f"p50 {one.p50:.1f} ms, p95 {one.p95:.1f} ms, p99 {one.p99:.1f} ms from the intended times; "
            f"{one.wrong} of {one.requests} wrong ({one.wrong / one.requests:.2%}). "
            f"The bar is p95 < 500 ms and fewer than 0.1 % wrong: "
            f"{'reached' if one.p95 < 500 and one.wrong < one.requests / 1000 else '**not reached**'}.\n"
        )
    return "\n".join(parts)


def raw(found: Rounds) -> dict[str, Any]:
    """Every round, for whoever wants to count again."""
    return {
        workload: {name: [asdict(one) for one in rounds] for name, rounds in servers.items()}
        for workload, servers in found.items()
    }
