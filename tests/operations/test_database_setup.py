"""Databases that are not as they should be: real servers, and the words that commands, log and `/readyz` have for it."""

import asyncio
import gc
import importlib.util
import os
import subprocess
import sys
import warnings
from itertools import count

import pytest
from structlog.testing import capture_logs

from app.db.operations import migrate, readiness
from harness.postgres import at, connected
from harness.server_settings import environment_for, settings_for
from harness.strict_postgres import PASSWORD, strict_postgres
from tests.support.databases import open_database
from tests.support.servers import serving

NUMBERS = count()
LOCALE_C = "template template0 encoding 'UTF8' locale 'C'"
WRONG = "not the password"
CLIENT_CERTIFICATES = "select client_dn from pg_stat_ssl join pg_stat_activity using (pid) where usename = $1"
FILES = {"sslrootcert": "root.pem", "sslcert": "certified.pem", "sslkey": "certified.key"}


@pytest.fixture(scope="module")
async def strict():
    """The strict server with a role `ann`, a role `full` without connections, and the databases with rules."""
    with strict_postgres() as server:
        async with connected(server.admin) as admin:
            await admin.execute(f"create role ann login password '{PASSWORD}'")
            await admin.execute(f"create role full_up login password '{PASSWORD}' connection limit 0")
            await admin.execute("create role certified login")
            for name in ("tls_only", "certificate_only"):
                await admin.execute(f"create database {name} owner certified")
        yield server


