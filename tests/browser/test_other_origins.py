"""Pages of other origins in a real browser: what the server's list of origins lets them do, and what not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from harness.server_settings import settings_for
from tests.browser.window import ELSEWHERE
from tests.support.servers import serving

PAGE = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\nconnection: close\r\n\r\n<!doctype html>"
HEADERS = {  # of Sentry, OpenTelemetry and Apollo, beside our own
    "sentry-trace": "0123456789abcdef0123456789abcdef-0123456789abcdef-1",
    "baggage": "sentry-environment=test",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "rojo=00f067aa0ba902b7",
    "apollographql-client-name": "web",
    "x-apollo-operation-name": "Viewer",
    "idempotency-key": "once",
}
POST = """([url, headers]) => fetch(url, {method: "POST", headers: {...headers, "content-type": "application/json"},
    body: JSON.stringify({query: "{viewer{subject}}"})})
    .then(async (reply) => [(await reply.json()).data.viewer.subject, reply.headers.get("x-request-id")])
    .catch((error) => [error.name, null])"""
GET = """([url, headers]) => fetch(url + "?query=" + encodeURIComponent("{viewer{subject}}"), {headers})
    .then(async (reply) => (await reply.json()).data.viewer.subject).catch((error) => error.name)"""
STREAM = """([url, headers]) => fetch(url + "/stream", {method: "POST",
    headers: {...headers, "content-type": "application/json", "last-event-id": "none"},
    body: JSON.stringify({query: "{viewer{subject}}"})})
    .then((reply) => reply.text()).then((text) => text.split("\\n").find((line) => line.startsWith("data: ")))
    .catch((error) => error.name)"""
SOCKET = """([url]) => new Promise((resolve) => {
    const socket = new WebSocket(url.replace("http", "ws"), "graphql-transport-ws");
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
})"""


@pytest.fixture(scope="module")
async def pages() -> AsyncIterator[int]:
    """The port of a server of empty pages."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(PAGE)
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()


async def test_a_page_of_an_allowed_origin_may_do_all_that_its_tools_want_and_another_nothing(
    browser, pages, database_url
):
    settings = settings_for(database_url, cors_origins=(f"http://127.0.0.1:{pages}",))
    async with serving(settings) as running:
        ann = running.user("ann-elsewhere")
        asked = [f"{running.url}/graphql", {"authorization": f"Bearer {ann.token}", **HEADERS}]
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{pages}/")
        subject, request_id = await page.evaluate(POST, asked)
        assert subject == "ann-elsewhere"
        assert request_id
        assert await page.evaluate(GET, asked) == "ann-elsewhere"
        assert "ann-elsewhere" in await page.evaluate(STREAM, asked)
        assert await page.evaluate(SOCKET, asked) == "open"
        await page.goto(f"http://{ELSEWHERE}:{pages}/")
        assert await page.evaluate(POST, asked) == ["TypeError", None]
        assert await page.evaluate(GET, asked) == "TypeError"
        assert await page.evaluate(STREAM, asked) == "TypeError"
        assert await page.evaluate(SOCKET, asked) == "refused"
        await page.close()
