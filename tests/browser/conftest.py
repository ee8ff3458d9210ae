"""A real browser that can reach nothing but the loopback, and windows of it on the sidebar."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest
from playwright.async_api import Browser, async_playwright, expect

from app.main import DEMO
from harness.programs import program
from harness.unreliable_proxy import UnreliableProxy, unreliable_proxy
from tests.browser.window import ELSEWHERE, Window
from tests.support.users import User

expect.set_options(timeout=30_000)  # ms: the default, 5 s, is short beside other tests on two cores

OFFLINE = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = program("chromium", "chromium-browser", "google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=OFFLINE)
        yield browser
        await browser.close()


@pytest.fixture
async def owner(demo_server) -> AsyncIterator[User]:
    """The owner of the demo; the page opens with the same owner's token."""
    async with httpx2.AsyncClient(timeout=30) as http:
        yield User(DEMO, demo_server.url, demo_server.token, http)


@pytest.fixture
async def window(demo_server, browser) -> AsyncIterator[Callable[..., Awaitable[Window]]]:
    """`await window(session)` opens a window; in the end none has requested another host or logged an error."""
    windows: list[Window] = []

    async def opened(session: str = "", url: str = demo_server.url, **looks) -> Window:
        windows.append(await Window.on(browser, url, session, **looks))
        return windows[-1]

    yield opened
    for one in windows:
        assert one.foreign_hosts() == set()
        assert [line for line in one.errors if "net::ERR_" not in line] == []
        await one.page.close()


@pytest.fixture
async def network(demo_server) -> AsyncIterator[UnreliableProxy]:
    """A proxy to the server that can refuse and cut connections."""
    async with unreliable_proxy(demo_server.url) as proxy:
        yield proxy
