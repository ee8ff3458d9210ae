"""GraphiQL of a development server, in a real browser that can reach nothing but that server.

The environment variable `SCREENSHOTS` names a directory for the pictures.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Page

from tests.browser.window import ELSEWHERE


class Visit:
    """One GraphiQL page, with every address that it requested and every error that it logged."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.addresses: list[str] = []
        self.errors: list[str] = []
        page.context.on("request", lambda request: self.addresses.append(request.url))
        page.on("websocket", lambda socket: self.addresses.append(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    async def opens(self, url: str) -> "Visit":
        await self.page.goto(url)
        await self.page.locator(".graphiql-query-editor .view-line").first.wait_for()
        await self.page.get_by_label("Show Documentation Explorer").wait_for()
        await self.page.locator(".graphiql-spinner").wait_for(state="detached")
        return self

    async def goes_to(self, tab: str) -> None:
        await self.page.get_by_role("tab").get_by_text(tab, exact=True).click()

    async def runs(self, tab: str) -> None:
        await self.goes_to(tab)
        await self.page.locator(".graphiql-execute-button").click()

    async def reads(self, editor: str) -> str:
        return await self.page.evaluate(VALUE, editor)

    async def writes(self, editor: str, text: str) -> None:
        await self.page.evaluate(WRITE, [editor, text])

    async def sees(self, text: str) -> str:
        return await self.waits_for(lambda: self.reads("response.json"), text)

    async def stores(self) -> str:
        return await self.page.evaluate("JSON.stringify(localStorage)")

    async def diagnostics(self) -> str:
        return await self.page.evaluate("JSON.stringify(globalThis.__MONACO.editor.getModelMarkers({}))")

    async def waits_for(self, read: Callable[[], Awaitable[str]], text: str) -> str:
        # Not page.wait_for_function: it evaluates strings, which the page's content security policy forbids.
        async with asyncio.timeout(30):
            while text not in (seen := await read()):
                await asyncio.sleep(0.05)
        return seen

    async def saves_picture(self, name: str, directory: Path) -> None:
        await self.page.screenshot(path=Path(os.environ.get("SCREENSHOTS", directory)) / f"graphiql-{name}.png")


# The editor renders only the visible lines; its models hold the whole text.
MODEL = "globalThis.__MONACO.editor.getModels().find(model => model.uri.path.endsWith(name))"
VALUE = f"name => {MODEL}.getValue()"
WRITE = f"([name, text]) => {MODEL}.setValue(text)"


async def test_a_new_user_creates_appends_pages_and_subscribes(demo_server, browser, tmp_path):
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    visit = await Visit(page).opens(f"{demo_server.url}/graphql")
    tabs = await page.get_by_role("tab").all_inner_texts()
    assert tabs == ["Create", "Append", "Page", "Subscribe"]

    await visit.runs("Create")
    session = json.loads(await visit.sees('"createSession"'))["data"]["createSession"]["session"]["id"]
    await visit.runs("Append")
    await visit.sees('"sequence": 1')
    assert json.loads(await visit.reads("variables.json"))["input"]["sessionId"] == session
    await visit.runs("Page")
    await visit.sees('"messageCount": 1')
    await visit.saves_picture("page", tmp_path)

    await visit.runs("Subscribe")
    replayed = json.loads(await visit.sees("CaughtUp"))
    assert kinds(replayed)[0] == "CaughtUp"
    assert "MessageAdded" in kinds(replayed)
    await append(demo_server, session, "from a second window")
    followed = json.loads(await visit.sees("from a second window"))
    assert kinds(followed)[0] == "MessageAdded"
    await visit.saves_picture("subscribe", tmp_path)

    assert {urlsplit(address).netloc for address in visit.addresses} == {urlsplit(demo_server.url).netloc}
    assert any(address.startswith("ws:") for address in visit.addresses)
    assert visit.errors == []


async def test_the_first_tab_runs_unchanged_and_there_are_four_tabs_again_on_the_next_visit(demo_server, browser):
    page = await browser.new_page()
    visit = await Visit(page).opens(f"{demo_server.url}/graphql")
    await page.locator(".graphiql-execute-button").click()
    await visit.sees("My first conversation")
    await Visit(page).opens(f"{demo_server.url}/graphql")
    assert await page.get_by_role("tab").all_inner_texts() == ["Create", "Append", "Page", "Subscribe"]
    assert json.loads(await visit.reads("variables.json"))["input"]["title"] == "My first conversation"


async def test_the_demo_conversation_is_there_before_anything_is_created(demo_server, browser):
    visit = await Visit(await browser.new_page()).opens(f"{demo_server.url}/graphql")
    await visit.runs("Page")
    answer = json.loads(await visit.sees('"messageCount"'))
    assert answer["data"]["session"]["messages"]["nodes"]


async def test_the_headers_editor_holds_the_token_of_a_subscription(demo_server, browser):
    visit = await Visit(await browser.new_page()).opens(f"{demo_server.url}/graphql")
    await visit.goes_to("Subscribe")
    [(name, value)] = json.loads(await visit.reads("headers.json")).items()
    assert (name, value.split(".")[0]) == ("Authorization", f"Bearer {demo_server.token}".split(".")[0])
    await visit.writes("headers.json", '{"Authorization": "Bearer nobody"}')
    await visit.page.locator(".graphiql-execute-button").click()
    await visit.sees("4403")


async def test_a_reload_keeps_the_work_but_stores_no_token(demo_server, browser):
    visit = await Visit(await browser.new_page()).opens(f"{demo_server.url}/graphql")
    await visit.goes_to("Page")
    await visit.writes("operation.graphql", "query Mine { __typename }")
    [token] = json.loads(await visit.reads("headers.json")).values()
    assert token.removeprefix("Bearer ") not in await visit.waits_for(visit.stores, "query Mine")
    await visit.opens(f"{demo_server.url}/graphql")
    await visit.runs("Mine")
    await visit.sees('"__typename": "Query"')


async def test_the_editors_check_and_format_their_content(demo_server, browser):
    visit = await Visit(await browser.new_page()).opens(f"{demo_server.url}/graphql")
    await visit.writes("operation.graphql", "# mine\nquery Mine{nothing}")
    await visit.waits_for(visit.diagnostics, "nothing")
    await visit.writes("variables.json", '{"a":[1]}')
    await visit.page.get_by_label("Prettify query").click()
    await visit.waits_for(lambda: visit.reads("operation.graphql"), "# mine\nquery Mine {\n  nothing\n}")
    await visit.waits_for(lambda: visit.reads("variables.json"), '{\n  "a": [\n    1\n  ]\n}')
    assert visit.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_follows_the_colours_of_the_system(demo_server, browser, tmp_path, scheme):
    page = await browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 800})
    visit = await Visit(page).opens(f"{demo_server.url}/graphql")
    red = await page.evaluate(
        "Number(getComputedStyle(document.querySelector('.graphiql-container')).backgroundColor.match(/[0-9]+/)[0])"
    )
    assert (red > 200) == (scheme == "light")
    await visit.runs("Page")
    await visit.sees('"messageCount"')
    await visit.saves_picture(scheme, tmp_path)


