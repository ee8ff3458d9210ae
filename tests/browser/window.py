"""The sidebar in a browser's window, as a person or an axe looks at it."""

from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

ELSEWHERE = "elsewhere.test"  # a name of this machine under which a page gets no token
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
WIDE = ViewportSize(width=1180, height=760)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

WATCH = """element => {
    globalThis.watched = element;
    globalThis.seen = [element.textContent];
    const note = () => globalThis.seen.push(element.textContent);
    new MutationObserver(note).observe(element, {childList: true, characterData: true, subtree: true});
}"""


class Window:
    """One window, and everything it asked for or complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.addresses: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("websocket", lambda socket: self.addresses.append(socket.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    @classmethod
    async def on(cls, browser: Browser, url: str, session: str = "", *, agent: bool = False, **looks: Any) -> "Window":
        """A window on the sidebar at this server, on the newest conversation or on this one; does its agent answer?"""
        window = cls(await browser.new_page(**{"viewport": WIDE, "reduced_motion": "reduce", **looks}))
        await window.page.add_init_script(f"localStorage.setItem('demo-agent', '{'on' if agent else 'off'}')")
        await window.page.goto(f"{url}/#{session}" if session else url)
        return window

    @property
    def message(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def listed(self) -> Locator:
        """The rows of the list."""
        return self.page.get_by_role("navigation").get_by_role("listitem").get_by_role("link")

    @property
    def said(self) -> Locator:
        """The texts of the conversation, in their order."""
        return self.page.locator(".log .text")

    def button(self, name: str) -> Locator:
        """A button by what it says."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def says(self, text: str) -> None:
        """Writes and sends a message."""
        await self.message.fill(text)
        await self.message.press("Enter")

    async def sees(self, *texts: str) -> None:
        """Waits until the conversation is just these texts."""
        await expect(self.said).to_have_text(list(texts))

    async def has_sent(self) -> None:
        """Waits until the server has what was written."""
        await expect(self.page.get_by_text("sending …")).to_have_count(0)

    async def reaches(self, locator: Locator, key: str = "Tab") -> None:
        """Goes on with a key until the focus is there."""
        for _ in range(80):
            if await locator.evaluate("element => element === document.activeElement"):
                return
            await self.page.keyboard.press(key)
        raise AssertionError(f"{key} does not lead to {locator}")

    async def barriers(self) -> list[str]:
        """What axe finds serious or critical."""
        await self.page.evaluate(AXE)
        found = await self.page.evaluate("tags => axe.run({runOnly: tags})", WCAG)
        return [
            f"{rule['id']}: {node['html']} {node['failureSummary']}"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    async def watches(self, text: Locator) -> None:
        """Notes every state that this element passes through, for `saw`."""
        await text.evaluate(WATCH)

    async def saw(self) -> list[str]:
        """The states of the watched element, if it is still the same one."""
        return await self.page.evaluate("globalThis.watched.isConnected ? globalThis.seen : ['replaced']")

    def strangers(self) -> set[str]:
        """Whom it asked besides its own server."""
        return {urlsplit(address).netloc for address in self.addresses} - {urlsplit(self.page.url).netloc}
