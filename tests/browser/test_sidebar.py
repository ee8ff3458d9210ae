"""The example sidebar: windows of a real browser, side by side, and a network that fails."""

import json
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
from playwright.async_api import expect
from sqlalchemy.engine import make_url

from app.auth import mint
from app.main import DEMO
from app.settings import Settings
from harness.postgres import dsn
from harness.server_settings import SECRET, settings_for
from tests.browser.window import ELSEWHERE, Window
from tests.support.servers import serving
from tests.support.users import User, outcome

DATABASE_TIMEOUT = 40_000  # ms: the server waits for the database, and the page for the server
NARROW = {"width": 390, "height": 780}
CALL = {
    "role": "assistant",
    "content": [{"text": "One moment."}, {"toolUse": {"toolUseId": "t1", "name": "book", "input": {"seats": 2}}}],
}


async def test_two_windows_see_each_others_messages(window, owner):
    session = await owner.creates_session("Side by side")
    here, there = await window(session), await window(session)
    await here.sends("Is anybody there?")
    await there.sees("Is anybody there?")
    await there.sends("I am.\nIn the other window.")
    await here.sees("Is anybody there?", "I am.\nIn the other window.")
    assert [node["text"] for node in await messages(owner, session)] == await here.texts.all_inner_texts()


async def test_a_message_sent_without_a_network_arrives_once_when_the_network_is_back(window, owner, network):
    session = await owner.creates_session("On a train")
    here = await window(session, url=network.url)
    await here.sends("Before the tunnel")
    await here.has_sent()
    network.is_down = True
    network.disconnect()
    await expect(here.page.get_by_role("alert")).to_contain_text("No connection")
    await here.sends("In the tunnel")
    await expect(here.page.get_by_text("waits for the connection")).to_be_visible()
    await owner.appends(session, "From outside", role="ASSISTANT")
    network.is_down = False
    await here.sees("Before the tunnel", "From outside", "In the tunnel")
    await expect(here.page.get_by_role("alert")).to_be_empty()
    await here.has_sent()
    assert [node["text"] for node in await messages(owner, session)] == await here.texts.all_inner_texts()


@asynccontextmanager
async def unavailable(server, name):
    """A database that accepts no connections within the block."""
    admin = await asyncpg.connect(dsn(server))
    try:
        await admin.execute(f"alter database {name} allow_connections false")
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        yield
    finally:
        await admin.execute(f"alter database {name} allow_connections true")
        await admin.close()


async def test_a_message_sent_without_a_database_arrives_once_when_the_database_is_back(
    browser, fresh_database, database_server
):
    url = await fresh_database()
    name = make_url(url).database
    async with serving(settings_for(url)) as server:
        owner = server.user(DEMO)
        session = await owner.creates_session("Away")
        here = await Window.on(browser, server.url, session)
        await here.sends("Before")
        await here.has_sent()
        async with unavailable(database_server, name):
            await here.sends("Meanwhile")
            await expect(here.page.get_by_text("waits for the connection")).to_be_visible(timeout=DATABASE_TIMEOUT)
        await here.has_sent(timeout=DATABASE_TIMEOUT)
        await here.sees("Before", "Meanwhile")
        assert [node["text"] for node in await messages(owner, session)] == ["Before", "Meanwhile"]
        await here.page.close()


async def test_an_answer_survives_a_lost_connection(window, owner, network):
    session = await owner.creates_session("Torn cable")
    writes = await Writer.starts(owner, session)
    here, there = await window(session, url=network.url), await window(session)
    await writes.adds("The bicycle 🚲 goes ")
    await here.sees("The bicycle 🚲 goes ")
    await here.watches(here.texts.last)
    network.is_down = True
    network.disconnect()
    await expect(here.page.get_by_role("alert")).to_contain_text("No connection")
    await writes.adds("up 🏔 and ")
    await there.sees("The bicycle 🚲 goes up 🏔 and ")
    network.is_down = False
    await writes.adds("down 🏖 ")
    await here.sees(writes.text)
    await writes.adds("again.")
    await writes.ends()
    await expect(here.page.locator("[data-writing]")).to_have_count(0)
    for one in (here, there):
        await one.sees(writes.text)
    assert (await messages(owner, session))[0]["text"] == writes.text
    states = await here.saw()
    assert states == sorted(states, key=len)  # no text that was shown disappeared again
    assert all(writes.text.startswith(state) for state in states)


