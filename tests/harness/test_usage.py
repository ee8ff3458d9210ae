"""CPU and memory of a process whose descendants come and go."""

import os
import subprocess
import time

import pytest

from harness import usage

MANY_CHILDREN = "while :; do sleep 0.001 & sleep 0.001 & wait; done"
LOOK_SECONDS = 0.7


@pytest.fixture
def parent():
    process = subprocess.Popen(["sh", "-c", MANY_CHILDREN], start_new_session=True)
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    "look", [usage.cpu_ms, usage.rss_mib, lambda pid: usage.pin(pid, min(os.sched_getaffinity(0)))]
)
def test_a_child_that_ends_between_two_reads_of_proc_is_left_out(parent, look):
    until = time.monotonic() + LOOK_SECONDS
    while time.monotonic() < until:
        look(parent)
    assert usage.cpu_ms(parent) > 0
    assert usage.rss_mib(parent) > 0


def test_a_process_counts_with_its_descendants():
    process = subprocess.Popen(["sh", "-c", "sleep 60 & wait"], start_new_session=True)
    try:
        while len(found := list(usage.tree(process.pid))) < 2 or not usage.rss_mib(found[1]):
            time.sleep(0.01)
        assert found[0] == process.pid
        assert usage.rss_mib(process.pid) > usage.rss_mib(found[1])
    finally:
        for pid in found[::-1]:
            os.kill(pid, 9)
        process.wait()
