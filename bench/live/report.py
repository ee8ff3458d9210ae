"""What live costs, in Markdown; beside each figure the goal that it is held to."""

from dataclasses import dataclass, field

from bench.live.measures import Answer, FanOut, Quiet

KIB, CPU_MS, P99_MS, ANSWER_MS = 30, 0.03, 50, 1_000
GOALS = f"""
- a subscriber who only waits: ≤ {KIB} KiB
- an event delivered to one of 500 subscribers of a session: ≤ {CPU_MS} ms of server CPU, p99 ≤ {P99_MS} ms
- an answer in 400 pieces watched by 10: ≤ {ANSWER_MS / 1000:g} s of server CPU in all
"""


@dataclass
class Found:
    """One server's figures."""

    quiet: dict[str, Quiet] = field(default_factory=dict)
    fan_out: list[FanOut] = field(default_factory=list)
    answer: Answer | None = None


def markdown(found: dict[str, Found], facts: dict[str, str]) -> str:
    """The whole report."""
    parts = ["# What live costs\n", "".join(f"- {name}: {value}\n" for name, value in facts.items())]
    parts += ["## Goals\n" + GOALS, "## A subscriber who only waits\n\n" + quiet(found)]
    parts += ["## One session, many subscribers\n\n" + fan_out(found), "## A streaming answer\n\n" + answers(found)]
    return "\n".join(parts)


def quiet(found: dict[str, Found]) -> str:
    lines = ["| server | subscribers | KiB each | RSS MiB with all | CPU ms to join | |", "|" + "---|" * 6]
    for name, one in found.items():
        for which, at in one.quiet.items():
            shown = f"{at.kib:.1f} | {at.rss_mib:.0f} | {at.joining_ms:.2f} | {verdict(name, at.kib <= KIB)}"
            lines.append(f"| {name} | {at.subscribers}, {which} | {shown} |")
    return "\n".join(lines) + "\n"


def fan_out(found: dict[str, Found]) -> str:
    lines = [
        "| server | subscribers | messages/s | delivered | CPU ms per event | PostgreSQL ms per message | p50 ms |"
        " p99 ms | |",
        "|" + "---|" * 9,
    ]
    for name, one in found.items():
        for at in one.fan_out:
            good = at.cpu_ms <= CPU_MS and at.p99 <= P99_MS and at.delivered == at.expected
            shown = f"{at.delivered} of {at.expected} | {at.cpu_ms:.4f} | {at.pg_ms:.2f} | {at.p50:.1f} | {at.p99:.1f}"
            lines.append(f"| {name} | {at.subscribers} | {at.rate:g} | {shown} | {verdict(name, good)} |")
    return "\n".join(lines) + "\n"


def answers(found: dict[str, Found]) -> str:
    lines = [
        "| server | watchers | pieces | deltas to each | server CPU ms | PostgreSQL CPU ms | all texts equal | |",
        "|" + "---|" * 8,
    ]
    for name, one in found.items():
        if at := one.answer:
            good = verdict(name, at.cpu_ms <= ANSWER_MS and at.equal)
            shown = f"{at.cpu_ms:.0f} | {at.pg_ms:.0f} | {'yes' if at.equal else '**no**'} | {good}"
            lines.append(f"| {name} | {at.watchers} | {at.pieces} | {at.deltas} | {shown} |")
    return "\n".join(lines) + "\n"


def verdict(name: str, good: bool) -> str:
    """Only we have goals."""
    if name != "colloquy":
        return ""
    return "reached" if good else "**not reached**"
