"""What processes have used so far, from /proc: of a process and all that it started, dead ones included."""

import os
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: the second may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(root: int) -> Iterator[int]:
    """The process and its descendants."""
    yield root
    for task in Path(f"/proc/{root}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from tree(int(child))


def cpu_ms(root: int) -> float:
    """User and system time in milliseconds; a child's moves to its parent when it is buried."""
    total = 0
    for pid in tree(root):
        try:
            total += sum(map(int, _stat(pid)[11:15]))
        except FileNotFoundError:
            continue
    return total * 1000 / TICKS


def rss_mib(root: int) -> float:
    """Resident memory of all of them; shared pages count as often as they are shared."""
    return sum(int(_stat(pid)[21]) for pid in tree(root)) * PAGE / 2**20


def pin(root: int, core: int) -> None:
    """Keeps the process, its threads and its descendants on one core."""
    for pid in tree(root):
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), {core})


def pin_me(core: int) -> None:
    """For `preexec_fn`: the new process, and whatever it starts, runs on one core."""
    os.sched_setaffinity(0, {core})
