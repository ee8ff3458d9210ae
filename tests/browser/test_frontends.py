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
from tests.browser import chat_stories
from tests.browser.chat_stories import ChatWindow, ExpiringTokens, grown, story_of
from tests.browser.parts_writer import TEXT, THOUGHT
from tests.support.servers import ServerProcess, server_process
from tests.support.users import User

ROOT = Path(__file__).parents[2]
WORKSPACE = ROOT / "clients" / "typescript"
PAGE = (ROOT / "docs/frontends.md").read_text()
AI_SDK = PAGE[PAGE.index("\n## AI SDK\n") : PAGE.index("\n## assistant-ui\n")]
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', AI_SDK, re.S | re.M))
INSTALL, START = re.findall(r"^```sh\n(.*?)^```$", AI_SDK, re.S | re.M)
ANSWER = "Trains leave at nine and at ten. " * 20
FIXED_TOKEN = "token: import.meta.env.COLLOQUY_TOKEN"
[NEW_TOKENS] = re.findall(r"^`(token: \(\) => .*)`\.", AI_SDK, re.M)
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
    (directory / "chat" / "client.ts").write_text('export { ColloquyClient, Outbox } from "@colloquy/client";')
    # The same page "with your users": it requests its tokens.
    (directory / "chat" / "users.html").write_text(FILES["index.html"].replace("/chat.tsx", "/users.tsx"))
    assert FIXED_TOKEN in FILES["chat.tsx"]
    (directory / "chat" / "users.tsx").write_text(FILES["chat.tsx"].replace(FIXED_TOKEN, NEW_TOKENS))
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

    @property
    def parts(self) -> Locator:
        """All parts, in order."""
        return self.page.locator("article > *")


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
    await expect(first.stop).to_be_disabled()
    expected = [
        "When does the train leave?",
        "The timetable of Lisbon has it, so I look there first.",
        '[{"from":"Lisbon"},["09:00","10:00"]]',
        ANSWER,
    ]
    await expect(first.parts).to_have_text(expected)
    await expect(second.parts).to_have_text(expected)
    rows = await rows_of(server, first)
    assert [(row["role"], row["status"]) for row in rows] == [("USER", "COMPLETE"), ("ASSISTANT", "COMPLETE")]
    assert ANSWER.strip() in rows[1]["text"]
    await first.page.reload()
    await expect(first.parts).to_have_text(expected)


async def test_windows_are_equal_after_cuts_in_every_kind_of_part_and_a_killed_server(server, network, windows):
    first, second = windows
    await first.asks("When does the train leave?")
    for part in ("em", "pre", "p"):
        await expect(second.answer.locator(part)).not_to_be_empty()
        network.disconnect()
    server.kill()
    server.start()
    await server.ready()
    for window in windows:
        await expect(window.answer.locator("p")).to_have_text(ANSWER.strip(), timeout=60_000)
        await expect(window.stop).to_be_disabled()
    await expect(second.parts).to_have_text(await first.parts.all_text_contents())
    rows = await rows_of(server, first)
    assert [(row["role"], row["status"]) for row in rows] == [("USER", "COMPLETE"), ("ASSISTANT", "COMPLETE")]
    assert rows[1]["text"].count("Trains leave") == ANSWER.count("Trains leave")


async def test_stop_in_the_second_window_ends_the_answer_in_both(server, windows):
    first, second = windows
    await first.asks("When does the train leave?")
    await expect(second.answer.locator("p")).to_contain_text("Trains leave")
    await second.stop.click()
    for window in windows:
        await expect(window.stop).to_be_disabled()  # in the first by the server, which has ended the answer
    rows = await rows_of(server, first)
    assert [row["status"] for row in rows] == ["COMPLETE", "CANCELLED"]
    texts = await first.parts.all_text_contents()
    assert texts[-1].strip() in rows[1]["text"]
    assert texts[-1].strip() != ANSWER.strip()
    await expect(second.parts).to_have_text(texts)
    await first.page.reload()
    await expect(first.parts).to_have_text(texts)


