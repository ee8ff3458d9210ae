"""The counts of the experiments, in Markdown."""

from datetime import UTC, datetime

from chaos.counts import RECOVERY_SECONDS, Counts
from chaos.experiments import Experiment
from harness.machine import machine

COLUMNS = {
    "lost": "lost",
    "stored_twice": "stored twice",
    "gaps": "gaps",
    "missed": "missed",
    "duplicated": "received twice",
    "viewer_missed": "missed by sidebars",
    "read_less": "read less",
    "failed_outside": "failed outside",
    "broken_rules": "check",
}
ABOUT = f"""# Fault experiments

`make chaos` breaks the processes that Colloquy depends on, under load, and counts violations of what Colloquy promises.
Real servers (`colloquy serve`), a real PostgreSQL and a real Redis run as processes; three owners with two
conversations each write and read over real sockets. In each conversation two writers append, correct, rename and stream
answers, and send each request again until it is acknowledged; two readers follow `sessionEvents`, and each owner's
sidebar follows `viewerEvents`. A reader that is cut off reconnects with its last cursor. One more client of each
conversation reads its newest 100 messages and the list of sessions again and again, on another server each time, also
while something is broken. After the last fault the writers finish; then the rows are compared with what the writers
sent and the readers received.

| column | counts |
|---|---|
| lost | acknowledged and not stored as acknowledged: messages with their texts and numbers, titles |
| stored twice | messages that belong to no acknowledged request |
| gaps | sequence numbers of a conversation that are missing, or present twice |
| missed | messages, texts and titles that a reader of `sessionEvents`, from its events alone, does not know as they are stored; additions without an event |
| received twice | events of `sessionEvents` with nothing new for the reader, before or after a lost connection |
| missed by sidebars | sessions that a reader of `viewerEvents` does not know as they are stored (it may receive one twice, and reads the list after a StreamReset) |
| read less | messages and sessions that a query returned older, or not at all, than they had been acknowledged to any writer, or shown to that client, before the query began |
| failed outside | requests and subscriptions that failed although nothing was broken between their start and their end; during a harmless fault, all that failed |
| check | rules that `colloquy check` finds broken, reading every row |
| recovery | the slowest time from the moment at which everything runs again until a new write is acknowledged and a subscriber has received it; at most {RECOVERY_SECONDS:g} s. For a killed server that moment is the start of its process, so the time contains the program's start-up, which is most of it |
"""
REPEAT = """
## Run it again

```
make chaos                                   # all experiments, ten faults each; writes this page
make chaos ARGS=--quick                      # two faults each
make chaos ARGS="--only failover"            # some: those whose names contain this
make chaos ARGS="--only 'rolling deploy'"
make chaos ARGS="--only worker"
make chaos ARGS="--only 'read replicas'"
make chaos ARGS="--seed 7 --only Redis"      # the same seed makes the same choices, though not at the same moments
```

The exit code is 1 when anything is counted that should be zero. Experiments are in `chaos/experiments.py`; a fault is a
function in `chaos/faults.py` or `chaos/replication_faults.py`. `redis-server` must be installed
(`scripts/install-debian`).
"""


def line(experiment: Experiment, counts: Counts, seconds: float) -> str:
    """One experiment in a few lines, printed when it ends."""
    shown = ", ".join(f"{head} {getattr(counts, name)}" for name, head in COLUMNS.items())
    begin = f"{experiment.name}: {counts.faults} faults, {counts.acknowledged} writes, {counts.events} events, "
    begin += f"{counts.reads} reads; "
    end = f"; slowest recovery {counts.slowest:.2f} s; took {seconds:.0f} s"
    more = [*noted(counts), *(f"FOUND {finding[:400]}" for finding in counts.findings)]
    return "\n".join([begin + shown + end, *(f"    {one}" for one in more)])


def noted(counts: Counts) -> list[str]:
    """The figures beside the table."""
    return [f"{value:.1f} {what}" for what, value in counts.worst.items()]


def page(found: list[tuple[Experiment, Counts]], seed: int, seconds: float) -> str:
    """The page docs/chaos.md."""
    when = f"{datetime.now(UTC):%Y-%m-%d}, seed {seed}, {seconds:.0f} s on {machine()}"
    faults = "\n".join(f"- **{experiment.name}**: {experiment.description}" for experiment, _ in found)
    parts = [ABOUT, "## Results\n", when + "\n", table(found), "The faults:\n", faults]
    if notes := [f"- {experiment.name}: {'; '.join(noted(counts))}" for experiment, counts in found if counts.worst]:
        parts += ["\nHighest values beside the table:\n", *notes]
    if findings := [f"- {experiment.name}: {one}" for experiment, counts in found for one in counts.findings]:
        parts += ["\n**Violations:**\n", *findings]
    return "\n".join(parts) + "\n" + REPEAT


def table(found: list[tuple[Experiment, Counts]]) -> str:
    """One line per experiment."""
    lines = ["| fault | faults | writes | events | reads | " + " | ".join(COLUMNS.values()) + " | recovery |"]
    lines.append("|" + "---|" * (len(COLUMNS) + 6))
    for experiment, counts in found:
        counted = [getattr(counts, name) for name in COLUMNS]
        figures = [counts.faults, counts.acknowledged, counts.events, counts.reads, *counted]
        shown = " | ".join(str(figure) for figure in figures)
        recovery = f"{counts.slowest:.1f} s" if counts.slowest <= RECOVERY_SECONDS else f"**{counts.slowest:.1f} s**"
        lines.append(f"| {experiment.name} | {shown} | {recovery} |")
    return "\n".join(lines) + "\n"
