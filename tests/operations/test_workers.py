"""Several processes behind one port: one server to clients, metrics, signals and the loss of a process."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import httpx2
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import ports
from harness.server_process import ServerProcess
from tests.support.users import User

WORKERS = 2


class Workers(ServerProcess):
    """`colloquy serve` with WORKERS processes, in a process of its own."""

    def user(self, name: str) -> User:
        return User(name, self.url, self.token(name), self.http)

    async def worker_of_a_new_connection(self) -> str:
        """The worker's own part of a request id."""
        async with httpx2.AsyncClient() as http:
            response = await http.post(f"{self.url}/graphql", json={"query": "{ __typename }"})
        return response.headers["x-request-id"].partition("-")[0]

    async def metrics(self) -> dict[tuple[str, str], float]:
        """The samples of a scrape by name and labels, from whichever worker responds."""
        async with httpx2.AsyncClient() as http:
            text = (await http.get(f"{self.url}/metrics")).text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {(sample.name, ",".join(sorted(sample.labels.values()))): sample.value for sample in samples}


async def all_workers_serve(server: Workers) -> None:
    while (await server.metrics())["colloquy_workers", ""] < WORKERS:
        await asyncio.sleep(0.05)


@pytest.fixture
async def server(database_url, tmp_path):
    (tmp_path / "app.py").write_text("raise ImportError")  # the working directory may have an `app` of its own
    async with httpx2.AsyncClient(timeout=30) as http:
        server = Workers("workers", database_url, tmp_path, http, WORKERS=str(WORKERS), LOG_LEVEL="INFO")
        try:
            await asyncio.to_thread(server.wait_until_listening, server.port)
            await all_workers_serve(server)
            yield server
        finally:
            workers = server.workers() if server.exit_code is None else set()
            server.stop()
            await until_ended(workers)


async def until_ended(pids):
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        await asyncio.sleep(0.02)


async def until_replaced(server, workers):
    """Returns when none of these workers is left, and as many others serve."""
    await until_ended(workers)
    while len(server.workers()) < WORKERS or not ports.accepts(server.port):
        await asyncio.sleep(0.02)
    await all_workers_serve(server)


async def test_both_workers_serve_and_events_of_one_reach_clients_of_the_other(server):
    ann, bob = server.user("ann"), server.user("bob")
    session = await ann.creates_session()
    seen = Counter()
    while len(seen) < WORKERS or seen.total() < 50:
        seen[await server.worker_of_a_new_connection()] += 1
    # Each subscription and each append has a connection of its own; the workers share them out as they come.
    async with ann.follows(session) as one, ann.follows(session) as other, bob.watches() as stranger:
        for events in (one, other, stranger):
            await events.until("CaughtUp")
        for number in range(20):
            async with httpx2.AsyncClient() as http:
                await User("ann", server.url, ann.token, http).appends(session, f"text {number}")
        for events in (one, other):
            texts = [(await events.until("MessageAdded"))[-1]["message"]["text"] for _ in range(20)]
            assert texts == [f"text {number}" for number in range(20)]
        own = await bob.creates_session("bob's")
        first = (await stranger.until("SessionChanged"))[-1]
        assert first["session"]["id"] == own


async def test_the_metrics_of_all_workers_are_added_up_and_survive_a_worker(server):
    async def refused() -> float:
        return (await server.metrics())["colloquy_requests_total", "UNAUTHENTICATED,unknown"]

    for _ in range(40):
        await server.worker_of_a_new_connection()
    while await refused() < 40:
        await asyncio.sleep(0.1)
    scrape = await server.metrics()
    assert scrape["colloquy_requests_total", "UNAUTHENTICATED,unknown"] == 40
    assert scrape["colloquy_request_seconds_count", "unknown"] == 40
    assert scrape["colloquy_request_seconds_bucket", "+Inf,unknown"] == 40
    assert scrape["colloquy_bus_healthy", ""] == 1
    victim = next(iter(server.workers()))
    os.kill(victim, signal.SIGKILL)
    await until_replaced(server, [victim])
    assert await refused() == 40
    assert (await server.metrics())["colloquy_workers", ""] == WORKERS
    assert (await server.user("ann").creates_session()).startswith("ses_")


async def test_a_request_is_one_line_of_the_log(server):
    ids = []
    for _ in range(20):  # each on a connection of its own, so both workers answer
        async with httpx2.AsyncClient() as http:
            response = await http.post(f"{server.url}/graphql", json={"query": "{ __typename }"})
        ids.append(response.headers["x-request-id"])
    server.stop()
    lines = [orjson.loads(line) for line in server.log.read_text().splitlines()]
    assert [line["event"] for line in lines if line.get("request_id") in ids] == ["request"] * len(ids)


