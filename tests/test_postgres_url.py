"""The URL of the database: what is accepted, what is refused in which words, and what the driver gets."""

import os
import ssl
import subprocess
import sys

import pytest

from app.settings import Settings, SettingsError
from app.settings.postgres_url import MODES, driver_arguments, each_host, postgres_url, without_password
from harness.certificates import Authority

NAMED = "postgresql://me@host/db"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Certificates and keys in the working directory."""
    authority = Authority()
    certificate, key = authority.issue("me")
    _, other_key = authority.issue("somebody else")
    contents = {"root.pem": authority.pem, "me.pem": certificate, "me.key": key, "other.key": other_key}
    for name, content in (contents | {"text": b"not PEM"}).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "directory").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_becomes_one(scheme):
    settings = Settings(
        database_url=f"{scheme}://me:p%40ss@host:6432/db?ssl=require",
        database_direct_url=f"{scheme}://me@/db?host=/run/pg",
    )
    assert settings.database_url == "postgresql://me:p%40ss@host:6432/db?sslmode=require"
    assert settings.database_direct_url == "postgresql://me@/db?host=/run/pg"
    assert driver_arguments(settings.database_url) == {"dsn": settings.database_url}
    assert without_password(settings.database_url) == "postgresql://me@host:6432/db"


@pytest.mark.parametrize("mode", MODES[:4])
def test_every_mode_of_libpq_without_verification_needs_nothing_else(mode):
    assert postgres_url(f"{NAMED}?sslmode={mode}") == f"{NAMED}?sslmode={mode}"


def test_spaces_and_signs_of_a_path_are_kept():
    url = postgres_url("postgresql://me@/db?host=/a%20b/c%2Bd")
    assert url == "postgresql://me@/db?host=/a%20b/c%2Bd"
    assert postgres_url(url) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://host:port/db", "it is not a URL; give postgresql://"),
        ("postgresql://[::1/db", "it is not a URL; give postgresql://"),
        ("postgresql:///db", "it names no host; give postgresql://"),
        ("postgresql://me:pa?ss=w@host/db", "it has a ? before the @; give %3F instead"),
        ("postgresql://host/", "it names no database; give postgresql://"),
        ("postgresql://one,,two/db", "one of its hosts has no name; give postgresql://"),
        ("postgresql://one:99999,two/db", "it is not a URL; give postgresql://"),
        ("postgresql://me@/db?host=one,two&port=1,2,3", "it has another number of ports than of hosts; give one port"),
        ("postgresql://me@/db?host=one&host=two", "it has a parameter twice; give one value, such as host=one,two"),
        (f"{NAMED}?target_session_attrs=write", "target_session_attrs=write is not accepted; give one of any, read-wr"),
        ("host=localhost dbname=db", "it is not a PostgreSQL URL; give postgresql://"),
        ("postgresql://me:a#b@host/db", "it has a #, which begins a comment in a URL; give %23 instead"),
        (f"{NAMED}?sslmode=bogus", "sslmode=bogus is not accepted; give one of disable, allow, prefer, require,"),
        (f"{NAMED}?sslmode=Require", "sslmode=Require is not accepted; give one of disable,"),
        (f"{NAMED}?ssl=true", "sslmode=true is not accepted; give one of disable,"),
        (f"{NAMED}?verify", "its parameters are not name=value; give ?sslmode=require"),
        (f"{NAMED}?sslmod=require", "it has the parameter sslmod, which is unknown here; give sslmode"),
        (f"{NAMED}?sslrootcer=/ca.pem", "it has the parameter sslrootcer, which is unknown here; give sslrootcert"),
        (f"{NAMED}?channel_binding=require", "it has the parameter channel_binding, which is unknown here; give none,"),
        (f"{NAMED}?sslmode=verify-full", "sslmode=verify-full needs to know the authority; give sslrootcert=FILE"),
        (
            f"{NAMED}?sslmode=verify-ca&sslrootcert=none.pem",
            "none.pem cannot be read (No such file or directory); give",
        ),
        (f"{NAMED}?sslmode=verify-ca&sslrootcert=directory", "directory cannot be read (Is a directory); give a file"),
        (f"{NAMED}?sslmode=verify-ca&sslrootcert=text", "sslrootcert cannot be used ("),
        (f"{NAMED}?sslrootcert=root.pem", "sslrootcert is set, and sslmode=prefer does not check it; give sslmode=ver"),
        (f"{NAMED}?sslmode=disable&sslrootcert=root.pem", "sslrootcert is set, and sslmode=disable does not check it"),
        (f"{NAMED}?sslmode=verify-ca&sslrootcert=system", "sslrootcert is set, and sslmode=verify-ca does not check"),
        (f"{NAMED}?sslmode=require&sslkey=me.key", "sslkey is set without sslcert; give both, or neither"),
        (f"{NAMED}?sslmode=require&sslcert=me.pem&sslkey=other.key", "sslcert and sslkey cannot be used ("),
        (f"{NAMED}?sslmode=require&sslcert=text&sslkey=me.key", "sslcert and sslkey cannot be used ("),
        (f"{NAMED}?sslmode=require&sslcert=me.pem&sslkey=none.key", "none.key cannot be read (No such file"),
    ],
)
@pytest.mark.parametrize("setting", ["DATABASE_URL", "DATABASE_DIRECT_URL"])
def test_a_wrong_url_is_refused_at_the_start_with_what_to_give(files, monkeypatch, setting, url, problem):
    monkeypatch.setenv("DATABASE_URL", NAMED)
    monkeypatch.setenv("JWT_SECRET", "0123456789abcdef" * 2)
    monkeypatch.setenv(setting, url)
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    [line] = refused.value.problems
    assert line.startswith(f"{setting}: {problem}")
    assert "; give " in line
    assert "a#b" not in line


def test_certificates_of_libpq_reach_the_driver(files):
    url = f"{NAMED}?sslmode=verify-full&sslrootcert=root.pem&sslcert=me.pem&sslkey=me.key"
    assert driver_arguments(url) == {"dsn": url}


def test_the_authorities_of_the_machine_are_trusted_by_name(files):
    url = f"{NAMED}?sslmode=verify-full&sslrootcert=system&sslcert=me.pem&sslkey=me.key&port=6432"
    arguments = driver_arguments(url)
    assert arguments["dsn"] == f"{NAMED}?port=6432"
    assert (arguments["ssl"].verify_mode, arguments["ssl"].check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_authority_in_the_home_directory_is_found_as_by_libpq(files, tmp_path):
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / "root.pem").rename(tmp_path / ".postgresql/root.crt")
    assert postgres_url(f"{NAMED}?sslmode=verify-full") == f"{NAMED}?sslmode=verify-full"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_a_url_without_a_user_needs_an_account_with_a_name():
    program = "from app.settings.postgres_url import postgres_url; postgres_url('postgresql://host/db')"
    names = ("HOME", "USER", "LOGNAME", "USERNAME")
    # That account may not write what a run measures of its coverage.
    nameless = {name: value for name, value in os.environ.items() if name not in names and not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", f"import os, app.settings; os.setuid(123_456_789); {program}"],
        env=nameless | {"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-1].startswith("ValueError: it names no user, and the account of this process")
    assert postgres_url("postgresql://host/db") == "postgresql://host/db"


def test_several_hosts_are_tried_in_their_order_for_one_that_accepts_writes():
    url = postgres_url("postgres://me:p%40ss@one:5433,two,[::1]:5434/db?sslmode=disable")
    assert url == "postgresql://me:p%40ss@one:5433,two,[::1]:5434/db?sslmode=disable"
    rest = "/db?sslmode=disable&target_session_attrs=read-write"
    assert each_host(url) == [f"postgresql://me:p%40ss@{host}{rest}" for host in ("one:5433", "two", "[::1]:5434")]
    assert without_password(url) == "postgresql://me@one:5433,two,[::1]:5434/db"


@pytest.mark.parametrize(
    ("ports", "expected"), [("", (None, None)), ("&port=6432", (6432, 6432)), ("&port=1,2", (1, 2))]
)
def test_hosts_may_be_a_parameter_with_one_port_or_one_for_each(ports, expected):
    url = postgres_url(f"postgresql://me@/db?host=/run/pg,two{ports}&target_session_attrs=any")
    assert postgres_url(url) == url
    asked = [f"&port={port}" if port else "" for port in expected]
    assert each_host(url) == [f"postgresql://me@/db?host=/run/pg{asked[0]}", f"postgresql://me@/db?host=two{asked[1]}"]


def test_one_host_is_used_whatever_it_is_unless_the_url_has_a_target():
    assert each_host(NAMED) == [NAMED]
    assert each_host(f"{NAMED}?target_session_attrs=primary") == [f"{NAMED}?target_session_attrs=primary"]


def test_a_standby_is_preferred_by_trying_every_host_as_one_first():
    url = "postgresql://me@one,two/db?target_session_attrs=prefer-standby"
    standby = "?target_session_attrs=standby"
    found = [f"postgresql://me@{host}/db{target}" for target in (standby, "") for host in ("one", "two")]
    assert each_host(url) == found