@pytest.fixture(autouse=True)
def close_refused():
    """Frees connections over TLS that the server refused: some still wait for its last word when their loop ends."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
async def database(strict):
    """`await database(options)` creates a database on the strict server and returns its name."""
    made = []

    async def create(options):
        made.append(f"made_{next(NUMBERS)}")
        async with connected(strict.admin) as admin:
            await admin.execute(f"create database {made[-1]} {options}")
        return made[-1]

    yield create
    async with connected(strict.admin) as admin:
        for name in made:
            await admin.execute(f"drop database {name} with (force)")


@pytest.fixture
async def embedded_database(database_server):
    """The same on the server of all tests; returns its URL."""
    made = []

    async def create(options):
        made.append(f"colloquy_test_{os.getpid()}_setup_{next(NUMBERS)}")
        async with connected(database_server) as admin:
            await admin.execute(f"create database {made[-1]} {options}")
        return at(database_server, made[-1])

    yield create
    async with connected(database_server) as admin:
        for name in made:
            await admin.execute(f"drop database {name} with (force)")


async def unready(url, **options):
    db = open_database(url, **options)
    try:
        return await readiness.unready(db)
    finally:
        await db.close()


async def migrated(url):
    """The error of a migration to the newest revision; an empty text if there is none."""
    try:
        await asyncio.to_thread(migrate.upgrade, url)
    except migrate.MigrationError as error:
        return str(error)
    return ""


async def command(url, *arguments):
    """The exit code of a `colloquy` command, and what it printed to stderr."""
    line = [sys.executable, "-c", "from app.cli import main; main()", *arguments]
    environment = os.environ | environment_for(url)
    done = await asyncio.to_thread(subprocess.run, line, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


UNUSABLE = {
    "password": (lambda server: server.url("ann", "postgres", WRONG), "the password is wrong"),
    "role": (lambda server: server.url("nobody_knows", "postgres"), "the password is wrong"),
    "database": (lambda server: server.url("ann", "missing"), "has no database of this name; create it"),
    "limit": (lambda server: server.url("full_up", "postgres"), "no connection left; lower POOL_SIZE"),
    "without TLS": (lambda server: server.url("ann", "tls_only", sslmode="disable"), "only connections with TLS"),
    "authority": (
        lambda server: server.url("ann", "postgres", sslmode="verify-ca", sslrootcert=f"{server.files}/other.pem"),
        "certificate is not trusted",
    ),
    "host of the certificate": (
        lambda server: server.url(
            "ann", "postgres", host="localhost", sslmode="verify-full", sslrootcert=f"{server.files}/root.pem"
        ),
        "certificate is not trusted (Hostname mismatch)",
    ),
    "certificate": (
        lambda server: server.url("certified", "certificate_only", "", sslmode="require"),
        "does not admit this user",
    ),
    "host": (lambda server: server.url("ann", "postgres", host="nowhere.invalid"), "the host is unknown"),
    "port": (lambda _server: "postgresql://ann@127.0.0.1:1/db", "nothing accepts connections there"),
    "addresses": (lambda _server: "postgresql://ann@localhost:1/db", "in DATABASE_URL"),
    "socket": (lambda _server: "postgresql://ann@/db?host=/nowhere", "there is no socket"),
}


@pytest.mark.parametrize("case", UNUSABLE)
async def test_a_server_that_does_not_let_us_in_has_plain_words_without_names(strict, case):
    url, words = UNUSABLE[case][0](strict), UNUSABLE[case][1]
    reason, error = await unready(url), await migrated(url)
    assert reason.startswith("database: ")
    assert words in reason
    assert words in error
    assert [part for part in ("ann", "127.0.0.1", "localhost", "nowhere", WRONG, PASSWORD) if part in reason] == []
    assert [part for part in (WRONG, PASSWORD, "%23", "sqlalche") if part in error] == []


async def test_a_server_without_tls_has_words_for_it(strict):
    url = strict.url("ann", "postgres", sslmode="require")
    assert "TLS" not in await unready(url)
    async with connected(strict.admin) as admin:
        await admin.execute("alter system set ssl = off")
        await admin.execute("select pg_reload_conf()")
        try:
            while "the server refused TLS" not in (reason := await unready(url)):
                assert reason.startswith("migrations: ")  # the server has not read its configuration yet
            assert "the server refused TLS" in await migrated(url)
        finally:
            await admin.execute("alter system set ssl = on")
            await admin.execute("select pg_reload_conf()")
            while "TLS" in await unready(url):
                await asyncio.sleep(0.01)


async def test_a_client_certificate_of_the_url_is_shown_to_the_server(strict):
    files = {name: f"{strict.files}/{file}" for name, file in FILES.items()}
    url = strict.url("certified", "certificate_only", "", sslmode="verify-full", **files)
    assert await migrated(url) == ""
    async with serving(settings_for(url)) as server:
        await server.ready()
        assert await server.user("ann").creates_session("With a certificate")
        async with connected(strict.admin) as admin:
            shown = await admin.fetch(CLIENT_CERTIFICATES, "certified")
    assert {row["client_dn"] for row in shown} == {"/CN=certified"}


async def test_the_error_of_a_user_without_the_right_to_create_tables_has_the_remedy(strict, database):
    name = await database("")
    url = strict.url("ann", name)
    error = await migrated(url)
    assert "permission denied for schema public" in error
    assert "GRANT CREATE, USAGE ON SCHEMA public" in error
    async with connected(at(strict.admin, name)) as admin:
        await admin.execute("grant create, usage on schema public to ann")
    assert await migrated(url) == ""
    assert await unready(url) is None


async def test_the_error_of_a_user_without_rights_on_the_tables_names_the_right(strict, database):
    name = await database("owner certified")
    assert await migrated(at(strict.admin, name)) == ""
    assert "lacks a right" in await unready(strict.url("ann", name))
    code, printed = await command(strict.url("ann", name), "check")
    assert (code, len(printed.splitlines())) == (1, 1)
    assert "lacks a right" in printed


async def test_a_role_that_is_missing_or_not_granted_has_the_remedy(strict, database):
    name = await database("owner certified")
    assert await migrated(at(strict.admin, name)) == ""
    assert "run `colloquy migrate` with it" in await unready(strict.url("ann", name), role="missing")
    assert "member of that role" in await unready(strict.url("ann", name), role="certified")


@pytest.mark.parametrize("arguments", [("check",), ("sweep",), ("sweep", "--dry-run"), ("reindex",)], ids=" ".join)
async def test_a_command_before_the_migration_prints_one_line(empty_database, arguments):
    code, printed = await command(await empty_database(), *arguments)
    assert (code, len(printed.splitlines())) == (1, 1)
    assert "migrations: the database has no tables" in printed
    assert "run `colloquy migrate`" in printed


@pytest.mark.parametrize("arguments", [("check",), ("migrate",), ("serve", "--migrate")], ids=" ".join)
async def test_a_command_with_a_wrong_password_prints_one_line(strict, arguments):
    code, printed = await command(strict.url("ann", "postgres", WRONG), *arguments)
    assert (code, len(printed.splitlines())) == (1, 1)
    assert "the password is wrong" in printed
    assert "postgresql://ann@127.0.0.1" in printed
    assert WRONG not in printed


async def test_a_server_logs_at_its_start_why_it_is_not_ready(strict):
    with capture_logs() as logs:
        async with serving(settings_for(strict.url("ann", "postgres", WRONG))) as server:
            answer = (await server.http.get(f"{server.url}/readyz")).json()
            while not (found := [entry for entry in logs if entry["event"] == "server.unready"]):
                await asyncio.sleep(0.01)
    assert "the password is wrong" in answer["reasons"][0]
    assert found[0]["reasons"] == answer["reasons"]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
async def test_a_database_that_is_not_utf8_is_refused_everywhere(embedded_database, encoding):
    url = await embedded_database(f"template template0 encoding '{encoding}' locale 'C'")
    words = f"its encoding is {encoding}, and must be UTF8; create another"
    assert words in await migrated(url)
    for arguments in (("migrate",), ("check",)):
        code, printed = await command(url, *arguments)
        assert (code, len(printed.splitlines())) == (1, 1)
        assert words in printed
    async with serving(settings_for(url)) as server:
        answer = await server.http.get(f"{server.url}/readyz")
    assert answer.status_code == 503
    assert words in answer.json()["reasons"][0]


async def finds_in_any_case(url):
    """Writes in capitals as one user, and searches in small letters as two."""
    assert await migrated(url) == ""
    async with serving(settings_for(url)) as server:
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session("ÄRGER mit der ÉCOLE")
        await ann.appends(session, "Ärger 👩‍👩‍👧 in ΑΘΗΝΑ")
        await ann.does("createAgent", key="a", name="ÜBERSETZER", type="assistant")
        for query in ("ärger", "ÄRGER", "École", "e\u0301cole"):
            assert await titles(ann, query) == ["ÄRGER mit der ÉCOLE"]
            assert await titles(bob, query) == []
        for query in ("ärger", "αθηνα", "Αθηνα"):
            assert await found(ann, query) == ["Ärger 👩‍👩‍👧 in ΑΘΗΝΑ"]
            assert await found(bob, query) == []
        agents = "query ($q: String) { agents(filter: {query: $q}) { nodes { name } } }"
        assert (await ann.asks(agents, q="übersetzer"))["agents"]["nodes"] == [{"name": "ÜBERSETZER"}]
        assert (await bob.asks(agents, q="übersetzer"))["agents"]["nodes"] == []


async def titles(user, query):
    answer = await user.asks("query ($q: String) { sessions(filter: {query: $q}) { nodes { title } } }", q=query)
    return [node["title"] for node in answer["sessions"]["nodes"]]


async def found(user, query):
    answer = await user.asks("query ($q: String!) { searchMessages(query: $q) { nodes { text } } }", q=query)
    return [node["text"] for node in answer["searchMessages"]["nodes"]]


async def provider(url):
    async with connected(url) as connection:
        return await connection.fetchval("select collprovider from pg_collation where collname = 'colloquy_case'")


@pytest.mark.plain_postgresql("it needs PostgreSQL 17, and the cluster may be of an older one")
@pytest.mark.parametrize("options", [LOCALE_C, f"{LOCALE_C} locale_provider builtin builtin_locale 'C'"])
async def test_case_does_not_count_in_a_database_of_the_locale_c(embedded_database, options):
    url = await embedded_database(options)
    await finds_in_any_case(url)
    assert await provider(url) == b"b"


async def test_case_does_not_count_in_the_locale_c_of_an_older_postgresql(strict, database):
    url = at(strict.admin, await database(LOCALE_C))
    await finds_in_any_case(url)
    assert await provider(url) == b"i"


async def test_the_collation_is_the_systems_where_there_is_no_other(strict, database):
    url = at(strict.admin, await database(LOCALE_C))
    create = script("0010_case_folding").CREATE
    async with connected(url) as connection:
        without = create.replace("provider = builtin", "provider = none").replace("provider = icu", "provider = none")
        await connection.execute(without)
        assert await connection.fetchval("select lower('ÄÉ' collate colloquy_case)") == "äé"
        await connection.execute("drop collation colloquy_case")
        with pytest.raises(Exception, match="neither ICU nor the locale"):
            await connection.execute(without.replace("provider = libc", "provider = none"))


def script(name):
    spec = importlib.util.spec_from_file_location(name, readiness.SCRIPTS / "versions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
