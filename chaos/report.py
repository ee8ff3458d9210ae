"""What the experiments counted, in Markdown."""

from chaos.counts import Counts
from chaos.experiments import Experiment

COLUMNS = ["lost", "stored_twice", "gaps", "missed", "doubled", "failed_outside", "broken_rules"]
HEADS = ["lost", "stored twice", "gaps", "missed", "doubled", "failed outside", "check"]


def line(experiment: Experiment, counts: Counts, seconds: float) -> str:
    """One experiment as it ends, for whoever watches."""
    shown = ", ".join(f"{head} {getattr(counts, name)}" for head, name in zip(HEADS, COLUMNS, strict=True))
    begin = f"{experiment.name}: {counts.faults} faults, {counts.acknowledged} acts, {counts.events} events; "
    end = f"; slowest recovery {counts.slowest:.2f} s; took {seconds:.0f} s"
    more = [*counts.notes, *(f"FOUND {finding[:400]}" for finding in counts.findings)]
    return "\n".join([begin + shown + end, *(f"    {one}" for one in more)])


def page(found: list[tuple[Experiment, Counts]], seed: int, seconds: float) -> str:
    rows = ["| experiment | faults | acts | events | " + " | ".join(HEADS) + " | slowest recovery |"]
    rows.append("|" + "---|" * (len(HEADS) + 5))
    for experiment, counts in found:
        figures = [counts.faults, counts.acknowledged, counts.events, *(getattr(counts, name) for name in COLUMNS)]
        shown = " | ".join(str(figure) for figure in figures)
        rows.append(f"| {experiment.name} | {shown} | {counts.slowest:.1f} s |")
    return "\n".join(rows) + f"\n\nSeed {seed}, {seconds:.0f} s.\n"
