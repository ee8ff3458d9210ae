"""How much hardware a number of owners needs: `python -m bench.sizing`; writes its tables into docs/scale.md.

A simulation of the busiest hour, from unit costs that the other benchmarks measured (`bench/results/latest.json`,
docs/live.md, docs/growth.md, decision 0016) and from assumptions, which it prints. It extrapolates: nothing of this
size was run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, exp, sqrt
from pathlib import Path
from random import Random
from statistics import mean, quantiles

from bench.results import Results, medians

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "bench/results/latest.json", ROOT / "docs/scale.md"
BEGIN, END = "<!-- written by python -m bench.sizing -->", "<!-- end of sizing -->"
OWNERS = (1_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
SEED = 7
GIB, TB = 2**30, 10**12


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds of one operation."""

    server: float
    database: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.server + other.server, self.database + other.database)

    def __rmul__(self, number: float) -> "Cost":
        return Cost(number * self.server, number * self.database)

    def times(self, ratio: "Cost") -> "Cost":
        """This cost, each part multiplied by its own ratio."""
        return Cost(self.server * ratio.server, self.database * ratio.database)


def _cost(figures: dict[str, float]) -> Cost:
    return Cost(figures["cpu"], figures["pg"])


ON_CITUS = {"page": Cost(1.67, 7.28), "list": Cost(1.58, 5.99), "append": Cost(2.83, 7.04)}
"""What an operation costs on Citus, in times of PostgreSQL: docs/scale.md."""


@dataclass(frozen=True)
class Costs:
    """Measured unit costs; a page and a list without the session cache, as if nothing were ever kept."""

    page: Cost
    list: Cost
    append: Cost
    event_ms: float = 0.024  # to one subscriber, at one message a second
    socket_kib: float = 17.1  # a subscriber that waits, each of a session of its own
    worker_mib: float = 20  # one more, forked
    wal_bytes: float = 2_500  # per append, full page images apart
    disk_bytes: float = 606e6 / 365_532  # per message, indexes, sessions and events included

    @classmethod
    def read(cls, file: Path) -> "Costs":
        """Unit costs from the newest `make bench`."""
        rounds = Results.read(file).rounds
        page, listed, append = (medians(rounds[name]["colloquy"]) for name in ("W1-cold", "W2-cold", "W3"))
        return cls(_cost(page), _cost(listed), _cost(append))

    def on_citus(self) -> "Costs":
        """The same operations, whose statements a coordinator plans and sends to a node."""
        ratios = ON_CITUS.items()
        return replace(self, **{name: getattr(self, name).times(ratio) for name, ratio in ratios})


@dataclass(frozen=True)
class Usage:
    """What owners do. Assumptions: replace them with your own figures."""

    active: float = 0.1  # share of the owners who write on a day
    messages: float = 20  # of an active owner a day, questions and answers
    spread: float = 1.5  # sigma of the lognormal distribution of messages: one in a hundred writes 11 times the mean
    pages: float = 1  # pages of messages read for each message
    lists: float = 0.5  # lists of sessions read for each message
    pieces: float = 20  # `extendMessage` for each message: 40 for an answer, none for a question
    watchers: float = 1.5  # subscribers to each change
    connected: float = 0.03  # share of the owners with an open socket in the busiest hour
    busiest: float = 0.12  # share of a day's work in its busiest hour


@dataclass(frozen=True)
class Machine:
    """The largest database server to be had, and how full machines may be."""

    cores: float = 32
    disk_tb: float = 8
    wal_mb: float = 100  # a second
    load: float = 0.6  # of the cores
    server_cores: float = 16


@dataclass(frozen=True)
class Need:
    """What a number of owners needs in the busiest hour; disk after a year."""

    owners: int
    appends: float
    server_cores: float
    primary_cores: float
    reading_cores: float
    sockets: float
    wal_mb: float
    disk_tb: float


def per_message(costs: Costs, usage: Usage) -> tuple[Cost, Cost]:
    """What one message costs in all: its writes with their events, and its reads."""
    events = (1 + usage.pieces) * usage.watchers
    writes = (1 + usage.pieces) * costs.append + Cost(events * costs.event_ms, 0)
    return writes, usage.pages * costs.page + usage.lists * costs.list


def seconds(random: Random, rate: float, number: int = 3_600) -> float:
    """The arrivals in the second of an hour that only one in a hundred exceeds, for Poisson arrivals at `rate`."""
    return quantiles([_poisson(random, rate) for _ in range(number)], n=100)[-1]


def _poisson(random: Random, rate: float) -> float:
    if rate > 100:
        return max(0.0, random.gauss(rate, sqrt(rate)))
    number, product, limit = 0, random.random(), exp(-rate)
    while product > limit:
        number, product = number + 1, product * random.random()
    return number


def busiest_node(random: Random, nodes: int, usage: Usage, owners: int = 50_000, shards: int = 128) -> float:
    """The work of the busiest node in times of the mean: owners fall on shards by a hash, shards on nodes in turn."""
    work = [0.0] * nodes
    for _ in range(owners):
        work[random.randrange(shards) % nodes] += random.lognormvariate(0, usage.spread)
    return max(work) / mean(work)


def need(owners: int, costs: Costs, usage: Usage, machine: Machine) -> Need:
    """What so many owners need: on Citus, if the largest database server is not enough."""
    on_one = _need(owners, costs, usage, machine)
    return on_one if _fits(on_one, machine) else _need(owners, costs.on_citus(), usage, machine)


def _fits(one: Need, machine: Machine) -> bool:
    return max(shares(one, machine).values()) <= 1


