"""Settings from the environment: what is accepted, and the message for everything else."""

import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, resembling_variables
from app.settings.reference import example, table
from app.settings.stored_secret import stored_secret
from harness.postgres import directory

ROOT = Path(__file__).parent.parent
SECRET = "0123456789abcdef" * 2
DATABASE = "postgresql://host/db"


@pytest.fixture(autouse=True)
def _bare(monkeypatch, tmp_path):
    """An environment with nothing but DATA_DIR, and an empty working directory."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def given(monkeypatch):
    def given(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return given


def problems():
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    return dict(line.split(": ", 1) for line in str(refused.value).splitlines())


def test_an_empty_environment_is_a_development_server():
    settings = Settings.load()
    assert (settings.embedded, settings.production) == (True, False)
    assert (settings.graphiql, settings.introspection, settings.log_format) == (True, True, "console")
    assert (settings.max_body_bytes, settings.max_frame_bytes) == (8 * 1024 * 1024, 256 * 1024)


def test_every_problem_is_reported_at_once_with_what_is_accepted(given):
    given(PORT="eighty", LOG_FORMAT="xml", JWT_SECRET="short", GRAPHIQL="perhaps", CORS_ORIGINS="https://a, b")
    given(MAX_DEPTH="0", SEARCH_CONFIG="'); drop", JWKS_URL="file:///etc/passwd", DATABASE_URL="mysql://a/b")
    found = problems()
    assert set(found) == {
        *("PORT", "LOG_FORMAT", "JWT_SECRET", "GRAPHIQL", "CORS_ORIGINS"),
        *("MAX_DEPTH", "SEARCH_CONFIG", "JWKS_URL", "DATABASE_URL"),
    }
    assert list(found) == [name.upper() for name in Settings.model_fields if name.upper() in found]
    assert found["PORT"] == "'eighty' is not accepted; give a whole number from 0 to 65535"
    assert found["JWT_SECRET"] == "it has 5 bytes; give at least 32 (openssl rand -hex 32)"
    assert all("; give " in problem for problem in found.values())


def test_what_no_browser_proxy_or_client_could_mean_is_refused(given):
    given(CORS_ORIGINS="https://*.example.com,https://*", ROOT_PATH="chat", FORWARDED_ALLOW_IPS="10.0.0.0/8,proxy")
    given(TRUSTED_DOCUMENTS_MODE="always")
    found = problems()
    assert found == {
        "CORS_ORIGINS": "'https://*' is not an origin; give * or scheme://host[:port], separated by commas",
        "ROOT_PATH": "'chat' is not a path; give /chat",
        "FORWARDED_ALLOW_IPS": "'proxy' is not an address; give 10.0.0.7, 10.0.0.0/8 or *, separated by commas",
        "TRUSTED_DOCUMENTS_MODE": "'always' is not accepted; give prefer or only",
    }
    given(CORS_ORIGINS="", ROOT_PATH="", FORWARDED_ALLOW_IPS="", TRUSTED_DOCUMENTS_MODE="only")
    assert problems().keys() == {"TRUSTED_DOCUMENTS_MODE"}


@pytest.mark.parametrize("name", ["none", "pg_monitor", "Server", "a b", "a;b", 'a"b', "1a", "a" * 64])
def test_a_database_role_needs_no_quotes(given, name):
    given(DATABASE_ROLE=name)
    assert problems() == {"DATABASE_ROLE": f"{name!r} is not a name for a role; give colloquy_server"}


def test_a_budget_allows_at_least_the_largest_operation(given):
    given(BUDGET_COST="19999")
    assert problems() == {"BUDGET_COST": "an operation may cost 20000 (MAX_COST); give at least that, or 0"}
    given(MAX_COST="100")
    assert Settings.load().budget_cost == 19_999


@pytest.mark.parametrize(
    ("name", "given_text", "becomes"),
    [
        ("root_path", "/", ""),
        ("root_path", "/chat/", "/chat"),
        ("root_path", "/a/b.c", "/a/b.c"),
        (
            "cors_origins",
            "HTTPS://App.Example.com:443, capacitor://localhost",
            ("https://app.example.com", "capacitor://localhost"),
        ),
        ("forwarded_allow_ips", "::1,10.0.0.7", ("::1", "10.0.0.7")),
    ],
)
def test_addresses_have_one_spelling(name, given_text, becomes):
    assert getattr(Settings(**{name: given_text}), name) == becomes


def test_values_and_their_conflicts_are_reported_together(given):
    given(ENVIRONMENT="production", PORT="x", JWT_SECRET=SECRET, JWKS_URL="http://issuer/keys")
    assert problems().keys() == {"PORT", "JWT_SECRET", "JWKS_URL", "DATABASE_URL"}


def test_no_message_contains_a_secret(given):
    given(JWT_SECRET="hush-1", DATABASE_URL="mysql://me:hush-2@host/db", REDIS_URL="http://:hush-3@host")
    given(JWT_SECRET_PREVIOUS="hush-4")
    assert problems().keys() == {"JWT_SECRET", "JWT_SECRET_PREVIOUS", "DATABASE_URL", "REDIS_URL"}
    assert "hush" not in str(problems())
    secrets = {"jwt_secret": "hush" * 8, "jwt_secret_previous": "hush" * 9}
    assert "hush" not in repr(Settings(**secrets, database_url="postgresql://me:hush@host/db"))


def test_urls_of_standbys_are_checked_as_that_of_the_database(given):
    given(
        DATABASE_URL=DATABASE, DATABASE_REPLICA_URLS="postgres://one/db, postgresql://me:hush@two:5433/db?ssl=require"
    )
    expected = ("postgresql://one/db", "postgresql://me:hush@two:5433/db?sslmode=require")
    assert Settings.load().database_replica_urls == expected
    assert "hush" not in repr(Settings.load())
    given(DATABASE_REPLICA_URLS="postgresql://one/db,mysql://me:hush@two/db")
    assert problems().keys() == {"DATABASE_REPLICA_URLS"}
    assert "hush" not in str(problems())
    given(DATABASE_URL="", DATABASE_REPLICA_URLS="postgresql://one/db")
    assert problems() == {"DATABASE_REPLICA_URLS": "it is set without DATABASE_URL; give both, or neither"}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"JWT_SECRET": SECRET, "JWT_SECRET_PREVIOUS": SECRET}, "it is the same as JWT_SECRET"),
        ({"JWT_SECRET": SECRET, "JWT_SECRET_PREVIOUS": SECRET[1:]}, "it has 31 bytes"),
        ({"JWKS_URL": "https://issuer/keys", "JWT_SECRET_PREVIOUS": SECRET}, "it is set beside JWKS_URL"),
        ({"JWT_SECRET_PREVIOUS": SECRET}, "it is set without JWT_SECRET"),
    ],
)
def test_a_previous_secret_that_can_verify_nothing_is_refused(given, values, why):
    given(**values)
    assert {name: problem.partition(";")[0] for name, problem in problems().items()} == {"JWT_SECRET_PREVIOUS": why}


def test_names_of_claims_and_prefixes_that_can_never_match_are_refused(given):
    given(JWT_OWNER_CLAIM="", JWT_ROLES_CLAIM="realm_access..roles", JWT_SCOPE_CLAIMS="scp, two words")
    given(JWT_SCOPE_PREFIXES="api://app-id/,api://app-id")
    assert {name: problem.partition(";")[0] for name, problem in problems().items()} == {
        "JWT_ROLES_CLAIM": "'realm_access..roles' is not a claim",
        "JWT_SCOPE_CLAIMS": "'two words' is not a claim",
        "JWT_SCOPE_PREFIXES": "'api://app-id' does not end in a separator",
    }


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"JWT_SECRET": SECRET}, "DATABASE_URL"),
        ({"DATABASE_URL": DATABASE}, "JWT_SECRET"),
        ({"DATABASE_URL": DATABASE, "JWT_SECRET": SECRET[1:]}, "JWT_SECRET"),
        ({"DATABASE_URL": DATABASE, "JWKS_URL": "http://issuer/keys"}, "JWKS_URL"),
        ({"DATABASE_URL": DATABASE, "JWKS_URL": "http://localhost.evil/keys"}, "JWKS_URL"),
        ({"DATABASE_URL": DATABASE, "JWKS_URL": "https://issuer/keys", "JWT_SECRET": SECRET}, "JWT_SECRET"),
    ],
)
def test_production_refuses_what_only_development_allows(given, values, refused):
    given(ENVIRONMENT="Production", **values)
    assert problems().keys() == {refused}


@pytest.mark.parametrize("key", [{"JWT_SECRET": SECRET}, {"JWKS_URL": "http://127.0.0.1:9/keys"}])
def test_production_hides_the_schema_and_graphiql_unless_they_are_set(given, key):
    given(ENVIRONMENT="production", DATABASE_URL=DATABASE, **key)
    settings = Settings.load()
    assert (settings.embedded, settings.production) == (False, True)
    assert (settings.graphiql, settings.introspection, settings.log_format) == (False, False, "json")
    given(GRAPHIQL="true", INTROSPECTION="on")
    assert (Settings.load().graphiql, Settings.load().introspection) == (True, True)


def test_the_environment_precedes_the_file_and_an_empty_value_is_none(given):
    Path(".env").write_text("PORT=1\nHOST=::1\nSOMEBODY_ELSES=thing\nJWKS_URL=\nAGENT_TYPES= coder ,,writer\n")
    given(PORT="2", LOG_LEVEL="")
    settings = Settings.load()
    assert (settings.port, settings.host, settings.log_level, settings.jwks_url) == (2, "::1", "info", None)
    assert settings.agent_types == ("coder", "writer")


def test_a_value_that_is_not_utf8_is_refused(monkeypatch):
    monkeypatch.setitem(os.environb, b"JWT_SECRET", b"\xff" * 40)
    assert problems() == {"JWT_SECRET": "it is not UTF-8; give text, such as 64 hexadecimal digits"}
    Path(".env").write_bytes(b"HOST=\xff")
    assert problems() == {".env": "it is not UTF-8; save it as UTF-8"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("JWT_SECRT", "JWT_SECRET"),
        ("jwt_secert", "JWT_SECRET"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("REDIS_URI", "REDIS_URL"),
        ("GRAPHQL", "GRAPHIQL"),
    ],
)
def test_a_misspelt_setting_is_an_error_in_the_file_and_a_warning_in_the_environment(given, written, meant):
    given(**{written: "x"})
    Settings.load()
    assert resembling_variables() == [f"{written.upper()}: there is no such setting; {meant} is one"]
    Path(".env").write_text(f"PORT=x\n{written}=hush\n")
    assert problems() == {
        "PORT": "'x' is not accepted; give a whole number from 0 to 65535",
        written.upper(): f".env has it, and there is no such setting; give {meant}",
    }


def test_a_name_of_another_program_is_no_misspelt_setting(given, monkeypatch):
    for name in os.environ:
        monkeypatch.delenv(name)
    others = "HOSTNAME PGHOST PGPORT XDG_DATA_DIRS PATH HOME REDIS_PORT COLLOQUY_PORT COLLOQUY_SERVICE_HOST LOGNAME"
    given(**dict.fromkeys(others.split(), "x"), LOG_LEVEL="info", LOGLEVEL="their own")
    assert resembling_variables() == []
    Path(".env").write_text("POSTGRES_PASSWORD=x\nREDIS_URI=theirs\nREDIS_URL=redis://ours\n")
    assert Settings.load().redis_url == "redis://ours"


def test_a_directory_in_the_place_of_the_file_is_named():
    Path(".env").mkdir()
    assert problems() == {".env": "it cannot be read (it is a directory); give a file, or remove it"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
@pytest.mark.parametrize("mode", [0o000, 0o755], ids=["directory", "file"])
def test_a_file_of_another_account_is_named(mode):
    program = """
