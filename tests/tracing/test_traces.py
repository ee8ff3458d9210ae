"""Spans of requests, operations and statements of a real server process, as a collector receives them."""

import json

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from harness import citus
from tests.support.servers import server_process
from tests.tracing.conftest import sending_to
from tests.tracing.traces import PRIVATE, appends, new_caller

APPEND = "message.append[insert]" if citus.cluster_url() else "message.append"  # the second form has two statements
READ = "query Read($id: ID!) { session(id: $id) { messages(last: 10) { nodes { text } } } }"


async def test_request_operation_and_statements_form_one_trace(ann, collector):
    session, caller = await ann.creates_session(), new_caller()
    await appends(ann, session, caller)
    request = await collector.span("POST /graphql", caller.trace)
    operation = await collector.span("mutation", caller.trace)
    statement = await collector.span(APPEND, caller.trace)
    assert (request.service, request.kind, request.parent) == ("colloquy", "server", caller.span)
    assert (request.attributes["http.route"], request.attributes["http.response.status_code"]) == ("/graphql", 200)
    assert (operation.kind, operation.parent) == ("server", request.id)
    assert operation.attributes["graphql.operation.name"] == "Append"
    assert (operation.attributes["colloquy.outcome"], operation.attributes["colloquy.cost"]) == ("OK", 5)
    assert (statement.kind, statement.parent) == ("client", operation.id)
    assert statement.attributes["db.system.name"] == "postgresql"
    assert statement.attributes["db.query.summary"] == APPEND
    assert statement.attributes["db.response.returned_rows"] == 1
    assert 0 < statement.seconds <= operation.seconds <= request.seconds


async def test_a_stranger_reads_nothing_and_no_span_contains_what_a_user_wrote(traced, ann, bob, collector):
    session, owners, strangers = await ann.creates_session(title=PRIVATE), new_caller(), new_caller()
    await appends(ann, session, owners)
    for user, caller in ((ann, owners), (bob, strangers)):
        await user.responds(READ, {"traceparent": caller.traceparent}, id=session)
        await traced.http.get(
            f"{user.url}/graphql",
            params={"query": f'{{ session(key: "{PRIVATE}") {{ id }} }}'},
            headers={"authorization": f"Bearer {user.token}", "traceparent": caller.traceparent},
        )
        await collector.span("GET /graphql", caller.trace)
    found = [
        (await collector.span("session.by_ids", caller.trace)).attributes["db.response.returned_rows"]
        for caller in (owners, strangers)
    ]
    assert found == [1, 0]
    sent = b"".join(collector.bodies)
    assert b"session.by_ids" in sent
    private = [PRIVATE, session, *ann.token.split("."), ann.name, bob.name]
    assert [text for text in private if text.encode() in sent] == []


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        ("{ nothing }", "BAD_USER_INPUT"),
        ("{ sessions(first: 0) { totalCount } }", "BAD_USER_INPUT"),
        ("subscription { viewerEvents { __typename } }", "BAD_USER_INPUT"),
    ],
)
async def test_a_refused_request_has_its_code_and_is_no_fault_of_the_server(ann, collector, query, outcome):
    caller = new_caller()
    await ann.responds(query, {"traceparent": caller.traceparent})
    request = await collector.span("POST /graphql", caller.trace)
    assert (request.attributes["colloquy.outcome"], request.attributes["error.type"]) == (outcome, outcome)
    assert not request.failed


async def test_a_fault_of_the_database_shows_its_code_and_not_its_message(ann, collector):
    caller = new_caller()
    headers = {"traceparent": caller.traceparent}
    response = await ann.responds('{ session(key: "a\\u0000b") { id } }', headers)
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    statement = await collector.span("session.by_keys", caller.trace)
    assert statement.failed
    assert statement.attributes["db.response.status_code"] == "22021"


SUBSCRIBE = "subscription Watch($id: ID!) { sessionEvents(sessionId: $id) { __typename } }"


