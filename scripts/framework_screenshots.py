"""Runs the example of Google ADK in docs/frameworks.md, and takes the pictures of its conversation in docs/screenshots.

The server is a development server, the token one of its development owner, and the program a Python with google-adk and
the client: scripts/framework_screenshots.py URL TOKEN PYTHON.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

PAGE, PICTURES = Path("docs/frameworks.md"), Path("docs/screenshots")
EXAMPLE = re.compile(r"```python\n((?:(?!```).)*colloquy\.google_adk(?:(?!```).)*)```", re.DOTALL)
TITLE, KEY = "When does the train leave?", "guide/ann/journey"
SIZE = ViewportSize(width=1180, height=620)
QUERY = """query Journey {
  session(key: "%s") {
    title
    messageCount
    messages(first: 10) {
      nodes { role text key raw }
    }
  }
}"""
# The editors' models hold the whole text. The content security policy forbids what evaluates strings in the page.
WRITE = """([name, text]) => globalThis.__MONACO.editor.getModels()
    .find(model => model.uri.path.endsWith(name)).setValue(text)"""


def run_example(url: str, token: str, python: str) -> None:
    """Writes the conversation, as a reader of the page would."""
    [program] = EXAMPLE.findall(PAGE.read_text())
    environment = {**os.environ, "COLLOQUY_URL": url, "COLLOQUY_TOKEN": token, "PYTHONPATH": "clients/python/src"}
    subprocess.run([python, "-c", program], check=True, env=environment)


def take_sidebar(page: Page, url: str) -> None:
    """The sidebar with the conversation."""
    page.goto(url)
    page.get_by_role("link", name=TITLE).click()
    page.get_by_role("heading", name=TITLE).wait_for()
    page.wait_for_timeout(800)  # what was unread is read now
    page.mouse.move(600, 5)
    page.screenshot(path=PICTURES / "framework-sidebar.png", animations="disabled")


def take_graphiql(page: Page, url: str) -> None:
    """GraphiQL with the same conversation."""
    page.goto(f"{url}/graphql")
    page.locator(".graphiql-query-editor .view-line").first.wait_for()
    page.locator(".graphiql-spinner").wait_for(state="detached")
    page.evaluate(WRITE, ["operation.graphql", QUERY % KEY])
    page.evaluate(WRITE, ["variables.json", "{}"])
    page.locator(".graphiql-execute-button").click()
    page.locator(".result-window").get_by_text("messageCount").wait_for()
    page.wait_for_timeout(500)  # the editor colours the text later
    page.screenshot(path=PICTURES / "framework-graphiql.png", animations="disabled")


def main(url: str, token: str, python: str) -> None:
    run_example(url, token, python)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        take_sidebar(page, url)
        take_graphiql(page, url)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