async def test_sigterm_ends_all_workers_and_running_requests_first(server):
    ann = server.user("ann")
    session = await ann.creates_session()
    workers = server.workers()
    async with ann.follows(session) as events:
        await events.until("CaughtUp")
        assert await asyncio.to_thread(server.stop) == 0
        with pytest.raises(Exception, match="1012"):
            await anext(events)
    await until_ended(workers)


async def test_workers_end_without_their_supervisor(server):
    processes = server.fork_servers() | server.workers()
    server.kill()
    await until_ended(processes)
    assert not ports.accepts(server.port)


async def test_workers_are_forked_from_a_process_that_has_imported_the_program(server):
    [fork_server] = server.fork_servers()
    for pid in (fork_server, *server.workers()):
        assert "asyncpg/protocol" in Path(f"/proc/{pid}/maps").read_text()
    assert "asyncpg" not in Path(f"/proc/{server.pid}/maps").read_text()
    assert os.listdir(f"/proc/{fork_server}/task") == [str(fork_server)]  # other threads would make a fork unsafe


async def test_workers_whose_fork_server_is_killed_are_replaced(server):
    """Without it the supervisor cannot notice the end of one: they drain and end, and another fork server makes others."""
    ann, workers, [fork_server] = server.user("ann"), server.workers(), server.fork_servers()
    session = await ann.creates_session()
    async with ann.follows(session) as events:
        await events.until("CaughtUp")
        os.kill(fork_server, signal.SIGKILL)
        with pytest.raises(Exception, match="1012"):
            await anext(events)
    await until_ended([fork_server])
    await until_replaced(server, workers)
    async with ann.follows(session) as events:
        await events.until("CaughtUp")


async def test_a_stop_signal_to_every_process_drains_all_workers_too(server):
    """As some service managers send it."""
    ann, workers, fork_servers = server.user("ann"), server.workers(), server.fork_servers()
    session = await ann.creates_session()
    async with ann.follows(session) as events:
        await events.until("CaughtUp")
        for pid in fork_servers | workers:
            os.kill(pid, signal.SIGTERM)
        assert await asyncio.to_thread(server.stop) == 0
        with pytest.raises(Exception, match="1012"):
            await anext(events)
    await until_ended(fork_servers | workers)


async def test_a_server_that_is_stopped_while_its_workers_start_ends(database_url, tmp_path):
    async with httpx2.AsyncClient() as http:
        server = Workers("starting", database_url, tmp_path, http, WORKERS=str(WORKERS))
        while not server.workers():
            await asyncio.sleep(0.001)
        processes = server.fork_servers() | server.workers()
        assert await asyncio.to_thread(server.stop) == 0
        await until_ended(processes)


async def test_a_worker_that_gets_no_processor_for_some_seconds_is_not_replaced(server):
    workers = server.workers()
    standing = next(iter(workers))
    os.kill(standing, signal.SIGSTOP)
    await asyncio.sleep(7)  # longer than the 5 s after which uvicorn replaces a worker
    os.kill(standing, signal.SIGCONT)
    await all_workers_serve(server)
    assert server.workers() == workers
    assert (await server.user("ann").creates_session()).startswith("ses_")


async def test_run_prints_where_several_workers_serve(database_url, tmp_path):
    async with httpx2.AsyncClient(timeout=30) as http:
        server = Workers("run", database_url, tmp_path, http, command="run", WORKERS=str(WORKERS))
        try:
            while "Ctrl-C stops everything" not in (log := server.log.read_text()):
                assert server.exit_code is None, log
                await asyncio.sleep(0.05)
            assert f"{server.url}/graphql" in log
        finally:
            code = server.stop()
        assert code == 0


async def test_an_application_that_cannot_start_ends_the_server(database_url, tmp_path):
    (tmp_path / "manifest.json").write_text("[]")
    async with httpx2.AsyncClient() as http:
        settings = {"WORKERS": "2", "TRUSTED_DOCUMENTS": str(tmp_path / "manifest.json")}
        server = Workers("broken", database_url, tmp_path, http, **settings)
        code = await asyncio.to_thread(server._popen.wait, 30)
    assert code == 3
    assert "manifest.json" in server.log.read_text()


async def test_a_temporary_directory_with_too_long_a_path_is_named(database_url, tmp_path):
    long = tmp_path / ("d" * 100)
    long.mkdir()
    async with httpx2.AsyncClient() as http:
        server = Workers("long", database_url, tmp_path, http, WORKERS="2", TMPDIR=str(long))
        code = await asyncio.to_thread(server._popen.wait, 30)
    assert code == 3
    assert "the path of TMPDIR is too long for a socket; set a shorter one, or give WORKERS=1" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()