import os, sys
from app.settings import Settings, SettingsError, resembling_variables
os.chdir(sys.argv[1])
os.setuid(65534)
try:
    Settings.load()
except SettingsError as error:
    print(error)
"""
    with directory() as parent:
        (parent / "private").mkdir(mode=mode)
        (parent / "private/.env").write_text("PORT=1")
        (parent / "private/.env").chmod(0o000)
        line = [sys.executable, "-c", program, str(parent / "private")]
        done = subprocess.run(line, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout == ".env: it cannot be read (Permission denied); give a file, or remove it\n", done.stderr


def test_a_direct_url_needs_a_database_url(given):
    given(DATABASE_DIRECT_URL=DATABASE)
    assert problems().keys() == {"DATABASE_DIRECT_URL"}


def test_the_development_secret_survives_restarts_and_is_readable_by_its_user_only(tmp_path):
    first, again = Settings.load(), Settings.load()
    assert first.jwt_secret == again.jwt_secret
    assert len(first.jwt_secret) == 64
    assert [settings.generated_secret.is_new for settings in (first, again)] == [True, False]
    (file,) = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_processes_that_start_at_once_share_one_secret(tmp_path):
    directories = [tmp_path / str(number) for number in range(50)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.map(stored_secret, [directory for directory in directories for _ in range(2)], chunksize=1)
    assert made[0::2] == made[1::2]
    assert len(set(made)) == len(directories)
    assert [len(list(directory.iterdir())) for directory in directories] == [1] * len(directories)


def test_no_secret_is_created_with_jwks_or_with_problems(given, tmp_path):
    given(JWKS_URL="https://issuer/keys")
    assert Settings.load().jwt_secret is None
    given(JWKS_URL="", PORT="x")
    assert problems().keys() == {"PORT"}
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_cannot_hold_a_secret_is_reported(given, tmp_path):
    (tmp_path / "file").write_text("")
    given(DATA_DIR=str(tmp_path / "file" / "below"))
    assert problems().keys() == {"DATA_DIR"}
    (tmp_path / "jwt-secret").write_text("cut off")
    given(DATA_DIR=str(tmp_path))
    assert "delete it" in problems()["DATA_DIR"]


def test_the_example_file_is_current_and_has_the_defaults():
    assert (ROOT / ".env.example").read_text() == example(), "write it again: app.settings.reference.example()"
    lines = [line.removeprefix("#") for line in example().splitlines() if not line.startswith("# ")]
    assert "PORT=8000" in lines
    without = Settings.load()
    Path(".env").write_text("\n".join(lines))
    assert Settings.load() == without


def test_the_table_has_a_row_for_every_setting():
    rows = table().splitlines()[2:]
    assert [row.split("`")[1].lower() for row in rows] == list(Settings.model_fields)
    assert all(row.count("|") == 5 for row in rows)
    assert "| `REQUEST_TIMEOUT_SECONDS` | `30` | seconds |" in table()


def test_the_readme_has_the_current_table():
    assert table() in (ROOT / "README.md").read_text(), "write it again: app.settings.reference.table()"
