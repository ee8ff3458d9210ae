"""The log's line at debug level of a refused request or socket: the reason, and nothing that is the client's."""

import json
import logging

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.transport.refusals import without_values
from harness.server_settings import settings_for
from tests.support.servers import serving

SECRET = "hush-4711"
CREATE = "mutation ($i: CreateSessionInput!) { createSession(input: $i) { session { id } } }"
REFUSED = {
    "a text that is none": (CREATE, {"i": {"title": {"a": SECRET}}}, "$i' has invalid value at .title: String cannot"),
    "an unknown field": (CREATE, {"i": {"password": SECRET}}, "unknown field 'password', found: …"),
    "an unknown name": (CREATE, {"i": {"status": SECRET}}, "at .status: Value … does not exist in 'SessionStatus'"),
    "no time": (CREATE, {"i": {"expiresAt": f"{SECRET} at 'x'; it is {SECRET}"}}, "DateTime needs RFC 3339"),
    "no number": ("query ($i: Int) { sessions(first: $i) { totalCount } }", {"i": SECRET}, "non-integer value: …"),
    "a large number": (
        "query ($i: Int) { sessions(first: $i) { totalCount } }",
        {"i": 1000},
        "first must be between 1",
    ),
    "a cursor": ("query ($i: String) { sessions(after: $i) { totalCount } }", {"i": SECRET}, "after is not a cursor"),
    "a literal": (
        f'{{ sessions(first: "{SECRET}") {{ totalCount }} }}',
        {},
        "Int cannot represent non-integer value: …",
    ),
    "a literal object": (
        f'{{ sessions(filter: {{x: "{SECRET}"}}) {{ totalCount }} }}',
        {},
        "unknown field 'x', found: …",
    ),
    "syntax": (f'{{ sessions(first "{SECRET}") {{ totalCount }} }}', {}, "Syntax Error: Expected ':', found String …"),
    "a field": ("{ nothing }", {}, "Cannot query field 'nothing'"),
    "no variable": (CREATE, {}, "Expected a value of non-null type"),
}


@pytest.fixture
async def api(database_url):
    async with serving(settings_for(database_url)) as running:
        yield running


@pytest.fixture
def lines():
    """The lines of refusals so far."""
    logger = logging.getLogger("colloquy.refusal")
    logger.setLevel(logging.DEBUG)
    with capture_logs() as logs:
        yield lambda: [line for line in logs if line["event"] in ("request_refused", "socket_refused")]
    logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("case", REFUSED)
async def test_an_invalid_request_has_one_line_with_the_reason_and_no_value(api, lines, case):
    document, variables, reason = REFUSED[case]
    ann = api.user("ann")
    assert (await ann.responds(document, **variables))["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    [line] = lines()
    assert (line["log_level"], line["code"]) == ("debug", "BAD_USER_INPUT")
    assert reason in line["reason"]
    assert SECRET not in str(line)
    assert ann.token not in str(line)


async def test_the_same_over_a_socket_and_an_event_stream(api, lines):
    ann = api.user("ann")
    document, variables, reason = REFUSED["an unknown field"]
    async with connect(socket_url(api), subprotocols=["graphql-transport-ws"]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {ann.token}"}}))
        await socket.recv()
        request = {"query": document, "variables": variables}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": request}))
        assert json.loads(await socket.recv())["type"] == "error"
    [line] = lines()
    assert reason in line["reason"]
    headers = {"authorization": f"Bearer {ann.token}", "accept": "text/event-stream"}
    await ann._http.post(f"{api.url}/graphql/stream", json=request, headers=headers)
    assert len(lines()) == 2
    assert SECRET not in str(lines())


async def test_a_refused_socket_has_one_line_with_the_reason(api, lines):
    with pytest.raises(InvalidStatus):
        await connect(socket_url(api), subprotocols=["graphql-transport-ws"], origin="https://evil.example")
    async with connect(socket_url(api), subprotocols=["graphql-ws"]) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    async with connect(socket_url(api), subprotocols=["graphql-transport-ws"]) as socket:
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {SECRET}"}}
        await socket.send(json.dumps(init))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    origin, protocol, token = lines()
    assert (origin["reason"], origin["origin"]) == ("Origin not allowed", "https://evil.example")
    assert (protocol["code"], protocol["offered"]) == (4406, "graphql-ws")
    assert (token["code"], SECRET in str(token)) == (4403, False)


async def test_nothing_is_logged_above_the_level_debug(api):
    with capture_logs() as logs:
        await api.user("ann").responds("{ nothing }")
    assert [line for line in logs if line["event"] == "request_refused"] == []


def test_a_reason_is_bounded():
    assert len(without_values("Cannot query field " + "x" * 10_000)) == 300


def socket_url(api):
    return f"{api.url.replace('http', 'ws')}/graphql"
