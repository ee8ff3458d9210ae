"""The figures as a picture."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from bench.report import WHAT, Rounds, middle

OURS, THEIRS, DATABASE = "#0b7a75", "#9aa5b1", "#d9dee4"


def plot(found: Rounds, file: Path) -> None:
    """One panel a workload: CPU per request of the server, and of PostgreSQL on top of it."""
    figure, panels = pyplot.subplots(
        len(found),
        1,
        figsize=(9, 1 + 0.38 * sum(map(len, found.values()))),
        squeeze=False,
        layout="constrained",
        height_ratios=[len(servers) + 1 for servers in found.values()],
    )
    for panel, (workload, servers) in zip(panels[:, 0], found.items(), strict=True):
        middles = sorted(((middle(rounds), name) for name, rounds in servers.items()), key=lambda one: -one[0]["cpu"])
        names, cpu, pg = zip(*((name, one["cpu"], one["pg"]) for one, name in middles), strict=True)
        panel.barh(names, cpu, color=[OURS if name == "colloquy" else THEIRS for name in names])
        panel.barh(names, pg, left=cpu, color=DATABASE)
        for place, (mine, database) in enumerate(zip(cpu, pg, strict=True)):
            panel.text(mine + database, place, f" {mine:.2f} + {database:.2f}", va="center", fontsize=8)
        panel.set_title(f"{workload}: {WHAT[workload]}", loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.15)
    panels[-1, 0].set_xlabel("CPU ms per request: server + PostgreSQL; shorter is better")
    figure.savefig(file, dpi=150)
    pyplot.close(figure)
