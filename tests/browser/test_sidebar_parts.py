"""The example sidebar while an answer comes in parts: windows side by side, and everything that breaks in the middle."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from app.main import DEMO
from harness.server_settings import token
from tests.browser.window import Window
from tests.support.servers import server_process
from tests.support.users import User, outcome

RECONNECT_TIMEOUT = 30_000  # ms: the page waits longer with each attempt, at most 10 s
NARROW = {"width": 390, "height": 780}
THOUGHT = ["The forecast ", "decides ", "this."]
INPUT = ['{"city": ', '"Oslo", ', '"days": 2}']
TEXT = ["It is 21 degrees 🌡 ", "in Oslo, ", "so bring a towel."]
ADDRESS = "https://forecast.example/oslo"
STORY = [
    {"type": "start"},
    *[{"type": "reasoning-delta", "id": "r", "delta": delta} for delta in THOUGHT],
    {"type": "reasoning-end", "id": "r"},
    {"type": "tool-input-start", "toolCallId": "c", "toolName": "weather"},
    *[{"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": delta} for delta in INPUT],
    {"type": "tool-input-available", "toolCallId": "c", "toolName": "weather", "input": json.loads("".join(INPUT))},
    {"type": "tool-output-available", "toolCallId": "c", "output": "21 degrees"},
    {"type": "source-url", "sourceId": "s", "url": ADDRESS, "title": "Forecast"},
    *[{"type": "text-delta", "id": "t", "delta": delta} for delta in TEXT],
    {"type": "text-end", "id": "t"},
    {"type": "data-chart", "data": {"celsius": [21]}},
    {"type": "finish"},
]
BLOCKS = [
    {"__typename": "ReasoningBlock", "text": "".join(THOUGHT)},
    {"__typename": "ToolUseBlock", "name": "weather", "input": {"city": "Oslo", "days": 2}},
    {"__typename": "ToolResultBlock", "content": "21 degrees"},
    {"__typename": "SourceBlock", "url": ADDRESS},
    {"__typename": "TextBlock", "text": "".join(TEXT)},
    {"__typename": "DataBlock", "data": {"celsius": [21]}},
]
SELECTION = """messages(last: 100) { nodes { status content { __typename ... on ReasoningBlock { text } ... on TextBlock { text }
    ... on ToolUseBlock { name input } ... on ToolResultBlock { content } ... on SourceBlock { url }
    ... on DataBlock { data } } } }"""
GROWING = {
    "reasoning-delta": (".reasoning .text", THOUGHT),
    "tool-input-delta": (".card pre", INPUT),
    "text-delta": (".log .text[data-writing]", TEXT),
}
# The server's page with another token; modules run after the document is `interactive`.
WITH_TOKEN = """document.addEventListener("readystatechange", () => {
    const config = document.readyState === "interactive" && document.getElementById("config");
    if (config) config.textContent = JSON.stringify({...JSON.parse(config.textContent), token: %s});
})"""
KINDS = pytest.mark.parametrize("kind", GROWING, ids=["thought", "tool", "text"])


class PartsWriter:
    """A producer of one answer, which it writes part by part."""

    def __init__(self, owner: User, id: str, fence: str) -> None:
        self.owner, self.id, self.fence, self.written = owner, id, fence, 0

    @classmethod
    async def starts(cls, owner: User, session: str) -> "PartsWriter":
        kind = {"stream": "PARTS", "partsFormat": "AI_SDK", "agentKey": "guide"}
        started = await owner.does("startMessage", "fence message { id }", sessionId=session, **kind)
        return cls(owner, started["message"]["id"], started["fence"])

    async def adds(self, count: int = 1) -> None:
        """Adds the next parts of the story."""
        parts = STORY[self.written : self.written + count]
        added = await self.owner.does("extendMessage", id=self.id, fence=self.fence, offset=self.written, parts=parts)
        assert added["errors"] == []
        self.written += count

    async def begins(self, kind: str) -> None:
        """Adds everything up to the first piece of this kind."""
        await self.adds([part["type"] for part in STORY].index(kind) + 1 - self.written)

    async def ends(self) -> None:
        await self.adds(len(STORY) - self.written)
        assert (await self.owner.does("finishMessage", id=self.id, fence=self.fence))["errors"] == []


async def shows(kind: str, count: int, *windows: Window) -> None:
    """Waits until the windows show so many pieces of the growing block."""
    selector, pieces = GROWING[kind]
    for one in windows:
        await expect(one.page.locator(selector)).to_have_text("".join(pieces[:count]), timeout=RECONNECT_TIMEOUT)


async def all_equal(owner: User, session: str, window: Any, *windows: Window) -> None:
    """The windows and one that is opened now show the rows, which have the whole story once."""
    [message] = (await owner.sees(session, SELECTION))["messages"]["nodes"]
    assert message == {"status": "COMPLETE", "content": BLOCKS}
    fresh = await window(session, url=windows[-1].page.url.partition("/#")[0])
    texts = []
    for one in (*windows, fresh):
        await expect(one.page.locator(".message")).to_have_attribute("aria-busy", "false", timeout=RECONNECT_TIMEOUT)
        texts.append(await one.page.locator(".log ol").text_content())
    assert texts == [texts[-1]] * len(texts)
    assert [texts[0].count(piece) for piece in THOUGHT + TEXT] == [1] * len(THOUGHT + TEXT)


@pytest.mark.parametrize("looks", [{}, {"color_scheme": "dark"}, {"viewport": NARROW}], ids=["light", "dark", "narrow"])
async def test_thoughts_are_folded_inputs_grow_and_axe_finds_no_barrier(window, owner, looks):
    session = await owner.creates_session("The weather")
    writes = await PartsWriter.starts(owner, session)
    here = await window(session, **looks)
    await expect(here.page.locator(".message .writing")).to_be_visible()
    await writes.begins("reasoning-delta")
    thought = here.page.locator(".reasoning .text")
    await expect(thought).to_be_hidden()
    await here.reaches(here.page.locator("summary"))
    await here.page.keyboard.press("Enter")
    await expect(thought).to_be_visible()
    await writes.begins("tool-input-delta")
    for count in (1, 2, 3):
        await shows("tool-input-delta", count, here)
        await expect(here.page.get_by_role("region", name="Tool call weather")).to_contain_text("running")
        await writes.adds()
    assert await here.barriers() == []
    await expect(here.page.locator(".card dd")).to_have_text(["Oslo", "2"])
    await writes.begins("text-delta")
    await expect(here.page.get_by_role("region", name="Tool call weather")).to_contain_text("done")
    await expect(here.page.get_by_role("link", name="Forecast")).to_have_attribute("href", ADDRESS)
    await shows("text-delta", 1, here)
    await expect(thought).to_be_visible()  # it stays as the user left it
    assert await here.barriers() == []
    await writes.ends()
    await all_equal(owner, session, window, here)
    await expect(thought).to_be_visible()


@KINDS
async def test_a_lost_connection_loses_and_repeats_no_part(window, owner, network, kind):
    session = await owner.creates_session("Torn cable")
    writes = await PartsWriter.starts(owner, session)
    here, there = await window(session, url=network.url), await window(session)
    await writes.begins(kind)
    await shows(kind, 1, here, there)
    await here.watches(here.page.locator(GROWING[kind][0]))
    network.is_down = True
    network.disconnect()
    await expect(here.page.get_by_role("alert")).to_contain_text("No connection")
    await writes.adds()
    await shows(kind, 2, there)
    await shows(kind, 1, here)
    network.is_down = False
    await shows(kind, 2, here)
    await writes.adds()
    await shows(kind, 3, here, there)
    states = await here.saw()
    assert states == sorted(states, key=len)  # nothing that was shown disappeared again
    await writes.ends()
    await all_equal(owner, session, window, here, there)


@KINDS
async def test_a_reload_goes_on_in_the_middle(window, owner, kind):
    session = await owner.creates_session("Once more")
    writes = await PartsWriter.starts(owner, session)
    here, there = await window(session), await window(session)
    await writes.begins(kind)
    await shows(kind, 1, here, there)
    await here.page.reload()
    await shows(kind, 1, here)
    await writes.adds()
    await shows(kind, 2, here, there)
    await writes.ends()
    await all_equal(owner, session, window, here, there)


async def test_a_stop_in_another_window_keeps_the_parts_so_far(window, owner):
    session = await owner.creates_session("Enough")
    writes = await PartsWriter.starts(owner, session)
    here, there = await window(session), await window(session)
    await writes.begins("text-delta")
    await shows("text-delta", 1, here, there)
    async with httpx2.AsyncClient() as http:
        bob = User("bob", owner.url, token("bob"), http)
        assert outcome(await bob.does("cancelMessage", id=writes.id))["code"] == "NOT_FOUND"
    await there.button("Stop the answer").click()
    for one in (here, there):
        await expect(one.page.get_by_text("Stopped")).to_be_visible()
        await expect(one.texts).to_have_text(["".join(THOUGHT), TEXT[0]])
    refused = await owner.does("extendMessage", id=writes.id, fence=writes.fence, offset=writes.written, parts=[1])
    assert outcome(refused)["code"] == "ILLEGAL_TRANSITION"
    [message] = (await owner.sees(session, SELECTION))["messages"]["nodes"]
    assert message == {"status": "CANCELLED", "content": [*BLOCKS[:4], {"__typename": "TextBlock", "text": TEXT[0]}]}


async def test_a_token_that_expires_is_replaced_in_the_middle(window, owner):
    session = await owner.creates_session("Long answer")
    writes = await PartsWriter.starts(owner, session)
    here, there = await window(session), await window(session)
    short = token(DEMO, ttl_seconds=5)

    await here.page.add_init_script(WITH_TOKEN % json.dumps(short))
    await here.page.reload()
    await writes.begins("tool-input-delta")
    await shows("tool-input-delta", 1, here, there)
    sockets = len(here.sockets)
    async with asyncio.timeout(30):
        while len(here.sockets) == sockets:
            await asyncio.sleep(0.05)
    await writes.adds()
    await shows("tool-input-delta", 2, here, there)
    await expect(here.page.get_by_role("alert")).to_be_empty()
    await writes.ends()
    await all_equal(owner, session, window, here, there)


@pytest.mark.xdist_group("faults")
async def test_a_server_that_is_killed_loses_and_repeats_no_part(window, fresh_database):
    async with server_process(await fresh_database()) as server:
        owner = server.user(DEMO)
        session = await owner.creates_session("Kill")
        writes = await PartsWriter.starts(owner, session)
        here, there = await window(session, url=server.url), await window(session, url=server.url)
        await writes.begins("reasoning-delta")
        for kind in GROWING:
            await writes.begins(kind)
            await shows(kind, 1, here, there)
            server.kill()
            server.start()
            await server.ready()
            await writes.adds()
            await shows(kind, 2, here, there)
        await writes.ends()
        await all_equal(owner, session, window, here, there)
