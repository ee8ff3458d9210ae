"""The sizing page: its tables are those of the committed figures, and its simulation needs more for more."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from bench import sizing
from bench.sizing import Costs, Machine, Usage, busiest_node, need, nodes

COSTS = Costs.read(sizing.RESULTS)
MACHINE, USAGE = Machine(), Usage()


def test_the_page_has_the_tables_of_the_newest_benchmark():
    page = sizing.PAGE.read_text()
    assert sizing.tables(COSTS, USAGE, MACHINE) in page
    assert sizing.renewed(page, COSTS) == page


@pytest.mark.parametrize("field", ["server_cores", "primary_cores", "reading_cores", "sockets", "wal_mb", "disk_tb"])
def test_more_owners_need_more(field):
    needs = [getattr(need(owners, COSTS, USAGE, MACHINE), field) for owners in sizing.OWNERS]
    assert all(less < more for less, more in pairwise(needs))


def test_a_costlier_append_takes_more_cores_and_leaves_the_disk():
    one = need(10**7, COSTS, USAGE, MACHINE)
    other = need(10**7, replace(COSTS, append=2 * COSTS.append), USAGE, MACHINE)
    assert other.primary_cores == pytest.approx(2 * one.primary_cores)
    assert other.server_cores > one.server_cores
    assert other.reading_cores == one.reading_cores
    assert other.disk_tb == one.disk_tb


def test_owners_beyond_one_server_pay_for_citus():
    disk = replace(MACHINE, disk_tb=10**6)
    one, divided = (need(10**6, COSTS, USAGE, machine) for machine in (disk, replace(MACHINE, disk_tb=0.5)))
    assert nodes(one, USAGE, disk) == 1
    assert divided.primary_cores == pytest.approx(sizing.ON_CITUS["append"].database * one.primary_cores)
    assert divided.disk_tb == one.disk_tb


def test_the_second_of_the_busiest_arrivals_is_beyond_the_mean():
    assert 15 < sizing.seconds(Random(1), 10) < 25
    assert 1_000 < sizing.seconds(Random(1), 1_000) < 1_200


def test_owners_who_write_more_than_others_load_one_node_more():
    even = busiest_node(Random(1), 16, replace(USAGE, spread=0.01))
    assert busiest_node(Random(1), 1, USAGE) == 1
    assert 1 < even < busiest_node(Random(1), 16, replace(USAGE, spread=2.5))


def test_nodes_carry_the_busiest_of_them():
    one = need(10**8, COSTS, USAGE, MACHINE)
    needed = max(sizing.shares(one, MACHINE).values())
    number = nodes(one, USAGE, MACHINE)
    assert needed * busiest_node(Random(sizing.SEED), number, USAGE) <= number
    assert nodes(need(1_000, COSTS, USAGE, MACHINE), USAGE, MACHINE) == 1
