"""docs/frontends.md, followed word for word in an empty directory: its app, in windows of a real browser."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from harness.ports import free_port
from harness.programs import MissingPrerequisite, program
from harness.unreliable_proxy import UnreliableProxy, unreliable_proxy
from tests.support.servers import ServerProcess, server_process

ROOT = Path(__file__).parents[2]
WORKSPACE = ROOT / "clients" / "typescript"
PAGE = (ROOT / "docs/frontends.md").read_text()
AI_SDK = PAGE[PAGE.index("\n## AI SDK\n") : PAGE.index("\n## assistant-ui\n")]
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', AI_SDK, re.S | re.M))
INSTALL, START = re.findall(r"^```sh\n(.*?)^```$", AI_SDK, re.S | re.M)
ANSWER = "Trains leave at nine and at ten. " * 6
pytestmark = [pytest.mark.xdist_group("node"), pytest.mark.timeout(600)]


def shell(commands: str, directory: Path) -> None:
    run = subprocess.run(["bash", "-ec", commands], cwd=directory, capture_output=True, text=True, timeout=400)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module")
def chat(tmp_path_factory) -> Path:
    """The directory of the app after the first commands, with our packages as they would come from the registry."""
    program("npm")
    directory = tmp_path_factory.mktemp("frontends")
    installed = subprocess.run([ROOT / "scripts/install_typescript"], capture_output=True, text=True)
    if installed.returncode:
        raise MissingPrerequisite(installed.stderr.strip()[-500:])
    commands = INSTALL
    for name in ("client", "ai-sdk"):
        shell(f"npm pack --silent --pack-destination {directory}", WORKSPACE / name)
        [archive] = directory.glob(f"colloquy-{name}-*.tgz")
        assert f"@colloquy/{name}@0.2" in commands
        commands = commands.replace(f"@colloquy/{name}@0.2", str(archive))
    shell(commands.replace("npm install", "npm install --silent --no-audit --no-fund --prefer-offline"), directory)
    for name, text in FILES.items():
        (directory / "chat" / name).write_text(text)
    return directory / "chat"


@pytest.fixture(scope="module")
async def server(fresh_database) -> AsyncIterator[ServerProcess]:
    async with server_process(await fresh_database()) as running:
        yield running


@pytest.fixture(scope="module")
async def network(server) -> AsyncIterator[UnreliableProxy]:
    """Between Colloquy and the app, its page and its server."""
    async with unreliable_proxy(server.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def address(chat, server, network) -> AsyncIterator[str]:
    """Where Vite serves the page, after the last commands."""
    port = free_port()
    commands = START.replace("http://127.0.0.1:8000", network.url).replace("paste the token here", server.token("ann"))
    commands = commands.replace("npx vite", f"exec npx vite --host 127.0.0.1 --port {port}")
    vite = await asyncio.create_subprocess_exec(
        *("bash", "-ec", commands),
        cwd=chat,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    async with asyncio.timeout(60):
        while b"Local:" not in (line := await vite.stdout.readline()):
            assert line, "Vite has ended"
    yield f"http://127.0.0.1:{port}/"
    os.killpg(vite.pid, signal.SIGTERM)
    await vite.wait()


class Window:
    """A window with the app."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    @property
    def answer(self) -> Locator:
        return self.page.get_by_role("article", name="assistant").last

    @property
    def stop(self) -> Locator:
        return self.page.get_by_role("button", name="Stop")

    async def asks(self, text: str) -> None:
        await self.page.get_by_label("Message").fill(text)
        await self.page.get_by_role("button", name="Send").click()

    async def shown(self) -> list[str]:
        """The texts of all parts, in order."""
        return await self.page.locator("article > *").all_text_contents()


