"""The experiments: which fault, how often, and on how many replicas."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chaos import faults, replication_faults
from chaos.context import Context
from chaos.stalled_subscribers import stop_reading
from chaos.thundering_herd import reconnect_at_once

Fault = Callable[[Context], Awaitable[float]]


@dataclass(frozen=True)
class Experiment:
    """A fault, how often it is made, and on how many replicas of how many workers.

    With `standbys`, the database is a PostgreSQL of its own, which they follow synchronously; with `read_on_standbys`
    queries are read there. During a harmless fault no request may fail. Experiments that mostly wait (`waits`) run
    beside the others.
    """

    name: str
    description: str
    fault: Fault
    replicas: int = 1
    redis: bool = False
    standbys: int = 0
    read_on_standbys: bool = False
    harmless: bool = False
    waits: bool = False
    times: int = 10
    quick_times: int = 2
    workers: int = 1


EXPERIMENTS = [
    Experiment("cut clients", "Every client's socket is cut, every 0.5 to 2 s.", faults.cut_clients, harmless=True),
    Experiment(
        "500 reconnect", "500 sockets are cut, and reconnect at the same moment.", reconnect_at_once, harmless=True
    ),
    Experiment(
        "stalled subscribers",
        "Ten subscribers stop reading 12 MB of events.",
        stop_reading,
        harmless=True,
        waits=True,
        times=1,
        quick_times=1,
    ),
    Experiment(
        "switch replica, NOTIFY", "Every client goes to the other replica.", faults.switch_replica, 2, harmless=True
    ),
    Experiment(
        "switch replica, Redis",
        "Every client goes to the other replica; wake-ups by Redis.",
        faults.switch_replica,
        2,
        True,
        True,
    ),
    Experiment("kill -9 Redis", "Redis is killed; for up to 2 s there is none.", faults.kill_redis, 2, True, True),
    Experiment(
        "SIGSTOP Redis",
        "Redis stands still for 5 s, every third time for 20 s.",
        faults.freeze_redis,
        2,
        True,
        True,
        True,
    ),
    Experiment(
        "cut LISTEN", "The connections that listen are ended, nothing else.", faults.cut_listener, 2, harmless=True
    ),
    Experiment("cut database", "Every connection to the database is ended, every 2 s.", faults.cut_database),
    Experiment("kill -9 PostgreSQL", "The postmaster is killed and started again.", faults.kill_postgres),
    Experiment(
        "failover",
        "A synchronous standby is promoted, beside the read-only primary or after it was killed with -9.",
        replication_faults.fail_over,
        2,
        standbys=2,
    ),
    Experiment(
        "read replicas",
        "Queries are read on two standbys. In turn one is killed with -9, one lags by 30 and 500 ms, one is promoted"
        " beside the read-only primary, and one after the primary was killed with -9.",
        replication_faults.break_standbys,
        2,
        standbys=2,
        read_on_standbys=True,
        quick_times=4,
    ),
    Experiment(
        "rolling deploy",
        "A server is stopped, and started as the program before the newest migration, or as today's again.",
        faults.deploy,
        2,
    ),
    Experiment("SIGTERM server", "A server is stopped with writes in flight, and started again.", faults.stop_server),
    Experiment("kill -9 server", "A server is killed and started again.", faults.kill_server),
    Experiment(
        "kill -9 worker",
        "One of a server's three workers is killed, and replaced by its supervisor.",
        faults.kill_worker,
        workers=3,
    ),
    Experiment(
        "SIGTERM workers", "A server with three workers is stopped and started again.", faults.stop_server, workers=3
    ),
]
