"""The page for assistant-ui, followed word for word: a chat in a real browser, with an agent beside it."""

import asyncio
import os
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from harness.programs import MissingPrerequisite, program
from harness.server_settings import settings_for
from tests.support.servers import Server, serving

ROOT = Path(__file__).parents[2]
WORKSPACE = ROOT / "clients" / "typescript"
PAGE = (ROOT / "docs/frontends-assistant-ui.md").read_text()
FILES = re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', PAGE, re.S | re.M)
INSTALL, START = re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M)
PACKED = ("client", "assistant-ui")
STEP_TIMEOUT = 300
pytestmark = [pytest.mark.xdist_group("node"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The directory after the steps of the page that install and write files; packages of ours as `npm pack` makes them."""
    npm = program("npm")
    installed = subprocess.run([ROOT / "scripts/install_typescript"], capture_output=True, text=True)
    if installed.returncode:
        raise MissingPrerequisite(installed.stderr.strip()[-500:])
    archives = tmp_path_factory.mktemp("packages")
    commands = INSTALL
    for name in PACKED:
        pack = [npm, "pack", "--silent", "--pack-destination", archives]
        packed = subprocess.run(pack, cwd=WORKSPACE / name, check=True, capture_output=True, text=True)
        commands = commands.replace(f"@colloquy/{name} ", f"{archives / packed.stdout.split()[-1]} ")
    directory = tmp_path_factory.mktemp("chat")
    commands = commands.replace("npm install ", "npm install --silent --no-audit --no-fund --prefer-offline ")
    subprocess.run(
        ["bash", "-ec", commands], cwd=directory, check=True, timeout=STEP_TIMEOUT, stdout=subprocess.DEVNULL
    )
    for name, text in FILES:
        (directory / name).write_text(text)
    return directory


@pytest.fixture
async def server(fresh_database) -> AsyncIterator[Server]:
    async with serving(settings_for(await fresh_database())) as running:
        yield running


@asynccontextmanager
async def chat(project: Path, server: Server, owner: str) -> AsyncIterator[str]:
    """The last step of the page; yields the address that Vite serves at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    commands = START.replace("npx vite", f"npx vite --host 127.0.0.1 --port {port} --strictPort")
    environment = {"COLLOQUY_URL": f"{server.url}/graphql", "COLLOQUY_TOKEN": server.token(owner), "NO_COLOR": "1"}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-ec", commands),
        cwd=project,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output = ""
        async with asyncio.timeout(STEP_TIMEOUT):
            while f":{port}" not in output or "The agent is ready." not in output:
                line = await process.stdout.readline()
                assert line, output
                output += line.decode()
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def opened(browser, url: str) -> Page:
    page = await browser.new_page()
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept("The journey")))
    await page.goto(url)
    return page


async def sends(page: Page, text: str) -> None:
    await page.get_by_placeholder("Write a message").fill(text)
    await page.get_by_role("button", name="Send").click()


def answers(page: Page):
    return page.locator(".assistant")


async def test_the_page_makes_a_working_chat(project, server, browser):
    async with chat(project, server, "ann") as url:
        here = await opened(browser, url)
        await sends(here, "When does the train leave?")
        await expect(answers(here)).to_contain_text("You wrote: When")
        await expect(here.get_by_role("navigation")).to_contain_text("When does the train leave?")

        there = await opened(browser, url)  # in the middle of the answer
        await there.get_by_role("button", name="When does the train leave?").click()
        await expect(answers(there)).to_contain_text("You wrote: When")
        await expect(answers(there)).to_contain_text("can answer.")
        await expect(answers(here)).to_have_text(await answers(there).inner_text())

        await sends(there, f"Stop in the middle of {'many words ' * 60}")
        await expect(answers(here).last).to_contain_text("You wrote: Stop")
        await here.reload()
        await here.get_by_role("button", name="When does the train leave?").click()
        await here.get_by_role("button", name="Stop").click()
        await expect(here.get_by_role("button", name="Stop")).to_have_count(0)
        await expect(there.get_by_role("button", name="Stop")).to_have_count(0)
        assert "can answer." not in await answers(there).last.inner_text()
        await expect(answers(there)).to_have_text(await answers(here).all_inner_texts())

        await a_call_is_approved(here, there)
        await a_thread_is_renamed_archived_and_brought_back(here, there)
        await is_stored_for_its_owner_only(server)
        await asyncio.gather(here.close(), there.close())


async def a_call_is_approved(here: Page, there: Page) -> None:
    await sends(here, "Please book it")
    await there.get_by_role("button", name="Approve").click()
    await expect(here.get_by_text("Approved")).to_be_visible()


async def a_thread_is_renamed_archived_and_brought_back(here: Page, there: Page) -> None:
    await here.get_by_role("button", name="Rename").click()
    await expect(here.get_by_role("navigation")).to_contain_text("The journey")
    await expect(there.get_by_role("navigation")).to_contain_text("The journey")
    await here.get_by_role("navigation").get_by_role("button", name="Archive").click()
    for page in (here, there):
        await expect(page.get_by_role("button", name="Bring back")).to_be_visible()
    await here.reload()
    await expect(here.get_by_role("navigation")).to_contain_text("The journey")
    await here.get_by_role("button", name="Bring back").click()
    await here.get_by_role("button", name="The journey").click()
    await expect(here.get_by_role("log")).to_contain_text("Stop in the middle")
    await expect(there.get_by_role("button", name="The journey")).to_have_count(1)


async def is_stored_for_its_owner_only(server: Server) -> None:
    shown = "{ sessions { nodes { title archivedAt messages { nodes { role status text } } } } }"
    [session] = (await server.user("ann").asks(shown))["sessions"]["nodes"]
    assert (session["title"], session["archivedAt"]) == ("The journey", None)
    stored = [(node["role"], node["status"]) for node in session["messages"]["nodes"]]
    assert stored[:5] == [
        ("USER", "COMPLETE"),
        ("ASSISTANT", "COMPLETE"),
        ("USER", "COMPLETE"),
        ("ASSISTANT", "CANCELLED"),
        ("USER", "COMPLETE"),
    ]
    assert (await server.user("bob").asks(shown))["sessions"]["nodes"] == []
