"""The servers that are compared: how each is started, and what it is asked."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from bench import usage

ROOT = Path(__file__).parents[1]
DOCUMENTS = ROOT / "bench/documents"
PEERS_IN_NODE = ROOT / "bench/peers/node"
NODE = PEERS_IN_NODE / "node_modules/node/bin/node"
POOL = 10
SECRET = "a secret of the benchmark, thirty-two bytes and more"
PATIENCE_SECONDS = 30

Variables = dict[str, Any]


def graphql(workload: str, _owner: str, variables: Variables) -> dict[str, Any]:
    """Our document as it is."""
    document = (DOCUMENTS / f"{workload}.graphql").read_text()
    return {"query": document, "operationName": workload, "variables": variables}


def plain(workload: str, _owner: str, variables: Variables) -> dict[str, Any]:
    """What a server without GraphQL is asked."""
    return {"operationName": workload, "variables": variables}


def postgraphile(workload: str, owner: str, variables: Variables) -> dict[str, Any]:
    """Its own document: the owner is a variable, and ids are columns."""
    document = (DOCUMENTS / f"postgraphile/{workload}.graphql").read_text()
    given = {"owner": owner, **{name: value for name, value in variables.items() if name != "id"}}
    match variables.get("id", variables.get("session", "")).split("_"):
        case ["msg", session, sequence]:
            given |= {"session": session, "sequence": int(sequence)}
        case ["ses", session]:
            given |= {"id" if "id" in variables else "session": session}
    return {"query": document, "operationName": workload, "variables": given}


def colloquy(_port: int) -> list[str]:
    return [sys.executable, "-c", "from app.cli import main; main()", "serve"]


def uvicorn(module: str, port: int) -> list[str]:
    place = ["--host", "127.0.0.1", "--port", str(port), "--lifespan", "on"]
    return [
        sys.executable,
        "-m",
        "uvicorn",
        f"bench.peers.{module}:app",
        *place,
        "--no-access-log",
        "--log-level=warning",
    ]


def node(file: str, _port: int) -> list[str]:
    return [str(NODE), str(PEERS_IN_NODE / file)]


@dataclass(frozen=True)
class Peer:
    """One of the compared: its name, its command for a port, and a workload's request in its own words."""

    name: str
    command: Callable[[int], list[str]]
    ask: Callable[[str, str, Variables], dict[str, Any]] = graphql
    workloads: tuple[str, ...] = ("W1", "W2", "W3", "W4", "W5")
    environment: dict[str, str] = field(default_factory=dict)


HAND_WRITTEN = ("W1", "W2", "W3")
PEERS = {
    peer.name: peer
    for peer in (
        Peer("colloquy", colloquy, workloads=("W1", "W2", "W3", "W4", "W5", "W6")),
        Peer("rest", partial(uvicorn, "rest"), plain, HAND_WRITTEN),
        Peer("raw", partial(uvicorn, "raw"), plain, HAND_WRITTEN),
        Peer("stock", partial(uvicorn, "stock")),
        Peer("yoga", partial(node, "yoga.mjs")),
        Peer("postgraphile", partial(node, "postgraphile.mjs"), postgraphile),
        Peer("yoga-jit", partial(node, "yoga.mjs"), environment={"JIT": "1"}),
    )
}


def is_node(peer: Peer) -> bool:
    return peer.command(0)[0] == str(NODE)


@dataclass(frozen=True)
class Running:
    """A peer that answers."""

    peer: Peer
    url: str
    pid: int

    @property
    def name(self) -> str:
        return self.peer.name


@contextmanager
def running(peer: Peer, database: str, core: int, place: Path) -> Iterator[Running]:
    """The peer on a free port and one core; its log lies in `place`."""
    port = _free_port()
    with (place / f"{peer.name}.log").open("w") as log:
        process = subprocess.Popen(
            peer.command(port),
            env={**os.environ, **_environment(database, port), **peer.environment},
            cwd=place,  # no `.env` lies there
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=partial(usage.pin_me, core),
        )
        try:
            _wait(process, port, Path(log.name))
            yield Running(peer, f"http://127.0.0.1:{port}/graphql", process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(database: str, port: int) -> dict[str, str]:
    """One for all: Colloquy's settings, and what asyncpg and node-postgres read."""
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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args} does not start:\n{log.read_text()[-2000:]}")
