"""The cost of live delivery in Markdown, each figure with its goal."""

from dataclasses import dataclass, field

from bench.live.measures import Answer, FanOut, Idle

KIB, CONNECTING_MS, CPU_MS, P99_MS, ANSWER_MS = 20, 0.75, 0.025, 50, 1_000
GOALS = f"""
- a subscriber that only waits: ≤ {KIB} KiB
- a subscriber that connects: ≤ {CONNECTING_MS} ms of server CPU, so 4,000 that reconnect take ≤ 3 s
- an event delivered to one of 500 subscribers of a session: ≤ {CPU_MS} ms of server CPU, p99 ≤ {P99_MS} ms
- an answer in 400 chunks, followed by 10 subscribers: ≤ {ANSWER_MS / 1000:g} s of server CPU in all
"""


@dataclass
class Results:
    """One server's figures."""

    idle: dict[str, Idle] = field(default_factory=dict)
    fan_out: list[FanOut] = field(default_factory=list)
    answer: Answer | None = None


def markdown(results: dict[str, Results], facts: dict[str, str]) -> str:
    """The whole report."""
    parts = ["# The cost of live delivery\n", "".join(f"- {name}: {value}\n" for name, value in facts.items())]
    parts += ["## Goals\n" + GOALS, "## A subscriber that only waits\n\n" + idle(results)]
    parts += ["## One session, many subscribers\n\n" + fan_out(results), "## A streaming answer\n\n" + answers(results)]
    return "\n".join(parts)


def idle(results: dict[str, Results]) -> str:
    lines = ["| server | subscribers | KiB each | RSS MiB with all | CPU ms to connect | |", "|" + "---|" * 6]
    for name, one in results.items():
        for kind, at in one.idle.items():
            good = at.kib <= KIB and at.connecting_ms <= CONNECTING_MS
            cells = f"{at.kib:.1f} | {at.rss_mib:.0f} | {at.connecting_ms:.2f} | {verdict(name, good)}"
            lines.append(f"| {name} | {at.subscribers}, {kind} | {cells} |")
    return "\n".join(lines) + "\n"


def fan_out(results: dict[str, Results]) -> str:
    lines = [
        "| server | subscribers | messages/s | delivered | CPU ms per event | PostgreSQL ms per message | p50 ms |"
        " p99 ms | |",
        "|" + "---|" * 9,
    ]
    for name, one in results.items():
        for at in one.fan_out:
            good = at.cpu_ms <= CPU_MS and at.p99 <= P99_MS and at.delivered == at.expected
            cells = f"{at.delivered} of {at.expected} | {at.cpu_ms:.4f} | {at.pg_ms:.2f} | {at.p50:.1f} | {at.p99:.1f}"
            lines.append(f"| {name} | {at.subscribers} | {at.rate:g} | {cells} | {verdict(name, good)} |")
    return "\n".join(lines) + "\n"


def answers(results: dict[str, Results]) -> str:
    lines = [
        "| server | subscribers | chunks | deltas to each | server CPU ms | PostgreSQL CPU ms | all texts equal | |",
        "|" + "---|" * 8,
    ]
    for name, one in results.items():
        if at := one.answer:
            good = verdict(name, at.cpu_ms <= ANSWER_MS and at.equal)
            cells = f"{at.cpu_ms:.0f} | {at.pg_ms:.0f} | {'yes' if at.equal else '**no**'} | {good}"
            lines.append(f"| {name} | {at.subscribers} | {at.chunks} | {at.deltas} | {cells} |")
    return "\n".join(lines) + "\n"


def verdict(name: str, good: bool) -> str:
    """Empty for other servers: only Colloquy has goals."""
    if name != "colloquy":
        return ""
    return "reached" if good else "**not reached**"
