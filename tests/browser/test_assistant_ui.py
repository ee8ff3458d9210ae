"""The page for assistant-ui, followed word for word: a chat in a real browser, with agents beside it."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from harness.ports import free_port
from harness.programs import MissingPrerequisite, program
from harness.server_settings import settings_for
from harness.unreliable_proxy import UnreliableProxy, unreliable_proxy
from tests.browser import chat_stories
from tests.browser.chat_stories import ChatWindow, ExpiringTokens, grown, story_of
from tests.browser.parts_writer import INPUT, TEXT, THOUGHT
from tests.support.servers import Server, ServerProcess, server_process, serving

ROOT = Path(__file__).parents[2]
WORKSPACE = ROOT / "clients" / "typescript"
PAGE = (ROOT / "docs/frontends-assistant-ui.md").read_text()
FILES = re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', PAGE, re.S | re.M)
INSTALL, START = re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M)
PACKED = ("client", "assistant-ui")
FIXED_TOKEN = "token: TOKEN"
NEW_TOKENS = 'token: () => fetch("/api/token").then((response) => response.text())'
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
    files = dict(FILES)
    # The same page for users with tokens of their own.
    files["users.html"] = files["index.html"].replace("/main.tsx", "/users.tsx")
    assert FIXED_TOKEN in files["main.tsx"]
    files["users.tsx"] = files["main.tsx"].replace(FIXED_TOKEN, NEW_TOKENS)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


@pytest.fixture
async def server(fresh_database) -> AsyncIterator[Server]:
    async with serving(settings_for(await fresh_database())) as running:
        yield running


@asynccontextmanager
async def chat(project: Path, commands: str, url: str, token: str) -> AsyncIterator[str]:
    """The last step of the page, for a server and a token; yields the address that Vite serves at."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *("bash", "-ec", commands.replace("npx vite", f"npx vite --host 127.0.0.1 --port {port} --strictPort")),
        cwd=project,
        env=os.environ | {"COLLOQUY_URL": f"{url}/graphql", "COLLOQUY_TOKEN": token, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output = ""
        async with asyncio.timeout(STEP_TIMEOUT):
            while f":{port}" not in output or ("agent.js" in commands and "The agent is ready." not in output):
                line = await process.stdout.readline()
                assert line, output
                output += line.decode()
        yield f"http://127.0.0.1:{port}/"
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
    async with chat(project, START, server.url, server.token("ann")) as url:
        here = await opened(browser, url)
        await sends(here, "When does the train leave?")
        await expect(answers(here)).to_contain_text("You wrote: When")
        await expect(here.get_by_role("navigation")).to_contain_text("When does the train leave?")

        there = await opened(browser, url)  # in the middle of the answer
        await there.get_by_role("button", name="When does the train leave?").click()
        await expect(answers(there)).to_contain_text("You wrote: When")
        await expect(answers(there)).to_contain_text("can answer.")
        await expect(answers(here)).to_have_text(await answers(there).inner_text())

        await sends(there, f"Stop in the middle of {'many words ' * 150}")
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


class AssistantUiChat(ChatWindow):
    """The page, with the thread of the session."""

    growing = {
        "reasoning-delta": (".assistant details", [f"Thoughts{text}" for text in grown(THOUGHT)]),
        "tool-input-delta": (".assistant code", grown(INPUT)),
        "text-delta": (".assistant p", grown(TEXT)),
    }
    answers = ".assistant"

    async def opens(self) -> None:
        await self.page.goto(self.address)
        await self.page.get_by_role("button", name=self.title).click()

    async def is_idle(self) -> None:
        await expect(self.stop).to_have_count(0)


@pytest.fixture(scope="module")
async def mortal(fresh_database) -> AsyncIterator[ServerProcess]:
    """A server to be killed."""
    async with server_process(await fresh_database()) as running:
        yield running


@pytest.fixture(scope="module")
async def network(mortal) -> AsyncIterator[UnreliableProxy]:
    """Between that server and the page."""
    async with unreliable_proxy(mortal.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def address(project, mortal, network) -> AsyncIterator[str]:
    """The page without the agent."""
    async with chat(project, START.splitlines()[-1], network.url, mortal.token("ann")) as url:
        yield url


@pytest.fixture
async def story(browser, mortal, address) -> AsyncIterator[chat_stories.Story]:
    async with story_of(AssistantUiChat, browser, mortal, address) as story:
        yield story


async def test_cuts_in_every_kind_of_part_lose_and_repeat_nothing(story, network):
    await chat_stories.cuts_lose_nothing(story, network)


async def test_reloads_in_every_kind_of_part_go_on(story):
    await chat_stories.reloads_go_on(story)


async def test_a_stop_in_the_second_window_keeps_the_parts_so_far(story, mortal):
    await chat_stories.a_stop_ends_both(story, mortal.user("bob"))


async def test_a_server_that_is_killed_in_every_kind_of_part_loses_and_repeats_nothing(story, mortal):
    await chat_stories.a_killed_server_loses_nothing(story, mortal)


async def test_a_token_that_expires_in_the_middle_is_replaced(browser, mortal, address):
    tokens = ExpiringTokens(mortal)
    async with story_of(AssistantUiChat, browser, mortal, address, f"{address}users.html", tokens) as story:
        await chat_stories.an_expired_token_is_replaced(story, tokens)
