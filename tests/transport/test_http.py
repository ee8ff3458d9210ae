"""GraphQL over HTTP: valid, invalid and hostile requests, and browsers."""

import asyncio
import gzip
import json
import logging
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.transport.sample_server import Server, eventually, serving, token

RESPONSE = "application/graphql-response+json"


def code(response: Any) -> str:
    return response["errors"][0]["extensions"]["code"]


async def test_a_query_returns_its_result(server: Server):
    reply = await server.post({"query": "query Q($t:String){ping echo(text:$t)}", "variables": {"t": "hi"}})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.json() == {"data": {"ping": "pong", "echo": {"text": "hi"}}}


async def test_operation_name_selects_the_operation(server: Server):
    both = "query A{a:ping} query B{b:ping}"
    assert (await server.post({"query": both, "operationName": "B"})).json() == {"data": {"b": "pong"}}
    for name, complaint in [(None, "several operations"), ("C", "no operation named 'C'")]:
        answer = (await server.post({"query": both, "operationName": name})).json()
        assert complaint in answer["errors"][0]["message"]
        assert "data" not in answer


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (RESPONSE, RESPONSE),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/*;q=0.5", "application/json"),
        (f"{RESPONSE}, application/json;q=0.9", RESPONSE),
        (f"{RESPONSE};q=0.4, application/json;q=0.9", "application/json"),
        (f"application/json, {RESPONSE}, text/event-stream", RESPONSE),
        ("APPLICATION/JSON; charset=utf-8", "application/json"),
        ("text/event-stream, */*;q=0.1", "application/json"),
    ],
)
async def test_the_accept_header_selects_the_media_type(server: Server, accept: str, answered: str):
    reply = await server.post({"query": "{ping}"}, accept=accept)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == f"{answered}; charset=utf-8"