async def test_stop_keeps_the_text_so_far(window, owner):
    session = await owner.creates_session("Enough")
    writes = await Writer.starts(owner, session)
    await writes.adds("As I was say")
    here, there = await window(session), await window(session)
    await here.sees("As I was say")
    await here.button("Stop the answer").click()
    for one in (here, there):
        await expect(one.page.get_by_text("Stopped")).to_be_visible()
        await one.sees("As I was say")
    refused = await owner.does("extendMessage", id=writes.id, fence=writes.fence, offset=12, text="ing")
    assert outcome(refused)["code"] == "ILLEGAL_TRANSITION"
    assert (await messages(owner, session))[0] == {"id": writes.id, "text": "As I was say", "status": "CANCELLED"}


async def test_the_list_shows_changes_from_elsewhere(window, owner):
    first = await owner.creates_session("Stays open")
    here = await window(first)
    await expect(here.listed.filter(has_text="Stays open")).to_be_visible()
    session = await owner.creates_session("Made elsewhere")
    row = here.listed.filter(has_text="Made elsewhere")
    await expect(row).to_be_visible()
    writes = await Writer.starts(owner, session)
    await expect(row).to_contain_text("An answer is being written")
    await writes.adds("There you are.")
    await writes.ends()
    await expect(row).to_contain_text("There you are.")
    await expect(row).to_contain_text("1 unread")
    await owner.does("markSessionRead", id=session, upToSequence=1)
    await expect(row).not_to_contain_text("unread")
    await owner.does("deleteSession", id=session, mode="HARD")
    await expect(row).to_have_count(0)


async def test_the_demo_agent_answers_and_waits_for_an_approval(window, owner):
    session = await owner.creates_session("A table, please")
    here, there = await window(session, agent=True), await window(session)
    await here.sends("Can you find us a table?")
    await expect(there.page.locator("[data-writing]")).to_contain_text("I read “Can you")
    await expect(there.listed.first).to_contain_text("An answer is being written")
    await expect(there.button("Approve")).to_be_in_viewport()
    await there.button("Approve").click()
    await expect(here.texts.last).to_contain_text("Done, the table is yours.")
    await expect(here.page.locator("[data-writing]")).to_have_count(0)
    await expect(there.texts.last).to_have_text(await here.texts.last.inner_text())
    statuses = [message["status"] for message in await messages(owner, session)]
    assert statuses == ["COMPLETE"] * 4


async def test_the_demo_agent_ends_an_answer_that_was_stopped(window, owner):
    session = await owner.creates_session("Never mind")
    here = await window(session, agent=True)
    await here.sends("Tell me everything")
    await here.button("Stop the answer").click()
    await expect(here.page.get_by_text("Stopped")).to_be_visible()
    await here.sends("And now this")
    await expect(here.page.locator("[data-writing]")).to_contain_text("I read “And now this”")
    await here.button("Stop the answer").click()
    await expect(here.page.get_by_text("Stopped")).to_have_count(2)
    statuses = [message["status"] for message in await messages(owner, session)]
    assert statuses == ["COMPLETE", "CANCELLED", "COMPLETE", "CANCELLED"]


async def test_earlier_pages_load_while_scrolling_up(window, owner):
    session = await session_with(owner, 120)
    here = await window(session)
    await expect(here.texts.last).to_be_in_viewport()
    assert await here.texts.count() == 30
    await here.page.get_by_role("region", name="Messages").focus()
    while await here.texts.count() < 120:
        await here.page.keyboard.press("Home")
    assert await here.texts.all_inner_texts() == [f"Message {number}" for number in range(1, 121)]


