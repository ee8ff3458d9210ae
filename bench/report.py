"""The results of a run in Markdown: medians over the rounds, and their ratios."""

from bench.answers import SAMPLES
from bench.load import CONNECTIONS, Round
from bench.memory import Memory
from bench.open_loop import OpenLoop
from bench.results import Results, medians
from bench.servers import POOL
from bench.summary import goals
from bench.workloads import DESCRIPTIONS
from harness.machine import machine


def table(workload: str, servers: dict[str, list[Round]]) -> str:
    """One line per server of a workload."""
    found = {name: medians(rounds) for name, rounds in servers.items()}
    ours = found["colloquy"]
    lines = [
        f"### {workload}: {DESCRIPTIONS[workload]}",
        "",
        "| server | CPU ms | least | PostgreSQL ms | together | req/s | p50 ms | p95 ms | p99 ms | RSS MiB |"
        " Colloquy's CPU is | together |",
        "|" + "---|" * 12,
    ]
    for name, one in sorted(found.items(), key=lambda item: item[1]["cpu"]):
        cells = [
            f"{one['cpu']:.3f}",
            f"{one['least']:.3f}",
            f"{one['pg']:.3f}",
            f"{one['sum']:.3f}",
            f"{one['rate']:.0f}",
        ]
        cells += [f"{one[p]:.1f}" for p in ("p50", "p95", "p99")] + [f"{one['rss']:.0f}"]
        cells += [f"{ours[figure] / one[figure]:.2f} ×" if name != "colloquy" else "" for figure in ("cpu", "sum")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def open_loop(one: OpenLoop) -> str:
    """The open loop and its goal."""
    reached = one.p95 < 500 and one.wrong < one.requests / 1000
    return (
        f"### Open loop: W1 {one.rate:g} times a second, {one.seconds:g} s\n\n"
        f"p50 {one.p50:.1f} ms, p95 {one.p95:.1f} ms, p99 {one.p99:.1f} ms from the intended times; "
        f"{one.wrong} of {one.requests} wrong ({one.wrong / one.requests:.2%}). "
        f"The goal is p95 < 500 ms and fewer than 0.1 % wrong: {'reached' if reached else '**not reached**'}.\n"
    )


def memory(one: Memory) -> str:
    """The memory and its goal."""
    low, high = min(rss for _, rss in one.samples), max(rss for _, rss in one.samples)
    return (
        f"### Memory: {one.requests:,} requests of W1\n\n"
        f"{low:.1f} to {high:.1f} MiB, {one.growth:+.1%} since the caches were full. "
        f"The goal is ± 5 %: {'reached' if one.flat else '**not reached**'}.\n"
    )


def markdown(results: Results) -> str:
    """The whole report."""
    facts = {
        "Machine": machine(),
        "Load": f"wrk, {CONNECTIONS} connections; {POOL} database connections each; server on one core, PostgreSQL and"
        " load on another",
        "Answers": f"equal data from all servers, compared for {SAMPLES} sessions each; no errors in any",
        **results.facts,
    }
    parts = ["# Colloquy and other servers\n", "".join(f"- {name}: {value}\n" for name, value in facts.items())]
    if reached := goals(results.rounds):
        parts.append("## Goals\n\n" + reached)
    parts.append(
        "## Figures\n\nCPU is user and system time of the server's processes per request, medians over the rounds;"
        " the least round beside it shows how noisy the machine was.\n"
    )
    parts += [table(workload, by_server) for workload, by_server in results.rounds.items()]
    parts += [open_loop(results.open_loop)] if results.open_loop else []
    parts += [memory(results.memory)] if results.memory else []
    return "\n".join(parts)
