"""One round: `wrk` loads one server for some seconds; what the server and PostgreSQL used meanwhile."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bench.servers import Peer, RunningPeer, Variables
from bench.workloads import Session, Workload
from harness import usage
from harness.server_settings import token

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 16
MAX_ROUND_SECONDS = 60
MAX_REQUESTS = 10_000
TEXT = "What would you do about it, and in which order? " * 4


class WrongAnswer(Exception):
    """A server answered with errors."""


@dataclass(frozen=True)
class Round:
    """Milliseconds of CPU per request, of the server and of PostgreSQL; latencies in milliseconds, memory in MiB."""

    cpu: float
    pg: float
    rate: float
    p50: float
    p95: float
    p99: float
    rss: float
    requests: int


def variables(document: str, session: str) -> Variables:
    """A document's variables for this session."""
    match document:
        case "W2":
            return {}
        case "W3":
            return {"session": f"ses_{session}", "text": TEXT}
        case "W5":
            return {"id": f"msg_{session}_17"}
    return {"id": f"ses_{session}"}


def body(peer: Peer, document: str, owner: str, session: str) -> str:
    """A request's JSON."""
    return json.dumps(peer.request(document, owner, variables(document, session)), separators=(",", ":"))


def lines(peer: Peer, workload: Workload, sessions: list[Session]) -> Iterator[str]:
    """Token, tab and body of each request: the format that `load.lua` reads."""
    tokens = {owner: token(owner) for owner, _ in sessions}
    for document, (owner, session) in workload.requests(sessions):
        yield f"{tokens[owner]}\t{body(peer, document, owner, session)}\n"


def write_requests(peer: Peer, workload: Workload, sessions: list[Session], directory: Path) -> Path:
    """Writes the file of a peer's requests."""
    file = directory / f"{peer.name}-{workload.name}.requests"
    file.write_text("".join(islice(lines(peer, workload, sessions), MAX_REQUESTS)))
    return file


def round_of(
    server: RunningPeer, requests: Path, seconds: int, postgres: int, *, connections: int = CONNECTIONS
) -> Round:
    """Loads a server; `postgres` is the postmaster's pid. Raises `WrongAnswer` if any answer held an error."""
    before = usage.cpu_ms(server.pid), usage.cpu_ms(postgres)
    found = _wrk(server, requests, seconds, connections)
    spent = usage.cpu_ms(server.pid) - before[0], usage.cpu_ms(postgres) - before[1]
    answered = found["requests"]
    return Round(
        cpu=spent[0] / answered,
        pg=spent[1] / answered,
        rate=answered / found["seconds"],
        p50=found["p50"],
        p95=found["p95"],
        p99=found["p99"],
        rss=usage.rss_mib(server.pid),
        requests=answered,
    )


def _wrk(server: RunningPeer, requests: Path, seconds: int, connections: int) -> dict[str, Any]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(SCRIPT), server.url]
    output = subprocess.run(
        [*command, "--", str(requests)], check=True, capture_output=True, text=True, timeout=seconds + 60
    ).stdout
    result = next((line for line in output.splitlines() if line.startswith("{")), None)
    if result is None:
        raise WrongAnswer(f"{server.name}: wrk printed {output[-1000:]}")
    found: dict[str, Any] = json.loads(result)
    if not found["requests"] and seconds < MAX_ROUND_SECONDS:
        return _wrk(server, requests, 2 * seconds, connections)  # too slow a server, or too busy a machine
    if found["wrong"] or not found["requests"]:
        raise WrongAnswer(
            f"{server.name}: {found['wrong']} of {found['requests']} answers hold errors\n{output[-1000:]}"
        )
    return found
