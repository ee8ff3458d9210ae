"""The example sidebar while an answer comes in parts: windows side by side, and everything that breaks in the middle."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from app.main import DEMO
from harness.server_settings import token
from tests.browser.parts_writer import ADDRESS, BLOCKS, INPUT, KINDS, SELECTION, TEXT, THOUGHT, PartsWriter
from tests.browser.window import Window
from tests.support.servers import server_process
from tests.support.users import User, outcome

RECONNECT_TIMEOUT = 60_000  # ms: the page waits longer with each attempt, at most 10 s
NARROW = {"width": 390, "height": 780}
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
IN_EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=KINDS.values())


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
    session = await owner.creates_session("The timetable")
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
        await expect(here.page.get_by_role("region", name="Tool call timetable")).to_contain_text("running")
        await writes.adds()
    assert await here.barriers() == []
    await expect(here.page.locator(".card dd")).to_have_text(["Lisbon", "2"])
    await writes.begins("text-delta")
    await expect(here.page.get_by_role("region", name="Tool call timetable")).to_contain_text("done")
    await expect(here.page.get_by_role("link", name="Departures")).to_have_attribute("href", ADDRESS)
    await shows("text-delta", 1, here)
    await expect(thought).to_be_visible()  # it stays as the user left it
    assert await here.barriers() == []
    await writes.ends()
    await all_equal(owner, session, window, here)
    await expect(thought).to_be_visible()


@IN_EVERY_KIND
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


@IN_EVERY_KIND
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
    await writes.begins("tool-input-delta")
    await shows("tool-input-delta", 1, here, there)
    before = pages_requested(here)

    await here.page.add_init_script(WITH_TOKEN % json.dumps(token(DEMO, ttl_seconds=5)))
    await here.page.reload()
    async with asyncio.timeout(60):
        while pages_requested(here) < before + 2:  # the reload, and the page with a new token
            await asyncio.sleep(0.05)
    await writes.adds()
    await shows("tool-input-delta", 2, here, there)
    await expect(here.page.get_by_role("alert")).to_be_empty()
    await writes.ends()
    await all_equal(owner, session, window, here, there)


def pages_requested(window: Window) -> int:
    """How often a window has requested its page, whose token is the newest."""
    return [address.partition("#")[0] for address in window.addresses].count(window.page.url.partition("#")[0])


@pytest.mark.xdist_group("faults")
@pytest.mark.timeout(400)
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
