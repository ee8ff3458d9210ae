"""The report of a run: Markdown, and a picture of what grows."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from bench.growth.measure import Key, Measured

COLOURS = {"small": "#9aa5b1", "mid": "#0b7a75", "big": "#b3261e"}


@dataclass(frozen=True)
class Comparison:
    """One operation on every data set, the smallest first."""

    key: Key
    by_size: dict[str, Measured]

    @property
    def ends(self) -> tuple[int, int]:
        """The buffers on the smallest and on the largest data set."""
        buffers = [one.buffers for one in self.by_size.values()]
        return buffers[0], buffers[-1]

    @property
    def grows(self) -> bool:
        """A B-tree may be a page higher; a scan of ten times as many rows grows by far more."""
        few, many = self.ends
        return many > 2 * few + 20

    @property
    def faulty(self) -> bool:
        """Grows with what it should not."""
        return self.grows and not self.key[2]

    @property
    def factor(self) -> float:
        """How many times the buffers of the smallest the largest needs."""
        few, many = self.ends
        return many / max(few, 1)

    @property
    def cause(self) -> str:
        """The statements whose buffers make up most of the growth, by name."""
        growth: dict[str, int] = defaultdict(int)
        sizes = list(self.by_size.values())
        for sign, measured in ((-1, sizes[0]), (1, sizes[-1])):
            for name, buffers in measured.statements:
                growth[name] += sign * buffers
        total = self.ends[1] - self.ends[0]
        names = sorted(growth, key=growth.__getitem__, reverse=True)
        return ", ".join(f"`{name}`" for name in names if growth[name] > 0.2 * total)


def comparisons(found: dict[str, dict[Key, Measured]]) -> list[Comparison]:
    """Of what was measured on each data set: those that grow most first."""
    first = next(iter(found.values()))
    both = [Comparison(key, {size: measured[key] for size, measured in found.items()}) for key in first]
    return sorted(both, key=lambda one: -one.factor)


def markdown(found: list[Comparison], sizes: list[str], facts: dict[str, str]) -> str:
    """The tables: growth that is a fault, growth that is allowed, and all the rest."""
    faulty = [one for one in found if one.faulty]
    allowed = [one for one in found if one.grows and not one.faulty]
    flat = [one for one in found if not one.grows]
    parts = [f"- {name}: {fact}" for name, fact in facts.items()]
    parts += [
        "",
        f"## Grows, and should not ({len(faulty)} of {len(found)})",
        "",
        *_table(faulty, sizes, "by its statements"),
    ]
    parts += ["", f"## Grows with what it may grow with ({len(allowed)})", "", *_table(allowed, sizes, "may grow with")]
    parts += ["", f"## Flat ({len(flat)})", "", *_table(flat, sizes, "")]
    return "\n".join(parts) + "\n"


def _table(found: list[Comparison], sizes: list[str], last: str) -> list[str]:
    heads = ["operation", "owner", *(f"{size} ms" for size in sizes), *(f"{size} buffers" for size in sizes)]
    rows = [[*heads, *filter(None, [last])], ["---", "---", *["---:"] * 2 * len(sizes), *["---"] * bool(last)]]
    for one in found:
        name, owner, may_grow = one.key
        times = [f"{one.milliseconds:.{1 if one.milliseconds < 100 else 0}f}" for one in one.by_size.values()]
        buffers = [f"{one.buffers:,}" for one in one.by_size.values()]
        why = {"": [], "may grow with": [may_grow]}.get(last, [one.cause])
        rows.append([f"`{name}`", owner, *times, *buffers, *why])
    return [f"| {' | '.join(row)} |" for row in rows]


def plot(found: list[Comparison], file: Path) -> None:
    """The buffers of every operation that grows and should not: a dot for each data set, on a logarithmic scale."""
    faulty = [one for one in found if one.faulty][::-1]
    if not faulty:
        return
    figure, panel = pyplot.subplots(figsize=(9, 1.2 + 0.19 * len(faulty)), layout="constrained")
    rows = range(len(faulty))
    panel.hlines(rows, *zip(*(one.ends for one in faulty), strict=True), color="#d9dee4", zorder=1)
    for size in found[0].by_size:
        buffers = [one.by_size[size].buffers for one in faulty]
        panel.scatter(buffers, rows, color=COLOURS[size], label=size, s=16, zorder=2)
    panel.set_yticks(rows, [f"{one.key[0]} ({one.key[1]})" for one in faulty], fontsize=7)
    panel.set_xscale("log")
    panel.set_xlabel("shared buffers per operation")
    panel.legend(loc="lower right", frameon=False)
    panel.spines[["top", "right"]].set_visible(False)
    panel.margins(y=0.01)
    figure.savefig(file, dpi=150)
    pyplot.close(figure)