async def test_under_another_host_name_the_page_names_why_it_has_no_token_and_works_with_one(
    demo_server, browser, tmp_path
):
    url = demo_server.url.replace("127.0.0.1", ELSEWHERE)
    visit = await Visit(await browser.new_page(viewport={"width": 1280, "height": 800})).opens(f"{url}/graphql")
    assert "has a token only under a host name of" in await visit.reads("operation.graphql")
    await visit.page.locator(".graphiql-execute-button").click()
    await visit.sees("UNAUTHENTICATED")
    await visit.saves_picture("elsewhere", tmp_path)
    await visit.writes("headers.json", json.dumps({"Authorization": f"Bearer {demo_server.token}"}))
    await visit.page.locator(".graphiql-execute-button").click()
    await visit.sees("My first conversation")


def kinds(events: list) -> list[str]:
    return [event["data"]["sessionEvents"]["__typename"] for event in events]


async def append(demo_server, session: str, text: str) -> None:
    document = "mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { errors { code } } }"
    variables = {"input": {"sessionId": session, "message": {"role": "USER", "text": text}}}
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {demo_server.token}"}) as client:
        answer = await client.post(f"{demo_server.url}/graphql", json={"query": document, "variables": variables})
    assert answer.json() == {"data": {"appendMessage": {"errors": []}}}
