"""Both pages behind nginx, under a path prefix and over TLS, as docs/proxies.md shows it."""

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from harness.nginx import nginx
from tests.browser.test_graphiql import Visit, append, kinds
from tests.browser.window import Window


@pytest.fixture(scope="module")
def public(demo_server):
    """The URL of the prefix."""
    with nginx(demo_server.url) as url:
        yield url


@pytest.fixture
async def page(browser):
    """A window that takes nginx's certificate."""
    context = await browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_graphiql_queries_and_subscribes_below_the_prefix(demo_server, public, page, tmp_path, path):
    visit = await Visit(page).opens(f"{public}{path}")
    await visit.runs("Create")
    session = json.loads(await visit.sees('"createSession"'))["data"]["createSession"]["session"]["id"]
    await visit.runs("Subscribe")
    assert kinds(json.loads(await visit.sees("CaughtUp")))[0] == "CaughtUp"
    await append(demo_server, session, "through the proxy")
    await visit.sees("through the proxy")
    await visit.saves_picture("prefix", tmp_path)
    assert {(urlsplit(address).netloc, urlsplit(address).path.split("/")[1]) for address in visit.addresses} == {
        (urlsplit(public).netloc, "chat")
    }
    assert any(address.startswith("wss:") for address in visit.addresses)
    assert visit.errors == []
    await page.get_by_role("link", name="Sidebar").click()
    await expect(page).to_have_url(re.compile(rf"^{public}/(#.*)?$"))  # and the newest conversation, once it is read


async def test_the_sidebar_writes_and_listens_below_the_prefix(public, page, tmp_path):
    window = Window(page)
    await page.add_init_script("localStorage.setItem('demo-agent', 'off')")
    await page.goto(public)
    await expect(page).to_have_url(re.compile(rf"^{public}/(#.*)?$"))
    await window.listed.filter(has_text="Welcome to Colloquy").click()  # another test's may be newer, and empty
    await expect(window.texts.first).to_be_visible()
    await page.get_by_role("button", name="New conversation").click()
    await expect(window.texts).to_have_count(0)
    await window.sends("Is anybody behind the proxy?")
    await window.has_sent()
    await window.sees("Is anybody behind the proxy?")
    assert any(address.startswith("wss:") for address in window.addresses)
    await page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / "sidebar-prefix.png")
    assert window.errors == []
    await page.get_by_role("link", name="GraphiQL", exact=True).click()
    await expect(page).to_have_url(f"{public}/graphql")
