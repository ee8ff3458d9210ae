"""What the environment may say, and what is answered when it says something else."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, driver_dsn, stored_secret
from app.settings_reference import example, table

ROOT = Path(__file__).parent.parent
SECRET = "0123456789abcdef" * 2
DATABASE = "postgresql://host/db"


@pytest.fixture(autouse=True)
def _bare(monkeypatch, tmp_path):
    """An environment that says nothing but where to keep things, in an empty directory."""
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


def test_nothing_given_is_a_working_development_server():
    settings = Settings.load()
    assert (settings.embedded, settings.production) == (True, False)
    assert (settings.graphiql, settings.introspection, settings.log_format) == (True, True, "console")
    assert (settings.max_body_bytes, settings.max_frame_bytes) == (8 * 1024 * 1024, 256 * 1024)


def test_every_problem_is_named_at_once_with_what_would_be_right(given):
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


def test_values_and_their_conflicts_are_named_together(given):
    given(ENVIRONMENT="production", PORT="x", JWT_SECRET=SECRET, JWKS_URL="http://issuer/keys")
    assert problems().keys() == {"PORT", "JWT_SECRET", "JWKS_URL", "DATABASE_URL"}


def test_a_problem_does_not_repeat_a_secret(given):
    given(JWT_SECRET="hush-1", DATABASE_URL="mysql://me:hush-2@host/db", REDIS_URL="http://:hush-3@host")
    assert problems().keys() == {"JWT_SECRET", "DATABASE_URL", "REDIS_URL"}
    assert "hush" not in str(problems())
    assert "hush" not in repr(Settings(jwt_secret="hush" * 8, database_url="postgresql://me:hush@host/db"))


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
def test_production_refuses_what_is_only_good_enough_at_home(given, values, refused):
    given(ENVIRONMENT="Production", **values)
    assert problems().keys() == {refused}


@pytest.mark.parametrize("key", [{"JWT_SECRET": SECRET}, {"JWKS_URL": "http://127.0.0.1:9/keys"}])
def test_production_hides_the_schema_and_graphiql_until_it_is_asked(given, key):
    given(ENVIRONMENT="production", DATABASE_URL=DATABASE, **key)
    settings = Settings.load()
    assert (settings.embedded, settings.production) == (False, True)
    assert (settings.graphiql, settings.introspection, settings.log_format) == (False, False, "json")
    given(GRAPHIQL="true", INTROSPECTION="on")
    assert (Settings.load().graphiql, Settings.load().introspection) == (True, True)


def test_the_environment_comes_before_the_file_and_empty_is_not_given(given):
    Path(".env").write_text("PORT=1\nHOST=::1\nSOMEBODY_ELSES=thing\nJWKS_URL=\nAGENT_TYPES= coder ,,writer\n")
    given(PORT="2", LOG_LEVEL="")
    settings = Settings.load()
    assert (settings.port, settings.host, settings.log_level, settings.jwks_url) == (2, "::1", "info", None)
    assert settings.agent_types == ("coder", "writer")


def test_what_is_not_text_is_refused(monkeypatch):
    monkeypatch.setitem(os.environb, b"JWT_SECRET", b"\xff" * 40)
    assert problems() == {"JWT_SECRET": "it is not UTF-8; give text, such as 64 hexadecimal digits"}
    Path(".env").write_bytes(b"HOST=\xff")
    assert problems() == {".env": "it is not UTF-8; save it as UTF-8"}


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_a_database_becomes_one(scheme):
    settings = Settings(
        database_url=f"{scheme}://me:p%40ss@host:6432/db?sslmode=require",
        database_direct_url=f"{scheme}://me@/db?host=/run/pg",
    )
    assert settings.database_url == "postgresql+asyncpg://me:p%40ss@host:6432/db?ssl=require"
    assert settings.database_direct_url == "postgresql+asyncpg://me@/db?host=/run/pg"
    assert driver_dsn(settings.database_url) == "postgresql://me:p%40ss@host:6432/db?sslmode=require"
    assert driver_dsn(settings.database_direct_url) == "postgresql://me@/db?host=/run/pg"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://host:port/db", "it is not a URL"),
        ("postgresql://[::1/db", "it is not a URL"),
        ("postgresql:///db", "it names no host"),
        ("postgresql://host/", "it names no database"),
        ("host=localhost dbname=db", "it is not a PostgreSQL URL"),
        ("postgresql://host/db?channel_binding=require", "it has parameters not known here, channel_binding"),
    ],
)
def test_a_database_that_cannot_be_one_is_refused(given, url, why):
    given(DATABASE_URL=url)
    assert problems()["DATABASE_URL"].partition(";")[0] == why


def test_a_direct_url_alone_leads_nowhere(given):
    given(DATABASE_DIRECT_URL=DATABASE)
    assert problems().keys() == {"DATABASE_DIRECT_URL"}


def test_the_development_secret_survives_restarts_and_is_ours_alone(tmp_path):
    first, again = Settings.load(), Settings.load()
    assert first.jwt_secret == again.jwt_secret
    assert len(first.jwt_secret) == 64
    (kept,) = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_one_secret(tmp_path):
    places = [tmp_path / str(place) for place in range(50)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.map(stored_secret, [place for place in places for _ in range(2)], chunksize=1)
    assert made[0::2] == made[1::2]
    assert len(set(made)) == len(places)
    assert [len(list(place.iterdir())) for place in places] == [1] * len(places)


def test_no_secret_is_made_beside_keys_or_problems(given, tmp_path):
    given(JWKS_URL="https://issuer/keys")
    assert Settings.load().jwt_secret is None
    given(JWKS_URL="", PORT="x")
    assert problems().keys() == {"PORT"}
    assert not (tmp_path / "data").exists()


def test_a_place_that_cannot_keep_a_secret_is_named(given, tmp_path):
    (tmp_path / "file").write_text("")
    given(DATA_DIR=str(tmp_path / "file" / "below"))
    assert problems().keys() == {"DATA_DIR"}
    (tmp_path / "jwt-secret").write_text("cut off")
    given(DATA_DIR=str(tmp_path))
    assert "delete it" in problems()["DATA_DIR"]


def test_the_example_is_current_and_says_the_defaults():
    assert (ROOT / ".env.example").read_text() == example(), "write it again: app.settings_reference.example()"
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


def test_the_readme_shows_the_current_table():
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("no README yet")
    assert table() in readme.read_text(), "write it again: app.settings_reference.table()"