class AiSdkChat(ChatWindow):
    """The page of the app, on the session that its address names."""

    growing = {
        "reasoning-delta": ("[aria-label=assistant] em", grown(THOUGHT)),
        "tool-input-delta": ("[aria-label=assistant] pre", ["[{},null]", '[{"from":"Lisbon"},null]']),
        "text-delta": ("[aria-label=assistant] p", grown(TEXT)),
    }
    answers = "[aria-label=assistant] > *"

    async def opens(self) -> None:
        url = f"{self.address}#{self.session}"
        await (self.page.reload() if self.page.url == url else self.page.goto(url))

    async def is_idle(self) -> None:
        await expect(self.stop).to_be_disabled()


@pytest.fixture
async def story(browser, server, address) -> AsyncIterator[chat_stories.Story]:
    async with story_of(AiSdkChat, browser, server, address) as story:
        yield story


async def test_cuts_in_every_kind_of_part_lose_and_repeat_nothing(story, network):
    await chat_stories.cuts_lose_nothing(story, network)


async def test_reloads_in_every_kind_of_part_go_on(story):
    await chat_stories.reloads_go_on(story)


async def test_a_stop_in_the_second_window_keeps_the_parts_so_far(story, server):
    await chat_stories.a_stop_ends_both(story, server.user("bob"))


async def test_a_server_that_is_killed_in_every_kind_of_part_loses_and_repeats_nothing(story, server):
    await chat_stories.a_killed_server_loses_nothing(story, server)


async def test_a_token_that_expires_in_the_middle_is_replaced(browser, server, address):
    tokens = ExpiringTokens(server)
    async with story_of(AiSdkChat, browser, server, address, f"{address}users.html", tokens) as story:
        await chat_stories.an_expired_token_is_replaced(story, tokens)


async def test_a_stranger_sees_nothing_of_the_session(server, windows):
    first, _ = windows
    await first.asks("When does the train leave?")
    await expect(first.answer.locator("em")).not_to_be_empty()
    session = first.page.url.partition("#")[2]
    query = "query($id: ID!) { session(id: $id) { id } }"
    assert (await server.user("bob").asks(query, id=session))["session"] is None
    await first.stop.click()
    await expect(first.stop).to_be_disabled()


OUTBOXES = """async (token) => {
    const { ColloquyClient, Outbox } = await import("/client.ts");
    globalThis.outboxOf = (fetch, options) => new Outbox(new ColloquyClient({ url: "/graphql", token, fetch }), options);
    globalThis.works = (...request) => fetch(...request);
    // An outbox that waits for a response which never comes; resolves when it has sent its request.
    globalThis.waits = (session, text, options) => new Promise((sent) => {
        outboxOf(() => { sent(); return new Promise(() => {}); }, options).send(session, text);
    });
}"""
ALONE = """async (session) => {
    await waits(session, "never");
    const outbox = outboxOf(works);
    outbox.send(session, "at once");
    await outbox.flush();
    return outbox.getSnapshot();
}"""
SHARED = '{ storage: localStorage, name: "shared" }'
ONE_WAITS = """navigator.locks.query().then(({ held, pending }) =>
    [held, pending].every((locks) => locks.filter(({ name }) => name.endsWith("shared:sender")).length === 1))"""


async def test_outboxes_without_a_storage_do_not_wait_for_each_other(server, windows):
    page, ann = windows[0].page, server.user("ann")
    session = await ann.creates_session("Two outboxes")
    await page.evaluate(OUTBOXES, ann.token)
    assert await asyncio.wait_for(page.evaluate(ALONE, session), 60) == []
    assert await texts_of(ann, session) == ["at once"]


async def test_of_two_tabs_with_one_outbox_one_sends_at_a_time(server, windows):
    (first, second), ann = windows, server.user("ann")
    session = await ann.creates_session("One outbox")
    for window in windows:
        await window.page.evaluate(OUTBOXES, ann.token)
    await first.page.evaluate(f"(session) => waits(session, 'one', {SHARED})", session)
    await second.page.evaluate(
        f"(session) => (globalThis.outbox = outboxOf(works, {SHARED})).send(session, 'two')", session
    )
    await second.page.wait_for_function(ONE_WAITS)
    assert await texts_of(ann, session) == []
    await first.page.close()
    await asyncio.wait_for(second.page.evaluate("outbox.flush()"), 60)
    assert await texts_of(ann, session) == ["one", "two"]


async def texts_of(owner: User, session: str) -> list[str]:
    """The texts that the server has stored."""
    return [node["text"] for node in (await owner.sees(session, "messages { nodes { text } }"))["messages"]["nodes"]]
