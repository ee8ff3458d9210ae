"""What happens to windows while an answer is written in parts: the same stories for the chats of all front ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate
from uuid import uuid4

from playwright.async_api import Browser, Locator, Page, Route, expect

from harness.unreliable_proxy import UnreliableProxy
from tests.browser.parts_writer import BLOCKS, KINDS, SELECTION, TEXT, THOUGHT, PartsWriter
from tests.support.servers import ServerProcess
from tests.support.users import User, outcome

RECONNECT_TIMEOUT = 60  # seconds: a page waits longer with each attempt, at most 10 s
SHORT_TOKEN_SECONDS = 8


def grown(pieces: Sequence[str]) -> list[str]:
    """The text after each of the pieces."""
    return list(accumulate(pieces))


class ChatWindow:
    """A window with the chat of one session."""

    growing: Mapping[str, tuple[str, Sequence[str]]]
    """By kind of part: where it grows, and what is shown there after one, two and three pieces."""
    answers: str
    """Where the answers are shown."""

    def __init__(self, page: Page, address: str, session: str, title: str) -> None:
        self.page, self.address, self.session, self.title = page, address, session, title
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def opens(self) -> None:
        """Loads the page, also once more, and opens the session in it."""
        raise NotImplementedError

    async def is_idle(self) -> None:
        """Waits until no answer is being written."""
        raise NotImplementedError

    @property
    def stop(self) -> Locator:
        """The button that stops the answer."""
        return self.page.get_by_role("button", name="Stop")

    @property
    def shown(self) -> Locator:
        """Everything that is shown of answers."""
        return self.page.locator(self.answers)

    async def shows(self, kind: str, count: int) -> None:
        """Waits until so many pieces of a kind are shown."""
        selector, texts = self.growing[kind]
        await expect(self.page.locator(selector)).to_have_text(texts[count - 1], timeout=RECONNECT_TIMEOUT * 1000)


class Story:
    """A session of an owner, two windows on it, and a producer that writes an answer."""

    def __init__(self, owner: User, writes: PartsWriter, here: ChatWindow, there: ChatWindow) -> None:
        self.owner, self.writes, self.here, self.there = owner, writes, here, there

    async def begins(self, kind: str) -> None:
        """Writes up to the first piece of this kind, which both windows show."""
        await self.writes.begins(kind)
        await self.both_show(kind, 1)

    async def goes_on(self, kind: str) -> None:
        """Writes the next piece, which both windows show."""
        await self.writes.adds()
        await self.both_show(kind, 2)

    async def both_show(self, kind: str, count: int) -> None:
        await self.here.shows(kind, count)
        await self.there.shows(kind, count)

    async def ends(self) -> None:
        """Writes the rest. The windows show the rows, which have the whole answer once."""
        await self.writes.ends()
        assert await self.stored() == {"status": "COMPLETE", "content": BLOCKS}
        await self.is_equal()
        text = "".join(await self.here.shown.all_text_contents())
        assert [text.count(piece) for piece in THOUGHT + TEXT] == [1] * len(THOUGHT + TEXT)

    async def stored(self) -> dict:
        """The only message of the session."""
        [message] = (await self.owner.sees(self.here.session, SELECTION))["messages"]["nodes"]
        return message

    async def is_equal(self) -> None:
        """When the answer has ended, both windows show what one shows that is opened then."""
        there = self.there
        fresh = type(there)(await there.page.context.new_page(), there.address, there.session, there.title)
        await fresh.opens()
        await expect(fresh.shown).not_to_have_count(0)
        texts = await fresh.shown.all_text_contents()
        for window in (self.here, there):
            await window.is_idle()
            await expect(window.shown).to_have_text(texts)
        assert [*self.here.errors, *there.errors, *fresh.errors] == []


@asynccontextmanager
async def story_of(
    chat: type[ChatWindow],
    browser: Browser,
    server: ServerProcess,
    address: str,
    here: str | None = None,
    tokens: "ExpiringTokens | None" = None,
) -> AsyncIterator[Story]:
    """A story of `ann` in two windows at an address; `here` is another one for the first, whose page gets `tokens`."""
    owner, title = server.user("ann"), f"Journey {uuid4()}"
    session = await owner.creates_session(title)
    context = await browser.new_context()
    if tokens is not None:
        await context.route("**/api/token", tokens)
    windows = [chat(await context.new_page(), at, session, title) for at in (here or address, address)]
    for window in windows:
        await window.opens()
    yield Story(owner, await PartsWriter.starts(owner, session), *windows)
    await context.close()


async def cuts_lose_nothing(story: Story, network: UnreliableProxy) -> None:
    """Both windows lose their connections in the middle of every kind of part."""
    for kind in KINDS:
        await story.begins(kind)
        before = network.connections
        network.is_down = True
        network.disconnect()
        await story.writes.adds()
        async with asyncio.timeout(RECONNECT_TIMEOUT):
            while network.connections == before:  # until a window has tried in vain
                await asyncio.sleep(0.05)
        await story.both_show(kind, 1)
        network.is_down = False
        await story.both_show(kind, 2)
    await story.ends()


async def reloads_go_on(story: Story) -> None:
    """One window is loaded again in the middle of every kind of part."""
    for kind in KINDS:
        await story.begins(kind)
        await story.here.opens()
        await story.here.shows(kind, 1)
        await story.goes_on(kind)
    await story.ends()


async def a_stop_ends_both(story: Story, stranger: User) -> None:
    """The second window stops the answer in the middle of its text; a stranger cannot."""
    await story.begins("text-delta")
    assert outcome(await stranger.does("cancelMessage", id=story.writes.id))["code"] == "NOT_FOUND"
    assert await stranger.sees(story.here.session, "id") is None
    await story.there.stop.click()
    await story.here.is_idle()  # it has not been clicked there: the server has ended the answer
    text = {"__typename": "TextBlock", "text": TEXT[0]}
    assert await story.stored() == {"status": "CANCELLED", "content": [*BLOCKS[:4], text]}
    piece = {"id": story.writes.id, "fence": story.writes.fence, "offset": story.writes.written, "parts": [1]}
    assert outcome(await story.owner.does("extendMessage", **piece))["code"] == "ILLEGAL_TRANSITION"
    await story.is_equal()
    await story.both_show("text-delta", 1)


async def a_killed_server_loses_nothing(story: Story, server: ServerProcess) -> None:
    """The server is killed and started again in the middle of every kind of part."""
    for kind in KINDS:
        await story.begins(kind)
        server.kill()
        server.start()
        await server.ready()
        await story.goes_on(kind)
    await story.ends()


class ExpiringTokens:
    """The address `/api/token` of an app, which gives a page one token until it has expired."""

    def __init__(self, server: ServerProcess) -> None:
        self.server, self.given, self.expiry, self.token = server, 0, 0, ""

    async def __call__(self, route: Route) -> None:
        if time.time() >= self.expiry:
            self.expiry = int(time.time() + SHORT_TOKEN_SECONDS)  # as in the token, or a second earlier
            self.token = self.server.token("ann", ttl_seconds=SHORT_TOKEN_SECONDS)
            self.given += 1
        await route.fulfill(body=self.token, content_type="text/plain")


async def an_expired_token_is_replaced(story: Story, tokens: ExpiringTokens) -> None:
    """The token of the first window expires in the middle of the input of a tool."""
    await story.begins("tool-input-delta")
    before = tokens.given
    async with asyncio.timeout(RECONNECT_TIMEOUT):
        while tokens.given == before:
            await asyncio.sleep(0.05)
    await story.goes_on("tool-input-delta")
    await story.ends()
