"""The servers that are compared: how each is started, and how each is asked for a workload."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from bench.workloads import COMPARED, WORKLOADS
from harness.ports import free_port
from harness.process import Process
from harness.server_process import COLLOQUY
from harness.server_settings import SECRET

ROOT = Path(__file__).parents[1]
DOCUMENTS = ROOT / "bench/documents"
PEERS_IN_NODE = ROOT / "bench/peers/node"
NODE = PEERS_IN_NODE / "node_modules/node/bin/node"
POOL = 10

Variables = dict[str, Any]


def graphql(name: str, _owner: str, variables: Variables) -> dict[str, Any]:
    """Colloquy's own document."""
    document = (DOCUMENTS / f"{name}.graphql").read_text()
    return {"query": document, "operationName": name, "variables": variables}


def without_document(name: str, _owner: str, variables: Variables) -> dict[str, Any]:
    """For servers without GraphQL: the document's name and variables."""
    return {"operationName": name, "variables": variables}


def postgraphile(name: str, owner: str, variables: Variables) -> dict[str, Any]:
    """PostGraphile's document: the owner is a variable, and ids are columns."""
    document = (DOCUMENTS / f"postgraphile/{name}.graphql").read_text()
    columns = {"owner": owner, **{name: value for name, value in variables.items() if name != "id"}}
    match str(variables.get("id") or variables.get("session")).split("_"):
        case ["msg", session, sequence]:
            columns |= {"session": session, "sequence": int(sequence)}
        case ["ses", session]:
            columns |= {"id" if "id" in variables else "session": session}
    return {"query": document, "operationName": name, "variables": columns}


def colloquy(_port: int) -> list[str]:
    return [str(COLLOQUY), "serve"]


def uvicorn(module: str, port: int) -> list[str]:
    application = ["-m", "uvicorn", f"bench.peers.{module}:app", "--lifespan", "on"]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, *application, *address, "--no-access-log", "--log-level=warning"]


def node(file: str, _port: int) -> list[str]:
    return [str(NODE), str(PEERS_IN_NODE / file)]


@dataclass(frozen=True)
class Peer:
    """A compared server: its command for a port, and its request body for (document's name, owner, variables)."""

    name: str
    command: Callable[[int], list[str]]
    request: Callable[[str, str, Variables], dict[str, Any]] = graphql
    workloads: tuple[str, ...] = tuple(WORKLOADS)
    environment: dict[str, str] = field(default_factory=dict)


UNCACHED = Peer("uncached", colloquy, environment={"SESSION_CACHE_BYTES": "0"})
"""Colloquy in the cold workloads."""
PEERS = {
    peer.name: peer
    for peer in (
        Peer("colloquy", colloquy),
        Peer("rest", partial(uvicorn, "rest"), without_document, COMPARED),
        Peer("raw", partial(uvicorn, "raw"), without_document, COMPARED),
        Peer("stock", partial(uvicorn, "stock"), workloads=("W1-cold", "W2-cold", "W3", "W4", "W5")),
        Peer("yoga", partial(node, "yoga.mjs")),
        Peer("postgraphile", partial(node, "postgraphile.mjs"), postgraphile),
        Peer("yoga-jit", partial(node, "yoga.mjs"), environment={"JIT": "1"}),
    )
}


def is_node(peer: Peer) -> bool:
    return peer.command(0)[0] == str(NODE)


@dataclass(frozen=True)
class RunningPeer:
    """A peer that answers at `url`."""

    peer: Peer
    url: str
    pid: int

    @property
    def name(self) -> str:
        return self.peer.name


@contextmanager
def running(peer: Peer, database: str, core: int, directory: Path) -> Iterator[RunningPeer]:
    """The peer on a free port and one core; its log is in `directory`."""
    port = free_port()
    environment = _environment(database, port) | peer.environment
    process = Process(peer.name, peer.command(port), directory, environment=environment, core=core)
    try:
        process.wait_until_listening(port)
        yield RunningPeer(peer, f"http://127.0.0.1:{port}/graphql", process.pid)
    finally:
        process.stop()


def _environment(database: str, port: int) -> dict[str, str]:
    """The same for all peers: Colloquy's settings, and what asyncpg and node-postgres read."""
    url = make_url(database)
    return {
        "DATABASE_URL": database,
        "JWT_SECRET": SECRET,
        "ENVIRONMENT": "production",
        "SESSION_RETENTION_DAYS": "36500",  # the data set's sessions are as old as it is
        "POOL_SIZE": str(POOL),
        "PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "PGHOST": str(url.query.get("host") or url.host),
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username or "app",
        "PGDATABASE": url.database or "",
        "NODE_ENV": "production",
    }
