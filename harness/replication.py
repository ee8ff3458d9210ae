"""A PostgreSQL with standbys that follow it by streaming replication, to be promoted and killed."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.db.operations.binaries import Binaries, account
from harness.ports import free_port
from harness.postgres import connected, directory

WAIT_SECONDS = 30
WRITING = "select count(*) from pg_stat_activity where backend_type = 'client backend' and backend_xid is not null"
RECEIVED = "select (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0')::bigint"
SETTINGS = {"listen_addresses": "127.0.0.1", "hot_standby_feedback": "on", "wal_retrieve_retry_interval": "100ms"}


class Node:
    """One server of the group; `url` leads to it alone."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root, self.port = name, root, free_port()
        self.data, self.url = root / "data", f"postgresql://app@127.0.0.1:{self.port}/postgres"
        self._binaries = Binaries(root)

    def create(self, primary: "Node | None") -> None:
        """Creates the data: empty, or a copy of the primary's."""
        self.root.mkdir()
        if owner := account():
            os.chown(self.root, owner["user"], owner["group"])
        if primary is None:
            self._run(
                "initdb", "-D", self.data, "-U", "app", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-N"
            )
        else:
            self._run("pg_basebackup", "-D", self.data, "-d", primary.url, "-c", "fast", "-N")
            (self.data / "standby.signal").touch()

    def start(self, group: "list[Node]", settings: dict[str, str]) -> None:
        """Starts the server; a standby follows whichever node of the group accepts writes."""
        hosts, ports = ",".join("127.0.0.1" for _ in group), ",".join(str(node.port) for node in group)
        follows = f"host={hosts} port={ports} user=app application_name={self.name} target_session_attrs=read-write"
        own = {"port": str(self.port), "unix_socket_directories": "", "primary_conninfo": follows}
        lines = [f"{name} = '{value}'" for name, value in (SETTINGS | own | settings).items()]
        (self.data / "postgresql.conf").write_text("\n".join(lines))
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.data / "server.log", "start")

    def kill(self) -> None:
        """SIGKILL to the postmaster; returns when it has ended."""
        pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
            time.sleep(0.01)

    def stop(self) -> None:
        """Stops the server if it runs."""
        if (self.data / "postmaster.pid").exists():
            self._binaries.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    async def execute(self, *statements: str) -> None:
        """Runs statements on this server, each in a transaction of its own."""
        async with connected(self.url) as connection:
            for statement in statements:
                await connection.execute(statement)

    async def value(self, query: str) -> Any:
        """The only value that a query on this server returns."""
        async with connected(self.url) as connection:
            return await connection.fetchval(query)

    async def demote(self) -> None:
        """Makes the server read-only; returns when no transaction writes any more."""
        await self.execute("alter system set default_transaction_read_only = on", "select pg_reload_conf()")
        while await self.value(WRITING):
            await asyncio.sleep(0.01)

    async def follow_nothing(self) -> None:
        """Ends the replication of a standby: it lacks whatever is written from then on."""
        await self.execute("alter system set primary_conninfo = ''", "select pg_reload_conf()")
        while await self.value("select count(*) from pg_stat_wal_receiver"):
            await asyncio.sleep(0.01)

    async def follow(self) -> None:
        """Replicates again, from the primary of this moment."""
        await self.execute("alter system reset primary_conninfo", "select pg_reload_conf()")

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = self._binaries.run(program, *arguments)
        if done.returncode:
            log = self.data / "server.log"
            raise RuntimeError(f"{program}: {done.stderr} {log.read_text()[-2000:] if log.exists() else ''}")


class Replication:
    """A primary and its standbys; `url` has all of them, in an order that says nothing."""

    def __init__(self, nodes: list[Node], synchronous: bool) -> None:
        self.nodes, self.primary = nodes, nodes[0]
        self._settings = {"synchronous_standby_names": "ANY 1 (*)"} if synchronous else {}
        self.promoted = 0.0  # when the newest primary accepted writes, on the clock of `time.monotonic`

    @property
    def url(self) -> str:
        """The URL with every host."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://app@{hosts}/postgres"

    @property
    def standbys(self) -> list[Node]:
        return [node for node in self.nodes if node is not self.primary]

    def start(self) -> None:
        """Creates and starts every server."""
        for node in self.nodes:
            node.create(None if node is self.primary else self.primary)
            node.start(self.nodes, self._settings)

    async def caught_up(self) -> None:
        """Returns when every standby has replayed all that the primary has written."""
        end = await self.primary.value("select pg_current_wal_flush_lsn()::text")
        for node in self.standbys:
            while not await node.value(f"select pg_last_wal_replay_lsn() >= '{end}'"):
                await asyncio.sleep(0.02)

    async def fail_over(self) -> Node:
        """Promotes the standby that has received most, and lets the others follow it; returns the primary of before.

        Replication ends first: otherwise a standby may receive more while another one is promoted.
        """
        for node in self.standbys:
            await node.follow_nothing()
        received = {node: await node.value(RECEIVED) for node in self.standbys}
        before, self.primary = self.primary, max(received, key=lambda node: received[node])
        await self.primary.execute(f"select pg_promote(true, {WAIT_SECONDS})")
        self.promoted = time.monotonic()
        for node in received:
            await node.follow()
        return before

    def rebuild(self, node: Node) -> None:
        """Replaces the data of a killed server by a copy of the primary's, and starts it as a standby."""
        shutil.rmtree(node.root)
        node.create(self.primary)
        node.start(self.nodes, self._settings)


@asynccontextmanager
async def replicated(*, standbys: int = 2, synchronous: bool) -> AsyncIterator[Replication]:
    """A running group; with `synchronous` a commit waits until any standby has it."""
    with directory() as path:
        names = [f"node{number}" for number in range(1 + standbys)]
        group = Replication([Node(name, path / name) for name in names], synchronous)
        try:
            await asyncio.to_thread(group.start)
            yield group
        finally:
            for node in group.nodes:
                node.stop()