def _need(owners: int, costs: Costs, usage: Usage, machine: Machine) -> Need:
    daily = owners * usage.active * usage.messages
    appends = seconds(Random(SEED), daily * usage.busiest / 3_600)
    writes, reads = per_message(costs, usage)
    cores = appends / 1_000 / machine.load
    return Need(
        owners,
        appends,
        server_cores=(writes + reads).server * cores,
        primary_cores=writes.database * cores,
        reading_cores=reads.database * cores,
        sockets=owners * usage.connected,
        wal_mb=appends * costs.wal_bytes * (1 + usage.pieces / 5) / 1e6,  # an extend writes a narrow row: a fifth
        disk_tb=daily * 365 * costs.disk_bytes / TB,
    )


def shares(one: Need, machine: Machine) -> dict[str, float]:
    """What the writes take of the largest database server, by its limit."""
    return {
        "cores": one.primary_cores / machine.cores,
        "WAL": one.wal_mb / machine.wal_mb,
        "disk": one.disk_tb / machine.disk_tb,
    }


def nodes(one: Need, usage: Usage, machine: Machine) -> int:
    """Database servers among which the owners are divided; reads on standbys."""
    needed = max(shares(one, machine).values())
    number = ceil(needed)
    while number > 1 and needed * busiest_node(Random(SEED), number, usage) > number:
        number += 1
    return number


def shape(one: Need, usage: Usage, machine: Machine) -> str:
    """The simplest deployment that is enough."""
    return f"{_servers(one, machine)}; {_database(one, usage, machine)}"


def _servers(one: Need, machine: Machine) -> str:
    if one.server_cores <= 1:
        return "one process"
    if one.server_cores <= machine.server_cores:
        return f"one machine with `--workers {ceil(one.server_cores)}`"
    number = ceil(one.server_cores / machine.server_cores)
    return f"{number} machines of {machine.server_cores:g} workers, PgBouncer, Redis"


def _database(one: Need, usage: Usage, machine: Machine) -> str:
    number = nodes(one, usage, machine)
    if number > 1:
        return f"Citus, {number} workers"
    return "one PostgreSQL"


def unit_costs(costs: Costs) -> Iterator[str]:
    """What a core, a GiB and a message are worth."""
    yield from ("| measured | |", "| --- | ---: |")
    for name, cost in (("pages of 50 messages", costs.page), ("lists of 20 sessions", costs.list)):
        yield f"| {name} per second and core of the server, nothing kept | {1_000 / cost.server:,.0f} |"
    yield f"| appends per second and core of the server | {1_000 / costs.append.server:,.0f} |"
    yield f"| appends per second and core of PostgreSQL | {1_000 / costs.append.database:,.0f} |"
    yield f"| events to subscribers per second and core | {1_000 / costs.event_ms:,.0f} |"
    yield f"| waiting subscribers per GiB | {GIB / 1024 / costs.socket_kib:,.0f} |"
    yield f"| memory of one more worker at its start, MiB | {costs.worker_mib:g} |"
    yield f"| WAL of an append without full page images, bytes | {costs.wal_bytes:,.0f} |"
    yield f"| disk of a message with all its indexes, bytes | {costs.disk_bytes:,.0f} |"


def assumptions(usage: Usage, machine: Machine) -> Iterator[str]:
    """The assumptions, in words."""
    yield (
        f"Assumed: {usage.active:.0%} of the owners write on a day, {usage.messages:g} messages each (lognormal, sigma "
        f"{usage.spread}); for each message {usage.pages:g} page and {usage.lists:g} lists are read, "
        f"{usage.pieces:g} pieces are streamed and {usage.watchers:g} subscribers watch; {usage.connected:.0%} of the "
        f"owners are connected; the busiest hour has {usage.busiest:.0%} of a day's work."
    )
    yield (
        f"A piece costs what an append costs, and a fifth of its WAL. Cores are {machine.load:.0%} busy in the second "
        f"that one in a hundred exceeds. The largest database server has {machine.cores:g} cores, "
        f"{machine.disk_tb:g} TB and {machine.wal_mb:g} MB of WAL a second; a machine for servers has "
        f"{machine.server_cores:g} cores; Citus divides the owners among 128 shards."
    )


def tables(costs: Costs, usage: Usage, machine: Machine) -> str:
    """Both tables with the assumptions between them."""
    header = (
        "| owners | messages/s | server cores | PostgreSQL cores, writes + reads | sockets, GiB | WAL MB/s "
        "| disk a year, TB | is full first, and how full | enough is |"
    )
    lines = [*unit_costs(costs), "", *assumptions(usage, machine), "", header, "| ---: " * 7 + "| --- | --- |"]
    for one in (need(owners, costs, usage, machine) for owners in OWNERS):
        limit, share = max(shares(one, machine).items(), key=lambda pair: pair[1])
        gib = one.sockets * costs.socket_kib * 1024 / GIB
        lines.append(
            f"| {one.owners:,} | {one.appends:,.0f} | {one.server_cores:,.1f} "
            f"| {one.primary_cores:,.1f} + {one.reading_cores:,.1f} | {one.sockets:,.0f}, {gib:,.1f} "
            f"| {one.wal_mb:,.1f} | {one.disk_tb:,.2f} "
            f"| {limit} {share:.0%} | {shape(one, usage, machine)} |"
        )
    return "\n".join(lines)


def renewed(page: str, costs: Costs) -> str:
    """The page with the tables between its two marks."""
    between = re.compile(f"(?<={re.escape(BEGIN)}\n).*(?=\n{re.escape(END)})", re.DOTALL)
    return between.sub(lambda _: f"\n{tables(costs, Usage(), Machine())}\n", page, count=1)


def write() -> None:
    """Writes the tables into the page."""
    PAGE.write_text(renewed(PAGE.read_text(), Costs.read(RESULTS)))


if __name__ == "__main__":
    print(tables(Costs.read(RESULTS), Usage(), Machine()))
    write()