async def test_a_socket_continues_the_trace_of_connection_init(ann, bob, collector):
    session, caller, strangers = await ann.creates_session(), new_caller(), new_caller()
    async with socket_of(ann, traceparent=caller.traceparent) as socket:
        await send(socket, "1", READ, id=session)
        assert (await receive(socket))["payload"]["data"]["session"]
        assert (await receive(socket))["type"] == "complete"
        await send(socket, "2", SUBSCRIBE, id=session)
        assert (await receive(socket))["payload"]["data"] == {"sessionEvents": {"__typename": "CaughtUp"}}
        query = await collector.span("query", caller.trace)
        followed = await collector.span("subscription", caller.trace)  # which has ended, and the subscription goes on
    assert query.parent == followed.parent == caller.span
    assert followed.attributes["graphql.operation.name"] == "Watch"
    assert (await collector.span("session_changes.head", caller.trace)).parent == followed.id
    async with socket_of(bob, traceparent=strangers.traceparent) as socket:
        await send(socket, "1", SUBSCRIBE, id=session)
        assert (await receive(socket))["type"] == "error"
        await send(socket, "2", "{ nothing }")
        assert (await receive(socket))["type"] == "error"
        refused = await collector.span("subscription", strangers.trace)
        unknown = await collector.span("GraphQL Operation", strangers.trace)
    outcomes = [span.attributes["colloquy.outcome"] for span in (followed, refused, unknown)]
    assert outcomes == ["OK", "NOT_FOUND", "BAD_USER_INPUT"]


@pytest.mark.parametrize("traceparent", [5, None, "00-1-2-01", "x" * 100_000])
async def test_a_malformed_traceparent_of_connection_init_starts_a_new_trace(ann, collector, traceparent):
    async with socket_of(ann, traceparent=traceparent) as socket:
        name = f"New{len(str(traceparent))}"
        await send(socket, "1", f"query {name} {{ __typename }}")
        assert (await receive(socket))["payload"] == {"data": {"__typename": "Query"}}
    named = await collector.first(lambda span: span.attributes.get("graphql.operation.name") == name)
    assert (named.kind, named.parent) == ("server", "")


async def test_an_event_stream_continues_the_trace_of_its_request(traced, ann, collector):
    session, caller = await ann.creates_session(), new_caller()
    headers = {"authorization": f"Bearer {ann.token}", "traceparent": caller.traceparent}
    request = {"query": SUBSCRIBE, "variables": {"id": session}}
    async with traced.http.stream("POST", f"{ann.url}/graphql/stream", json=request, headers=headers):
        followed = await collector.span("subscription", caller.trace)
    assert (followed.parent, followed.attributes["colloquy.outcome"]) == (caller.span, "OK")
    answer = await traced.http.get(f"{ann.url}/graphql/stream", headers={"traceparent": caller.traceparent})
    assert answer.status_code == 401
    refused = await collector.span("GraphQL Operation", caller.trace)
    assert refused.attributes["colloquy.outcome"] == "UNAUTHENTICATED"


async def test_the_standard_variables_name_the_service_and_choose_what_is_sampled(database_url, collector):
    variables = {"OTEL_SERVICE_NAME": "chat", "OTEL_TRACES_SAMPLER": "parentbased_always_off"}
    async with server_process(database_url, **sending_to(collector.endpoint, **variables)) as server:
        ann, caller = server.user("ann-sampled"), new_caller()
        session = await ann.creates_session()
        await appends(ann, session, caller)
        sampled = await collector.span("mutation", caller.trace)
    assert sampled.service == "chat"
    assert {span.trace for span in collector.spans if span.service == "chat"} == {caller.trace}


def socket_of(user, **payload):
    """A socket after `connection_ack`."""
    address = user.url.replace("http", "ws", 1) + "/graphql"
    return _Ready(connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]), user.token, payload)


class _Ready:
    def __init__(self, connection, token, payload):
        self.connection, self.payload = connection, {"Authorization": f"Bearer {token}", **payload}

    async def __aenter__(self):
        socket = await self.connection.__aenter__()
        await socket.send(json.dumps({"type": "connection_init", "payload": self.payload}))
        assert (await receive(socket))["type"] == "connection_ack"
        return socket

    async def __aexit__(self, *error):
        await self.connection.__aexit__(*error)


async def send(socket, id, query, /, **variables):
    await socket.send(json.dumps({"id": id, "type": "subscribe", "payload": {"query": query, "variables": variables}}))


async def receive(socket):
    return json.loads(await socket.recv())
