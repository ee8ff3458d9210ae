"""What operators observe: health, readiness with reasons, metrics, and logs without secrets."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import asyncpg
import httpx2
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from app.auth import mint
from app.settings import Settings
from harness import postgres
from harness.running_server import is_ready
from harness.server_settings import SECRET, settings_for
from tests.support.servers import serving

HERE = Path(__file__).resolve().parents[2]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def get(server, path):
    response = await server.http.get(f"{server.url}{path}")
    return response.status_code, response.json()


async def test_a_server_with_a_database_is_healthy_and_ready(server):
    await server.ready()
    assert await get(server, "/healthz") == (200, {"status": "ok"})
    status, answer = await get(server, "/readyz")
    assert status == 200
    assert is_ready(answer)
    assert answer["engine"]["name"].startswith(("PostgreSQL", "Citus "))


async def test_a_server_before_its_migrations_is_healthy_but_not_ready(empty_database):
    async with serving(settings_for(await empty_database())) as server:
        status, body = await get(server, "/readyz")
        assert (status, body["status"]) == (503, "unready")
        assert [reason.split(":")[0] for reason in body["reasons"]][-1] == "migrations"
        assert (await get(server, "/healthz"))[0] == 200


async def test_a_server_whose_database_is_dropped_is_healthy_but_not_ready(fresh_database, database_server):
    url = await fresh_database()
    async with serving(settings_for(url)) as server:
        await server.ready()
        admin = await asyncpg.connect(postgres.dsn(database_server))
        await admin.execute(f"drop database {make_url(url).database} with (force)")
        await admin.close()
        body = {"degraded": []}
        while not body["degraded"]:
            status, body = await get(server, "/readyz")
            assert (status, body["status"]) == (503, "unready")
            assert [reason.split(":")[0] for reason in body["reasons"]] == ["database"]
        assert [reason.split(":")[0] for reason in body["degraded"]] == ["wake-ups"]
        assert (await get(server, "/healthz"))[0] == 200


async def test_a_request_without_a_database_logs_one_line_and_no_traceback():
    async with serving(settings_for("postgresql+asyncpg://nobody@127.0.0.1:1/none")) as server:
        with capture_logs() as logs:
            answer = await server.user("ann").responds("{ viewer { stats { sessionCount } } }")
    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    [failed] = [entry for entry in logs if entry["event"] == "request_failed"]
    assert "ConnectionRefusedError" in failed["error"]
    assert "exc_info" not in failed


def test_dockerignore_permits_what_the_dockerfile_copies():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (HERE / "Dockerfile").read_text(), re.M)
    allowed = {line[1:] for line in (HERE / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {name for names in copied for name in names.split()} == allowed


async def metrics(server):
    response = await server.http.get(f"{server.url}/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    lines = [line.rsplit(" ", 1) for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def test_metrics_count_operations_by_kind_and_outcome(server, ann):
    before = await metrics(server)
    session = await ann.creates_session("Figures")
    await ann.sees(session, "title")
    await ann.responds("{ sessions(first: 0) { totalCount } }")
    await ann.responds("{ nothing }")
    async with ann.follows(session) as live:
        await live.until("CaughtUp")
        during = await metrics(server)
    changed = {name: during[name] - before[name] for name in during if name.startswith("colloquy_requests_total")}
    assert {name: by for name, by in changed.items() if by} == {
        'colloquy_requests_total{kind="mutation",outcome="OK"}': 1,
        'colloquy_requests_total{kind="query",outcome="OK"}': 1,
        'colloquy_requests_total{kind="query",outcome="BAD_USER_INPUT"}': 1,
        'colloquy_requests_total{kind="unknown",outcome="BAD_USER_INPUT"}': 1,
    }
    assert during["colloquy_subscribers"] == during["colloquy_sockets"] == 1
    count = 'colloquy_request_seconds_count{kind="mutation"}'
    assert during[count] - before[count] == 1
    assert during['colloquy_pool_connections{state="idle"}'] >= 1
    assert 'colloquy_pool_connections{state="busy"}' in during
    assert not [name for name in during if ann.name in name or session in name]


async def test_metrics_count_slow_statements_by_name(fresh_database):
    settings = settings_for(await fresh_database(), slow_statement_seconds=1e-6)
    async with serving(settings) as server:
        await server.user("ann").creates_session("Slow")
        found = await metrics(server)
    assert found['colloquy_slow_statements_total{statement="session.create"}'] == 1


async def test_the_log_has_a_line_for_each_request_and_no_secret(database_url):
    token, invalid = (mint(Settings(jwt_secret=SECRET), sub="ann", ttl_seconds=60 + n) for n in range(2))
    invalid = invalid[:-4] + "AAAA"
    variables = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "PORT": "0"}
    variables |= {"LOG_FORMAT": "json", "LOG_LEVEL": "info"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from app.cli import main; main()", "serve"),
        env=os.environ | variables,
        cwd=HERE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        lines, url = await until_it_serves(process)
        async with httpx2.AsyncClient(timeout=30) as http:
            for bearer in (token, invalid):
                await http.post(
                    f"{url}/graphql?access_token={token}",
                    json={"query": 'query Asked { session(key: "a private key") { id } }'},
                    headers={"authorization": f"Bearer {bearer}", "traceparent": f"00-{TRACE}-{'1' * 16}-01"},
                )
        process.send_signal(signal.SIGTERM)
        lines += (await process.stderr.read()).decode().splitlines()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    entries = [json.loads(line) for line in lines]
    [answered, refused] = [entry for entry in entries if entry["event"] == "request"]
    assert (answered["kind"], answered["operation"], answered["outcome"]) == ("query", "Asked", "OK")
    assert refused["outcome"] == "UNAUTHENTICATED"
    [why] = [entry for entry in entries if entry["event"] == "token_refused"]
    assert why["reason"] == "The signature was made by another key than JWT_SECRET."
    assert why["request_id"] == refused["request_id"]
    assert answered["trace_id"] == refused["trace_id"] == TRACE
    assert answered["request_id"] != refused["request_id"]
    assert all({"level", "timestamp", "logger"} <= entry.keys() for entry in entries)
    password = make_url(database_url).password
    secrets = [SECRET, *token.split("."), *invalid.split("."), "a private key", *([password] if password else [])]
    assert [secret for secret in secrets if secret in "\n".join(lines)] == []


async def until_it_serves(process):
    """The lines of the log so far, and the address of the server."""
    lines = []
    while not lines or "http://" not in lines[-1]:
        line = await process.stderr.readline()
        assert line, f"the process ended: {lines}"
        lines.append(line.decode())
    return lines, "http://" + lines[-1].split("http://")[1].split()[0].rstrip('",')
