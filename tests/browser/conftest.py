"""A real browser that can reach nothing but the loopback."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from harness.programs import program
from tests.browser.window import ELSEWHERE

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