@pytest.fixture
async def windows(address, browser) -> AsyncIterator[tuple[Window, Window]]:
    """Two windows on one new session."""
    context = await browser.new_context()
    first = Window(await context.new_page())
    await first.page.goto(address)
    await first.page.wait_for_url(re.compile("#ses_"))
    second = Window(await context.new_page())
    await second.page.goto(first.page.url)
    yield first, second
    assert [*first.errors, *second.errors] == []
    await context.close()


async def rows_of(server: ServerProcess, window: Window) -> list[dict]:
    session = window.page.url.partition("#")[2]
    query = "query($id: ID!) { session(id: $id) { messages { nodes { role status text } } } }"
    return (await server.user("ann").asks(query, id=session))["session"]["messages"]["nodes"]


def test_the_files_of_the_page_are_those_of_the_example():
    example = ROOT / "examples/ai-sdk"
    assert {name: (example / name).read_text() for name in FILES} == FILES
    assert len(FILES) == 5


async def test_windows_are_equal_after_a_reload_in_every_kind_of_part(server, windows):
    first, second = windows
    await first.asks("When does the train leave?")
    for part in ("em", "pre", "p"):
        await expect(second.answer.locator(part)).not_to_be_empty()
        await second.page.reload()
    await expect(first.stop).to_be_disabled(timeout=30_000)
    await expect(second.answer.locator("p")).to_have_text(ANSWER.strip(), timeout=30_000)
    expected = [
        "When does the train leave?",
        "The timetable of Lisbon has it, so I look there first.",
        '[{"from":"Lisbon"},["09:00","10:00"]]',
        ANSWER,
    ]
    assert await first.shown() == expected
    assert await second.shown() == expected
    rows = await rows_of(server, first)
    assert [(row["role"], row["status"]) for row in rows] == [("USER", "COMPLETE"), ("ASSISTANT", "COMPLETE")]
    assert ANSWER.strip() in rows[1]["text"]
    await first.page.reload()
    await expect(first.answer.locator("p")).to_have_text(ANSWER.strip())
    assert await first.shown() == expected


async def test_windows_are_equal_after_cuts_in_every_kind_of_part_and_a_killed_server(server, network, windows):
    first, second = windows
    await first.asks("When does the train leave?")
    for part in ("em", "pre", "p"):
        await expect(second.answer.locator(part)).not_to_be_empty(timeout=30_000)
        network.disconnect()
    server.kill()
    server.start()
    await server.ready()
    for window in windows:
        await expect(window.answer.locator("p")).to_have_text(ANSWER.strip(), timeout=60_000)
        await expect(window.stop).to_be_disabled()
    assert await first.shown() == await second.shown()
    rows = await rows_of(server, first)
    assert [(row["role"], row["status"]) for row in rows] == [("USER", "COMPLETE"), ("ASSISTANT", "COMPLETE")]


async def test_stop_in_the_second_window_ends_the_answer_in_both(server, windows):
    first, second = windows
    await first.asks("When does the train leave?")
    await expect(second.answer.locator("p")).to_contain_text("Trains leave")
    await second.stop.click()
    for window in windows:
        await expect(window.stop).to_be_disabled()
    rows = await rows_of(server, first)
    assert [row["status"] for row in rows] == ["COMPLETE", "CANCELLED"]
    await expect(first.answer.locator("p")).not_to_have_text(ANSWER.strip())
    texts = [await window.shown() for window in windows]
    await first.page.reload()
    await expect(first.answer.locator("p")).to_contain_text("Trains leave")
    assert texts[0] == texts[1] == await first.shown()
    assert texts[0][-1].strip() in rows[1]["text"]


async def test_a_stranger_sees_nothing_of_the_session(server, windows):
    first, _ = windows
    await first.asks("When does the train leave?")
    await expect(first.answer.locator("em")).not_to_be_empty()
    session = first.page.url.partition("#")[2]
    query = "query($id: ID!) { session(id: $id) { id } }"
    assert (await server.user("bob").asks(query, id=session))["session"] is None
    await first.stop.click()
    await expect(first.stop).to_be_disabled()
