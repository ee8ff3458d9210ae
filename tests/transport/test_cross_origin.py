"""Pages of other origins: the same list decides over HTTP, event streams and WebSockets."""

import pytest
from websockets.exceptions import InvalidStatus

from tests.transport.sample_server import ALLOWED_ORIGIN, Server, serving

STRANGER = "https://evil.example"
ORIGINS = ["https://app.example.com", "https://*.example.org", "capacitor://localhost", "chrome-extension://abcdef"]
TOOLS = {
    "Sentry": "authorization,baggage,content-type,sentry-trace",
    "OpenTelemetry": "authorization,content-type,traceparent,tracestate",
    "Apollo Client": "apollographql-client-name,apollographql-client-version,authorization,content-type,"
    "x-apollo-operation-name,apollo-require-preflight",
    "urql": "authorization,graphql-require-preflight",
    "ours": "authorization,content-type,idempotency-key,last-event-id,traceparent",
    "next year's": "authorization,x-whatever-comes-2031",
}


async def preflight(server: Server, origin: str, *, path: str = "", method: str = "POST", headers: str | None = None):
    asked = {"origin": origin, "access-control-request-method": method}
    return await server.http.options(
        server.url + path, headers=asked | ({"access-control-request-headers": headers} if headers else {})
    )


@pytest.fixture(scope="module")
async def friends():
    """A server with origins of every kind."""
    async with serving(origins=ORIGINS) as running:
        yield running


@pytest.mark.parametrize("headers", TOOLS.values(), ids=TOOLS)
@pytest.mark.parametrize("path", ["", "/", "/stream", "/stream/"])
async def test_the_headers_of_any_tool_pass_the_preflight_of_an_allowed_origin(server: Server, path: str, headers: str):
    answer = await preflight(server, ALLOWED_ORIGIN, path=path, headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert answer.headers["access-control-allow-headers"] == headers
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in answer.headers.get_list("vary", split_commas=True)


async def test_a_preflight_of_another_origin_is_refused_in_words(server: Server):
    answer = await preflight(server, STRANGER, headers="authorization")
    assert (answer.status_code, answer.text) == (403, "CORS_ORIGINS does not allow this origin.\n")
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_only_allowed_origins_may_read_a_response_and_its_headers(server: Server):
    for origin, allowed in [(ALLOWED_ORIGIN, ALLOWED_ORIGIN), (STRANGER, None)]:
        for path, status in [("", 200), ("/stream", 200), ("/nothing", 404)]:
            reply = await server.http.post(
                server.url + path, json={"query": "{ping}"}, headers=server.headers(origin=origin)
            )
            assert reply.status_code == status
            assert reply.headers.get("access-control-allow-origin") == allowed
            exposed = reply.headers.get("access-control-expose-headers", "").lower().split(", ")
            assert {"x-request-id", "retry-after", "www-authenticate"} <= set(exposed) or allowed is None
            assert "origin" in reply.headers.get_list("vary", split_commas=True)


async def test_a_refused_request_can_be_read_too(server: Server):
    reply = await server.post({"query": "{ping}"}, origin=ALLOWED_ORIGIN, authorization="Bearer nobody")
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (401, ALLOWED_ORIGIN)


async def test_a_response_to_no_other_origin_has_no_headers_of_cors(server: Server):
    assert not [name for name in (await server.post({"query": "{ping}"})).headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://app.example.com", True),
        ("https://one.example.org", True),
        ("capacitor://localhost", True),
        ("chrome-extension://abcdef", True),
        ("https://a.b.example.org", False),
        ("capacitor://elsewhere", False),
        ("null", False),
    ],
)
async def test_one_list_decides_for_http_event_streams_and_sockets(friends: Server, origin: str, allowed: bool):
    for path in ("", "/stream"):
        assert (await preflight(friends, origin, path=path)).status_code == (204 if allowed else 403)
        reply = await friends.http.post(
            friends.url + path, json={"query": "{ping}"}, headers=friends.headers(origin=origin)
        )
        assert ("access-control-allow-origin" in reply.headers) is allowed
    try:
        async with friends.socket(origin=origin):
            connected = True
    except InvalidStatus:
        connected = False
    assert connected is allowed


async def test_any_origin_may_be_allowed():
    async with serving(origins=["*"]) as server:
        for origin in (STRANGER, "null", "file://"):
            assert (await preflight(server, origin)).headers["access-control-allow-origin"] == "*"
            async with server.socket(origin=origin):
                pass
