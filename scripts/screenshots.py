"""Takes the pictures in docs/screenshots, of a development server with a fresh demo: scripts/screenshots.py URL.

They look best where the typeface Inter is installed (Debian: fonts-inter).
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, ViewportSize, sync_playwright

PICTURES = Path("docs/screenshots")
WIDE, NARROW = ViewportSize(width=1180, height=780), ViewportSize(width=390, height=780)
LISBON = "A long weekend in Lisbon"


def opened(browser: Browser, url: str, conversation: str, *, dark: bool = False, narrow: bool = False) -> Page:
    """A page on a conversation of the demo."""
    context = browser.new_context(viewport=NARROW if narrow else WIDE, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto(url)
    page.get_by_role("link", name=conversation).click()
    page.get_by_role("heading", name=conversation).wait_for()
    page.wait_for_timeout(800)  # what was unread is read now
    return page


def messages(page: Page) -> Locator:
    """Of the conversation that is open: the list shows the newest one's text too."""
    return page.get_by_role("region", name="Messages")


def taken(page: Page, name: str) -> None:
    """The picture of this name."""
    page.mouse.move(600, 5)
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


def main(url: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        light = opened(browser, url, LISBON)
        taken(light, "light")
        dark = opened(browser, url, LISBON, dark=True)
        narrow = opened(browser, url, LISBON, narrow=True)
        light.get_by_label("Message", exact=True).fill("Yes, take it, please.")
        light.keyboard.press("Enter")
        messages(light).get_by_text("each with the offset").wait_for()
        taken(light, "streaming")
        light.get_by_role("button", name="Approve").wait_for()
        taken(light, "approval")
        taken(dark, "dark")
        light.get_by_role("button", name="Approve").click()
        messages(narrow).get_by_text("like every other change").wait_for()
        taken(narrow, "narrow")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