async def test_a_conversation_is_renamed_archived_and_restored(window, owner):
    session = await owner.creates_session("Draft")
    here = await window(session)
    await here.button("Rename").click()
    await here.page.get_by_label("Name of the conversation").fill("Fair copy")
    await here.page.keyboard.press("Enter")
    await expect(here.page.get_by_role("heading", name="Fair copy")).to_be_visible()
    await expect(here.listed.filter(has_text="Fair copy")).to_be_visible()
    await here.button("Archive").last.click()
    await expect(here.listed.filter(has_text="Fair copy")).to_have_count(0)
    await here.button("Archive").first.click()
    await here.listed.filter(has_text="Fair copy").click()
    await here.button("Restore").click()
    await expect(here.button("Restore")).to_have_count(0)
    assert (await owner.sees(session, "title archivedAt")) == {"title": "Fair copy", "archivedAt": None}


async def test_the_search_leads_to_a_message_far_above(window, owner):
    session = await session_with(owner, 90, {3: "A xylophone in the attic"})
    here = await window()
    await here.page.get_by_role("searchbox").fill("xylophone")
    await expect(here.page.locator("mark")).to_have_text("xylophone")
    await here.listed.filter(has_text="attic").click()
    await expect(here.page.get_by_text("A xylophone in the attic").last).to_be_in_viewport()
    assert session in here.page.url


async def test_a_conversation_is_unread_until_it_is_seen(window, owner):
    first = await owner.creates_session("Open all the time")
    session = await owner.creates_session("News")
    await owner.appends(session, "Something new", role="ASSISTANT")
    here = await window(first)
    row = here.listed.filter(has_text="News").first
    await expect(row).to_contain_text("1 unread")
    await row.click()
    await expect(row).not_to_contain_text("unread")
    assert (await owner.sees(session, "unreadCount"))["unreadCount"] == 0


async def test_a_keyboard_is_enough(window, owner):
    session = await owner.creates_session("Without a mouse")
    here = await window()
    await here.reaches(here.page.get_by_role("searchbox"))
    await here.reaches(here.listed.filter(has_text="Without a mouse").first, "ArrowDown")
    await here.page.keyboard.press("Enter")
    await expect(here.page.get_by_role("heading", name="Without a mouse")).to_be_visible()
    await here.reaches(here.message)
    await here.page.keyboard.type("One line")
    await here.page.keyboard.press("Shift+Enter")
    await here.page.keyboard.type("and another")
    await here.page.keyboard.press("Enter")
    await here.sees("One line\nand another")
    await here.has_sent()
    assert (await messages(owner, session))[0]["text"] == "One line\nand another"


@pytest.mark.parametrize(("button", "status"), [("Approve", "APPROVED"), ("Reject", "REJECTED")])
async def test_a_tool_call_waits_for_one_of_two_buttons(window, owner, button, status):
    session, approval = await session_with_approval(owner)
    here, there = await window(session), await window(session)
    await expect(here.page.get_by_role("region", name="Tool call book")).to_contain_text("waits for you")
    await here.button(button).click()
    for one in (here, there):
        await expect(one.page.get_by_text(f"{status.capitalize()} by {DEMO}")).to_be_visible()
        await expect(one.button(button)).to_have_count(0)
    assert (await owner.asks("query ($id: ID!) { node(id: $id) { ... on Approval { status } } }", id=approval)) == {
        "node": {"status": status}
    }


@pytest.mark.parametrize("looks", [{}, {"color_scheme": "dark"}, {"viewport": NARROW}], ids=["light", "dark", "narrow"])
async def test_axe_finds_no_serious_barrier(window, owner, looks):
    session, _ = await session_with_approval(owner)
    await owner.appends(session, "Please do.")
    here = await window(session, **looks)
    await expect(here.texts).to_have_count(2)
    assert await here.barriers() == []
    await here.button("Rename").click()
    assert await here.barriers() == []
    await here.page.goto(here.page.url.partition("#")[0] + "#")
    await here.page.get_by_role("searchbox").fill("please")
    await expect(here.page.locator("mark").first).to_be_visible()
    assert await here.barriers() == []


