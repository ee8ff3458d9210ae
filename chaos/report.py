"""What the experiments counted, in Markdown."""

from datetime import UTC, datetime

from bench.report import machine
from chaos.counts import RECOVERY_SECONDS, Counts
from chaos.experiments import Experiment

COLUMNS = {
    "lost": "lost",
    "stored_twice": "stored twice",
    "gaps": "gaps",
    "missed": "missed",
    "doubled": "heard twice",
    "viewer_missed": "missed by sidebars",
    "failed_outside": "failed outside",
    "broken_rules": "check",
}
ABOUT = f"""# Broken on purpose

`make chaos` breaks what Colloquy stands on, and counts what its promises are worth meanwhile. Real servers
(`colloquy serve`), a real PostgreSQL and a real Redis are processes of their own; three owners with two conversations
each write and read over real sockets. In each conversation two writers append, correct, rename and stream answers, each
act until it is acknowledged; two readers follow `sessionEvents`, and each owner's sidebar follows `viewerEvents`.
Whoever is cut off comes back with its last cursor. After the last fault the writers finish, and then rows and readers
are compared.

| column | counts |
|---|---|
| lost | acknowledged and not stored as it was acknowledged: messages with their texts and numbers, titles |
| stored twice | messages that no acknowledged act accounts for |
| gaps | numbers of a conversation that are missing, or there twice |
| missed | messages, texts and titles that a reader of `sessionEvents` does not know as they are stored, made of its events alone; additions that were never told |
| heard twice | events of `sessionEvents` that tell what the reader had been told already, before or after a cut |
| missed by sidebars | sessions that a reader of `viewerEvents` does not know as they are (it may hear of one twice) |
| failed outside | requests and subscriptions that failed although nothing was broken at any moment of theirs; where a fault is no excuse, all that failed |
| check | what `colloquy check` finds broken, reading every row |
| recovery | the slowest time from the moment that all is whole again (a killed server: that its process is started, so the start of the program, which is most of it, is in it) until a new write is acknowledged and heard by a subscriber; at most {RECOVERY_SECONDS:g} s |
"""
REPEAT = """
## Do it again

```
make chaos                                   # all, ten faults each; writes this page
make chaos ARGS=--quick                      # two faults each
make chaos ARGS="--seed 7 --only Redis"      # some; the seed gives the same choices, though not at the same moments
```

It exits with 1 when anything is counted that should not be. Experiments are in `chaos/experiments.py`, a fault is a
function in `chaos/faults.py`. It needs Debian's `redis-server`.
"""


def line(experiment: Experiment, counts: Counts, seconds: float) -> str:
    """One experiment as it ends, for whoever watches."""
    shown = ", ".join(f"{head} {getattr(counts, name)}" for name, head in COLUMNS.items())
    begin = f"{experiment.name}: {counts.faults} faults, {counts.acknowledged} acts, {counts.events} events; "
    end = f"; slowest recovery {counts.slowest:.2f} s; took {seconds:.0f} s"
    more = [*noted(counts), *(f"FOUND {finding[:400]}" for finding in counts.findings)]
    return "\n".join([begin + shown + end, *(f"    {one}" for one in more)])


def noted(counts: Counts) -> list[str]:
    """Figures beside the table."""
    return [f"{value:.1f} {what}" for what, value in counts.worst.items()]


def page(found: list[tuple[Experiment, Counts]], seed: int, seconds: float) -> str:
    """The page in docs."""
    when = f"{datetime.now(UTC):%Y-%m-%d}, seed {seed}, {seconds:.0f} s on {machine()}"
    faults = "\n".join(f"- **{experiment.name}**: {experiment.words}" for experiment, _ in found)
    parts = [ABOUT, "## Found\n", when + "\n", table(found), "The faults:\n", faults]
    if notes := [f"- {experiment.name}: {'; '.join(noted(counts))}" for experiment, counts in found if counts.worst]:
        parts += ["\nBesides, at most:\n", *notes]
    if findings := [f"- {experiment.name}: {one}" for experiment, counts in found for one in counts.findings]:
        parts += ["\n**Not as promised:**\n", *findings]
    return "\n".join(parts) + "\n" + REPEAT


def table(found: list[tuple[Experiment, Counts]]) -> str:
    """A line each."""
    lines = ["| fault | faults | acts | events | " + " | ".join(COLUMNS.values()) + " | recovery |"]
    lines.append("|" + "---|" * (len(COLUMNS) + 5))
    for experiment, counts in found:
        figures = [counts.faults, counts.acknowledged, counts.events, *(getattr(counts, name) for name in COLUMNS)]
        shown = " | ".join(str(figure) for figure in figures)
        recovery = f"{counts.slowest:.1f} s" if counts.slowest <= RECOVERY_SECONDS else f"**{counts.slowest:.1f} s**"
        lines.append(f"| {experiment.name} | {shown} | {recovery} |")
    return "\n".join(lines) + "\n"
