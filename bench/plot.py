"""The medians as a picture."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from bench.results import Rounds, medians
from bench.workloads import DESCRIPTIONS

OURS, THEIRS, DATABASE = "#0b7a75", "#9aa5b1", "#d9dee4"


def plot(rounds: Rounds, file: Path) -> None:
    """One panel per workload: CPU per request of the server, with that of PostgreSQL added."""
    figure, panels = pyplot.subplots(
        len(rounds),
        1,
        figsize=(9, 1 + 0.38 * sum(map(len, rounds.values()))),
        squeeze=False,
        layout="constrained",
        height_ratios=[len(servers) + 1 for servers in rounds.values()],
    )
    for panel, (workload, servers) in zip(panels[:, 0], rounds.items(), strict=True):
        sorted_medians = sorted(((medians(one), name) for name, one in servers.items()), key=lambda one: -one[0]["cpu"])
        names, cpu, pg = zip(*((name, one["cpu"], one["pg"]) for one, name in sorted_medians), strict=True)
        panel.barh(names, cpu, color=[OURS if name == "colloquy" else THEIRS for name in names])
        panel.barh(names, pg, left=cpu, color=DATABASE)
        for row, (server, database) in enumerate(zip(cpu, pg, strict=True)):
            panel.text(server + database, row, f" {server:.2f} + {database:.2f}", va="center", fontsize=8)
        panel.set_title(f"{workload}: {DESCRIPTIONS[workload]}", loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.15)
    panels[-1, 0].set_xlabel("CPU ms per request: server + PostgreSQL; shorter is better")
    figure.savefig(file, dpi=150)
    pyplot.close(figure)
