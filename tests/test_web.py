"""The pages of `app/web`: their tokens, their assets, and the sources that they are built from."""

import hashlib
import json
import re
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
from graphql import parse
from starlette.applications import Starlette

from app.main import create_app
from app.web import GRAPHIQL, SIDEBAR, graphiql_page, sidebar_page, static_routes
from harness.server_settings import settings_for

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "examples" / "sidebar"
PAGES = {
    "graphiql": lambda token=None: graphiql_page(root="./", token=token),
    "sidebar": lambda token=None: sidebar_page(root="./", token=token),
}
PRODUCTION = {"environment": "production", "database_url": "postgresql+asyncpg://nobody@127.0.0.1/none"}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_no_token_can_close_its_script_element(page):
    html = page("</script><b>").body.decode()
    assert "</script><b>" not in html
    assert html.count("</script>") == page().body.decode().count("</script>")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
async def test_every_asset_of_a_page_is_served_and_cacheable(page):
    named = re.findall(r'(?:src|href)="([^"]+)"', page().body.decode())
    assert len(named) == 3
    async with client_of(Starlette(routes=static_routes(GRAPHIQL, SIDEBAR))) as client:
        for address in named:
            answer = await client.get(urljoin("http://127.0.0.1/", address))
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/", "/graphql", "/graphql/"])
async def test_every_address_of_a_page_is_relative_and_leads_to_the_server_from_where_the_page_is(demo_server, path):
    async with httpx2.AsyncClient(headers={"accept": "text/html"}) as client:
        html = (await client.get(demo_server.url + path)).text
        named = re.findall(r'(?:src|href)="([^"]+)"', html)
        config = json.loads(re.search(r'id="config">(.*?)</script>', html)[1])
        addresses = [config[name] for name in ("endpoint", "subscriptionEndpoint", "sidebar") if name in config]
        assert len(named) == 3
        assert [address for address in [*named, *addresses] if not address.startswith(("./", "../"))] == []
        for address in named:
            assert (await client.get(urljoin(demo_server.url + path, address))).status_code == 200
        assert {urljoin(demo_server.url + path, config["endpoint"])} == {f"{demo_server.url}/graphql"}


async def test_the_sidebar_allows_no_other_origin(demo_server):
    async with httpx2.AsyncClient() as client:
        policy = (await client.get(demo_server.url)).headers["content-security-policy"].split("; ")
    assert {rule.split(" ", 1)[1] for rule in policy} == {"'none'", "'self'", "'self' data:"}


async def test_a_page_has_a_token_only_under_a_loopback_host(demo_server):
    async with httpx2.AsyncClient() as client:
        here = (await client.get(demo_server.url)).text
        elsewhere = (await client.get(demo_server.url, headers={"host": "other.example"})).text
        by_proxy = (await client.get(demo_server.url, headers={"x-forwarded-host": "chat.example.com"})).text
    assert demo_server.token.split(".")[0] in here
    assert '"token": null' in elsewhere
    assert '"token": null' in by_proxy


async def test_graphiql_without_a_token_has_the_reason_in_every_tab(demo_server):
    jwks = {"jwt_secret": None, "jwks_url": "http://127.0.0.1:1/keys", "database_url": PRODUCTION["database_url"]}
    by_issuer, in_production = (create_app(settings_for(**each)) for each in (jwks, PRODUCTION | {"graphiql": True}))
    async with httpx2.AsyncClient() as real, client_of(by_issuer) as issuer, client_of(in_production) as production:
        for client, url, headers, why in (
            (real, f"{demo_server.url}/graphql", {"host": "other.example"}, "under a host name of this machine"),
            (real, f"{demo_server.url}/graphql", {"x-forwarded-host": "chat.example"}, "and not behind a proxy"),
            (issuer, "/graphql", {}, "The issuer of JWKS_URL signs the tokens."),
            (production, "/graphql", {}, "A production server puts no token into a page."),
            (real, f"{demo_server.url}/graphql", {}, None),
        ):
            html = (await client.get(url, headers={"accept": "text/html", **headers})).text
            tabs = json.loads(re.search(r'id="config">(.*?)</script>', html)[1])["tabs"]
            comments = [" ".join(re.findall(r"^# (.*)$", tab["query"], re.M)) for tab in tabs]
            assert len(tabs) == 4
            assert [(why or "Put a token") in comment for comment in comments] == [why is not None] * 4
            assert [parse(tab["query"]).definitions[0].kind for tab in tabs] == ["operation_definition"] * 4


@pytest.mark.parametrize("environment", [{}, PRODUCTION], ids=["development", "production"])
async def test_the_sidebar_is_served_in_development_only(environment):
    app = create_app(settings_for(**{"database_url": PRODUCTION["database_url"], **environment}))
    async with client_of(app) as client:
        assert (await client.get("/")).status_code == (404 if environment else 200)
        assert (await client.get(f"{SIDEBAR.address}/sidebar.js")).status_code == (404 if environment else 200)


def test_the_built_sidebar_is_built_from_its_source():
    packages = [f"../../clients/typescript/{name}/src" for name in ("client", "react")]
    files = [(name, path) for name in ("src", *packages) for path in (SOURCE / name).rglob("*.*") if path.is_file()]
    sources = [f"{name}/{path.relative_to(SOURCE / name).as_posix()}" for name, path in files]
    digest = hashlib.sha256()
    for name in sorted(["package-lock.json", "vite.config.js", *sources]):
        digest.update(f"{name}\0".encode() + (SOURCE / name).read_bytes())
    assert (SIDEBAR.assets / "source.sha256").read_text().strip() == digest.hexdigest(), "run `make sidebar`"


def client_of(app):
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1")