async def test_another_users_page_shows_nothing_of_a_session(window, owner, demo_server):
    session = await owner.creates_session("Private")
    await owner.appends(session, "A secret")
    bob = await window(url=demo_server.url.replace("127.0.0.1", ELSEWHERE))
    assert await bob.barriers() == []
    await bob.page.get_by_label("Token").fill(mint(Settings(jwt_secret=SECRET), sub=f"bob-{uuid4()}", ttl_seconds=60))
    await bob.button("Open").click()
    await expect(bob.page.get_by_text("No conversations yet.")).to_be_visible()
    await bob.page.get_by_role("searchbox").fill("secret")
    await expect(bob.page.get_by_text("Nothing found for")).to_be_visible()
    await bob.page.goto(bob.page.url + f"#{session}")
    await expect(bob.page.get_by_text("This conversation is not there.")).to_be_visible()
    await bob.page.keyboard.press("Escape")
    await bob.button("New conversation").click()
    await bob.sends("Mine")
    await bob.sees("Mine")


class Writer:
    """A producer of one answer."""

    def __init__(self, owner: User, id: str, fence: str) -> None:
        self.owner, self.id, self.fence, self.text = owner, id, fence, ""

    @classmethod
    async def starts(cls, owner: User, session: str) -> "Writer":
        started = await owner.does("startMessage", "fence message { id }", sessionId=session, agentKey="guide")
        return cls(owner, started["message"]["id"], started["fence"])

    async def adds(self, text: str) -> None:
        added = await self.owner.does("extendMessage", id=self.id, fence=self.fence, offset=len(self.text), text=text)
        assert added["errors"] == []
        self.text += text

    async def ends(self) -> None:
        assert (await self.owner.does("finishMessage", id=self.id, fence=self.fence))["errors"] == []


async def messages(owner: User, session: str) -> list[dict]:
    """The messages that the server has stored."""
    return (await owner.sees(session, "messages(last: 100) { nodes { id text status } }"))["messages"]["nodes"]


async def session_with(owner: User, count: int, special: dict[int, str] | None = None) -> str:
    """A session with so many messages; `special` replaces texts by number."""
    session = await owner.creates_session(f"Long {uuid4()}")
    texts = [(special or {}).get(number, f"Message {number}") for number in range(1, count + 1)]
    for start in range(0, count, 100):
        batch = [{"role": "USER", "text": text} for text in texts[start : start + 100]]
        await owner.does("appendMessages", sessionId=session, messages=batch)
    return session


async def test_sources_are_links_and_data_is_folded(window, owner):
    session = await owner.creates_session(f"Sources {uuid4()}")
    parts = [
        {"type": "source-url", "sourceId": "s1", "url": "https://forecast.example/oslo", "title": "Forecast"},
        {"type": "source-url", "sourceId": "s2", "url": "javascript:alert(1)", "title": "Not an address of the web"},
        {"type": "data-chart", "data": {"celsius": [21]}},
    ]
    raw = json.dumps({"id": "m1", "role": "assistant", "parts": parts})
    await owner.does("appendMessage", sessionId=session, message={"role": "ASSISTANT", "raw": raw})
    one = await window(session)
    await expect(one.page.get_by_role("link", name="Forecast")).to_have_attribute("href", parts[0]["url"])
    await expect(one.page.get_by_text("Not an address of the web")).to_be_visible()
    assert await one.page.locator("a[href^=javascript]").count() == 0
    data = one.page.get_by_text('{"celsius":[21]}')
    await expect(data).to_be_hidden()
    await one.page.get_by_text("chart", exact=True).click()
    await expect(data).to_be_visible()
    assert await one.barriers() == []


async def session_with_approval(owner: User) -> tuple[str, str]:
    """A session with a tool call that waits for an approval, and that approval."""
    session = await owner.creates_session(f"Dinner {uuid4()}")
    call = {"role": "ASSISTANT", "raw": json.dumps(CALL), "agentKey": "planner"}
    message = (await owner.does("appendMessage", "message { id }", sessionId=session, message=call))["message"]["id"]
    request = {"sessionId": session, "messageId": message, "toolUseId": "t1", "notes": "Two seats at eight?"}
    return session, (await owner.does("requestApproval", "approval { id }", **request))["approval"]["id"]
