"""CPU time, memory and cores of a process and all its descendants, ended ones included, from /proc."""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}.get(os.uname().machine, -1)
SCHED_ATTR_SIZE = 48
# The files of a process that has ended are gone; while they are open, reading them fails.
ENDED = (FileNotFoundError, ProcessLookupError)


def tree(root: int) -> Iterator[int]:
    """The pids of the process and its descendants, without those that end meanwhile."""
    yield root
    for thread in _threads(root):
        try:
            children = Path(f"/proc/{root}/task/{thread}/children").read_text().split()
        except ENDED:
            continue
        for child in children:
            yield from tree(int(child))


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except ENDED:
        return []


def cpu_ms(root: int) -> float:
    """User and system time in milliseconds; that of an ended child is its parent's once the parent has waited."""
    return sum(sum(map(int, fields[11:15])) for fields in _stats(root)) * 1000 / TICKS


def rss_mib(root: int) -> float:
    """Resident memory in MiB; shared pages count once for each process."""
    return sum(int(fields[21]) for fields in _stats(root)) * PAGE / 2**20


def _stats(root: int) -> Iterator[list[str]]:
    """The fields of /proc/PID/stat from the third on, of each process: the second may hold spaces."""
    for pid in tree(root):
        try:
            yield Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except ENDED:
            continue


def pin(root: int, core: int) -> None:
    """Keeps the process, its threads and its descendants on one core."""
    for pid in tree(root):
        for thread in _threads(pid):
            with suppress(*ENDED):
                os.sched_setaffinity(int(thread), {core})


def pin_this_process(core: int) -> None:
    """Keeps this process, and the processes that it starts from now on, on one core."""
    os.sched_setaffinity(0, {core})


def keep_core(root: int, milliseconds: int) -> None:
    """Lets the process and its descendants keep their core for so long, unless they wait: no wake-up interrupts them.

    Linux from 6.12 on: `sched_setattr` with SCHED_BATCH and a slice of 0.1 to 100 ms. Raises OSError.
    """
    attributes = struct.pack("IIQiIQQQ", SCHED_ATTR_SIZE, os.SCHED_BATCH, 0, 0, 0, milliseconds * 1_000_000, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    for pid in tree(root):
        for thread in map(int, _threads(pid)):
            if libc.syscall(SCHED_SETATTR, thread, attributes, 0):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