@pytest.mark.parametrize("accept", ["text/event-stream", "application/jsonp", "application/json;q=0", "text/html"])
async def test_no_accepted_media_type_is_406(server: Server, accept: str):
    assert (await server.post({"query": "{ping}"}, accept=accept)).status_code == 406


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"query": "{"}, "BAD_USER_INPUT"),
        ({"query": "{nope}"}, "BAD_USER_INPUT"),
        ({"query": "query($a:Int!){echo(page:$a)}", "variables": {"a": "x"}}, "BAD_USER_INPUT"),
        ({"query": "subscription{count(to:1)}"}, "BAD_USER_INPUT"),
        ({"query": "{" + "ping " * 1001 + "}"}, "QUERY_TOO_COMPLEX"),
        ({"query": "{" + "ping " * 3000 + "}"}, "BAD_USER_INPUT"),
        ({"query": "{" * 5000}, "BAD_USER_INPUT"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_request_that_is_not_executed_has_no_data_and_its_status_depends_on_the_media_type(
    server: Server, request_: Any, expected: str
):
    for accept, status in [(RESPONSE, 400), ("application/json", 200)]:
        reply = await server.post(request_, accept=accept)
        assert reply.status_code == status
        assert reply.json().keys() == {"errors"}
        assert code(reply.json()) == expected


INVALID_BODIES: list[tuple[str, Any, dict[str, str], int]] = [
    ("null", b"null", {}, 400),
    ("a number", b"5", {}, 400),
    ("a string", b'"x"', {}, 400),
    ("a batch", b'[{"query":"{ping}"}]', {}, 400),
    ("nothing", b"", {}, 400),
    ("half of it", b'{"query":"{pi', {}, 400),
    ("bad UTF-8", b'{"query":"{ping}","a":"\xff\xfe"}', {}, 400),
    ("UTF-16", '{"query":"{ping}"}'.encode("utf-16"), {}, 400),
    ("deep nesting", b'{"query":"{ping}","a":' + b"[" * 50_000, {}, 400),
    ("deep nesting, closed", b'{"query":"{ping}","a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", {}, 400),
    ("a huge integer", b'{"query":"{ping}","a":' + b"9" * 5_000 + b"}", {}, 400),
    ("NaN", b'{"query":"{ping}","a":NaN}', {}, 400),
    ("no query", {"qeury": "{ping}"}, {}, 400),
    ("query null", {"query": None}, {}, 400),
    ("query a list", {"query": ["{ping}"]}, {}, 400),
    ("variables a list", {"query": "{ping}", "variables": []}, {}, 400),
    ("variables a text", {"query": "{ping}", "variables": "{}"}, {}, 400),
    ("extensions a number", {"query": "{ping}", "extensions": 0}, {}, 400),
    ("operationName a map", {"query": "{ping}", "operationName": {}}, {}, 400),
    ("too long", b"x" * 300_000, {}, 413),
    ("gzip", gzip.compress(b'{"query":"{ping}"}'), {"content_encoding": "gzip"}, 415),
    ("plain text", {"query": "{ping}"}, {"content_type": "text/plain"}, 415),
    ("a form", b"query={ping}", {"content_type": "application/x-www-form-urlencoded"}, 415),
    ("a prefix of the type", {"query": "{ping}"}, {"content_type": "application/jsonp"}, 415),
    ("another charset", {"query": "{ping}"}, {"content_type": "application/json; charset=utf-16"}, 415),
    ("no type", {"query": "{ping}"}, {"content_type": ""}, 415),
]


@pytest.mark.parametrize(
    ("body", "headers", "status"), [h[1:] for h in INVALID_BODIES], ids=[h[0] for h in INVALID_BODIES]
)
async def test_an_invalid_body_is_the_clients_fault(
    server: Server, body: Any, headers: dict[str, str], status: int, caplog: pytest.LogCaptureFixture
):
    with capture_logs() as logs:
        reply = await server.post(body, **headers)
    assert reply.status_code == status
    assert code(reply.json()) == "BAD_USER_INPUT"
    assert not logs
    assert not caplog.records
    assert (await server.query("{ping}")) == {"data": {"ping": "pong"}}


async def test_a_body_without_a_length_is_refused_at_the_limit(server: Server):
    async def endless():
        for _ in range(1_000):
            yield b" " * 1_000

    reply = await server.http.post(server.url, content=endless(), headers=server.headers())
    assert reply.status_code == 413


@pytest.mark.parametrize("value", [2**70, -(2**70), "\ud800", {"\udfff": ["\U0001f600"]}, 1.5, 0.1, "\u0000"])
async def test_values_make_the_round_trip(server: Server, value: Any):
    answer = await server.query("query($j:JSON){echo(json:$j)}", j=value)
    assert answer == {"data": {"echo": {"json": value}}}


async def test_an_error_names_the_variable_that_a_scalar_refuses(server: Server):
    for value, message in [(2**64, "beyond 64 bits"), (1, "never right")]:
        answer = await server.query("query($v:Strict!){strict(value:$v)}", v=value)
        assert code(answer) == "BAD_USER_INPUT"
        assert "'$v'" in answer["errors"][0]["message"]
        assert message in answer["errors"][0]["message"]


async def test_a_refused_field_keeps_its_message_and_code(server: Server):
    answer = await server.query("{ping refused}")
    assert answer["data"] == {"ping": "pong", "refused": None}
    [error] = answer["errors"]
    assert error == {
        "message": "first must be at least 1.",
        "path": ["refused"],
        "locations": [{"line": 1, "column": 7}],
        "extensions": {"code": "BAD_USER_INPUT"},
    }


@pytest.mark.parametrize("field", ["broken", "wrongType", "missing"])
async def test_an_internal_fault_shows_only_a_request_id_and_logs_a_traceback(server: Server, field: str):
    with capture_logs() as logs:
        reply = await server.post({"query": f"{{{field}}}"})
    [error] = reply.json()["errors"]
    assert error["message"] == "Something went wrong on our side."
    assert error["extensions"] == {"code": "INTERNAL", "requestId": reply.headers["x-request-id"]}
    assert "secret" not in reply.text
    [fault] = [entry for entry in logs if entry["event"] == "request_failed"]
    assert isinstance(fault["exc_info"], Exception)


async def test_an_invalid_token_is_401_with_a_challenge(server: Server):
    for authorization, challenge in [
        ("", 'Bearer realm="colloquy"'),
        ("Bearer nonsense", "The token is not valid."),
        ("Basic YTpi", "Authorization must be Bearer and a token."),
        (f"Bearer {token(ttl=-60)}", "The token has expired."),
    ]:
        headers = {"authorization": authorization} if authorization else {}
        reply = await server.http.post(server.url, json={"query": "{ping}"}, headers=headers)
        assert reply.status_code == 401
        assert challenge in reply.headers["www-authenticate"]
        assert code(reply.json()) == "UNAUTHENTICATED"


async def test_each_operation_kind_requires_its_scope_over_http(server: Server):
    reader, writer = f"Bearer {token('chat:read')}", f"Bearer {token('chat:write')}"
    before = server.resolvers.total
    for bearer, query in [(reader, "mutation{add}"), (writer, "{ping}")]:
        for accept, status in [(RESPONSE, 403), ("application/json", 200)]:
            reply = await server.post({"query": query}, authorization=bearer, accept=accept)
            assert (reply.status_code, code(reply.json())) == (status, "FORBIDDEN")
    assert server.resolvers.total == before
    assert "data" in (await server.post({"query": "mutation{add}"}, authorization=writer)).json()


async def test_a_query_is_allowed_by_get(server: Server):
    reply = await server.get(query="query Q($t:String){echo(text:$t)}", variables='{"t":"é"}', operationName="Q")
    assert reply.json() == {"data": {"echo": {"text": "é"}}}


async def test_a_mutation_is_refused_by_get(server: Server):
    before = server.resolvers.total
    reply = await server.get(query="mutation{add}")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert server.resolvers.total == before


async def test_a_get_is_safe_from_other_sites_by_its_authorization_header_alone(server: Server):
    assert (await server.get(query="{ping}", headers={"authorization": f"Bearer {server.token}"})).status_code == 200
    for nothing_a_page_cannot_send in ({}, {"cookie": f"authorization=Bearer {server.token}"}, {"x-graphql-a": "1"}):
        assert (await server.get(query="{ping}", headers=nothing_a_page_cannot_send)).status_code == 401


@pytest.mark.parametrize(
    "query_string", ["query=%ff", "query=%7Bping%7D&variables=[]", "query=%7Bping%7D&variables={", ""]
)
async def test_an_invalid_query_string_is_the_clients_fault(server: Server, query_string: str):
    reply = await server.http.get(f"{server.url}?{query_string}", headers=server.headers())
    assert reply.status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_405(server: Server, method: str):
    reply = await server.http.request(method, server.url, headers=server.headers())
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, POST")


async def test_a_slash_at_the_end_of_the_path_is_served_without_a_redirect(server: Server):
    reply = await server.http.post(f"{server.url}/", json={"query": "{ping}"}, headers=server.headers())
    assert (reply.status_code, reply.json()) == (200, {"data": {"ping": "pong"}})


async def test_an_operation_beyond_the_time_limit_is_504():
    async with serving(timeout=0.2) as server:
        reply = await server.post({"query": "query Long{slow(seconds:30)}"})
        assert (reply.status_code, code(reply.json())) == (504, "TIMEOUT")
        assert server.observed[-1][:2] == ("query", "TIMEOUT")


async def test_an_incomplete_body_is_504():
    async with serving(timeout=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        writer.write(
            b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n"
            b"authorization: Bearer " + server.token.encode() + b'\r\n\r\n{"query":'
        )
        assert b"504" in await reader.readline()
        writer.close()


async def test_the_context_has_the_trace_the_request_id_and_the_key(server: Server):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    reply = await server.post(
        {"query": "{ping}"},
        traceparent=f"00-{trace}-00f067aa0ba902b7-01",
        idempotency_key="once",
    )
    context = server.resolvers.contexts[-1]
    assert context.viewer.subject == "ann"
    assert context.made_with == {
        "trace_id": trace,
        "request_id": reply.headers["x-request-id"],
        "idempotency_key": "once",
        "resume_after": None,
    }


async def test_the_contexts_extensions_are_in_the_response(server: Server):
    answer = await server.query("{extended}")
    assert answer == {"data": {"extended": "yes"}, "extensions": {"idempotency": {"replayed": True}}}


async def test_a_browser_gets_the_page_and_a_program_gets_json():
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    async with serving(page=b"<h1>GraphiQL</h1>") as server:
        reply = await server.get(headers={"accept": browser})
        assert (reply.status_code, reply.text) == (200, "<h1>GraphiQL</h1>")
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert (await server.get(query="{ping}")).json() == {"data": {"ping": "pong"}}
        assert (await server.post({"query": "{ping}"}, accept=browser)).json() == {"data": {"ping": "pong"}}


async def test_every_request_is_counted_and_logged(server: Server, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "colloquy.request")
    server.observed.clear()
    with capture_logs() as logs:
        for query in ["query Named{ping}", "mutation{add}", "{refused}", "{"]:
            await server.query(query)
        await eventually(lambda: len(server.observed) == 4)
    expected = [("query", "OK"), ("mutation", "OK"), ("query", "BAD_USER_INPUT"), ("unknown", "BAD_USER_INPUT")]
    assert [operation[:2] for operation in server.observed] == expected
    lines = [entry for entry in logs if entry["event"] == "request"]
    assert [(line["kind"], line["outcome"]) for line in lines] == expected
    assert (lines[0]["operation"], lines[0]["protocol"]) == ("Named", "http")


async def test_concurrent_requests_get_their_own_responses(server: Server):
    answers = await asyncio.gather(
        *(server.query("query($j:JSON){slow(seconds:0.01) echo(json:$j)}", j=n) for n in range(50))
    )
    assert [answer["data"]["echo"]["json"] for answer in answers] == list(range(50))


async def test_a_response_must_not_be_cached(server: Server):
    reply = await server.post({"query": "{ping}"})
    assert reply.headers["cache-control"] == "no-store"
    assert json.loads(reply.content) == reply.json()
