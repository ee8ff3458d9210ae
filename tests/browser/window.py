"""The sidebar in a browser window: what a user sees and does, and what axe finds."""

import re
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

ELSEWHERE = "elsewhere.test"  # resolves to this machine, and is no loopback name: a page gets no token
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
WIDE = ViewportSize(width=1180, height=760)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# The demo agent writes a piece each 70 ms, which a window on a busy machine may miss.
SLOW_AGENT = """const wait = globalThis.setTimeout;
globalThis.setTimeout = (act, delay, ...rest) => wait(act, delay === 70 ? 250 : delay, ...rest);"""

NOT_STORED = re.compile("sending …|waits for the connection")

WATCH = """element => {
    globalThis.watched = element;
    globalThis.seen = [element.textContent];
    const note = () => globalThis.seen.push(element.textContent);
    new MutationObserver(note).observe(element, {childList: true, characterData: true, subtree: true});
}"""


class Window:
    """One window, with every address that it requested and every error that it logged."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.addresses: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("websocket", lambda socket: self.addresses.append(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    @classmethod
    async def on(cls, browser: Browser, url: str, session: str = "", *, agent: bool = False, **looks: Any) -> "Window":
        """Opens the sidebar at a server, on the newest conversation or on this one; `agent` switches the demo agent on."""
        window = cls(await browser.new_page(**{"viewport": WIDE, "reduced_motion": "reduce", **looks}))
        await window.page.add_init_script(f"localStorage.setItem('demo-agent', '{'on' if agent else 'off'}')")
        if agent:
            await window.page.add_init_script(SLOW_AGENT)
        await window.page.goto(f"{url}/#{session}" if session else url)
        return window

    @property
    def message(self) -> Locator:
        """The text field for a new message."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def listed(self) -> Locator:
        """The rows of the list of conversations."""
        return self.page.get_by_role("navigation").get_by_role("listitem").get_by_role("link")

    @property
    def texts(self) -> Locator:
        """The texts of the conversation, in order."""
        return self.page.locator(".log .text")

    def button(self, name: str) -> Locator:
        """A button by its label."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def sends(self, text: str) -> None:
        """Types and sends a message."""
        await self.message.fill(text)
        await self.message.press("Enter")

    async def sees(self, *texts: str) -> None:
        """Waits until the conversation has exactly these texts."""
        await expect(self.texts).to_have_text(list(texts))

    async def has_sent(self, *, timeout: float | None = None) -> None:
        """Waits until the server has stored what was sent; `timeout` in ms."""
        await expect(self.page.get_by_text(NOT_STORED)).to_have_count(0, timeout=timeout)

    async def reaches(self, locator: Locator, key: str = "Tab") -> None:
        """Presses a key until the element has the focus."""
        for _ in range(80):
            if await locator.evaluate("element => element === document.activeElement"):
                return
            await self.page.keyboard.press(key)
        raise AssertionError(f"{key} does not lead to {locator}")

    async def barriers(self) -> list[str]:
        """The serious and critical findings of axe."""
        await self.page.evaluate(AXE)
        found = await self.page.evaluate("tags => axe.run({runOnly: tags})", WCAG)
        return [
            f"{rule['id']}: {node['html']} {node['failureSummary']}"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    async def watches(self, text: Locator) -> None:
        """Records every text of this element from now on, for `saw`."""
        await text.evaluate(WATCH)

    async def saw(self) -> list[str]:
        """The recorded texts, or `replaced` if the element is no longer in the page."""
        return await self.page.evaluate("globalThis.watched.isConnected ? globalThis.seen : ['replaced']")

    @property
    def sockets(self) -> list[str]:
        """The addresses of the WebSockets that the page has opened."""
        return [address for address in self.addresses if address.startswith("ws")]

    def foreign_hosts(self) -> set[str]:
        """The hosts that the page requested besides its own server."""
        return {urlsplit(address).netloc for address in self.addresses} - {urlsplit(self.page.url).netloc}
