"""Documents by their text, by their hash and from manifests, over each transport; and how long one may be."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.transport.documents import PersistedQueries, sha256
from tests.transport.sample_server import MAX_DOCUMENT, Server, serving

RESPONSE = "application/graphql-response+json"
PONG = {"data": {"ping": "pong"}}
TRUSTED_TEXT = "query Trusted { ping }"
TRUSTED = {sha256(TRUSTED_TEXT): TRUSTED_TEXT, "8f3a": "query Other { pong: ping }", "add": "mutation { add }"}
TRANSPORTS = ["post", "get", "stream", "socket"]


async def asked(server: Server, transport: str, request: Mapping[str, Any]) -> Any:
    """The response to a request over one transport."""
    match transport:
        case "post":
            return (await server.post(dict(request))).json()
        case "get":
            return (await server.get(**as_query_string(request))).json()
        case "stream":
            async with server.stream(dict(request)) as events:
                return (await anext(events)).data
        case _:
            async with server.ready() as socket:
                await socket.send(id="1", type="subscribe", payload=dict(request))
                frame = await socket.next()
            return {"errors": frame["payload"]} if frame["type"] == "error" else frame["payload"]


def as_query_string(request: Mapping[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in request.items()}


def by_hash(text: str, *, digest: str | None = None, version: Any = 1, with_text: bool = False) -> dict[str, Any]:
    """A request of Apollo's automatic persisted queries."""
    extensions = {"persistedQuery": {"version": version, "sha256Hash": digest or sha256(text)}}
    return {"extensions": extensions} | ({"query": text} if with_text else {})


def errors(answer: Any) -> list[tuple[str, str]]:
    assert answer.keys() == {"errors"}
    return [(error["message"], error["extensions"]["code"]) for error in answer["errors"]]


NOT_FOUND = [("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")]
NOT_SUPPORTED = [("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_unknown_hash_is_not_found_until_a_client_sends_the_document_with_it(server: Server, transport: str):
    text = f"query By_{transport} {{ ping }}"
    assert errors(await asked(server, transport, by_hash(text))) == NOT_FOUND
    assert await asked(server, transport, by_hash(text, with_text=True)) == PONG
    for another in TRANSPORTS:
        assert await asked(server, another, by_hash(text)) == PONG
        assert await asked(server, another, {"documentId": f"sha256:{sha256(text)}"}) == PONG


@pytest.mark.parametrize("accept", [RESPONSE, "application/json"])
async def test_a_client_of_apollos_protocol_is_answered_with_status_200(server: Server, accept: str):
    for request, expected in [
        (by_hash("query Nobody_sent { ping }"), NOT_FOUND),
        (by_hash("{ping}", version=2), NOT_SUPPORTED),
    ]:
        reply = await server.post(request, accept=accept)
        assert (reply.status_code, errors(reply.json())) == (200, expected)
        assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "persisted",
    [{"version": 2, "sha256Hash": "a" * 64}, {"version": 1}, {"version": 1, "sha256Hash": 5}, "a" * 64, [], {}, True],
    ids=str,
)
async def test_a_hash_of_another_kind_is_not_supported_so_the_client_sends_documents(server: Server, persisted: Any):
    for query in ({}, {"query": "{ping}"}):
        answer = (await server.post({"extensions": {"persistedQuery": persisted}, **query})).json()
        assert errors(answer) == NOT_SUPPORTED


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_no_document_is_kept_under_the_hash_of_another(server: Server, transport: str):
    digest = sha256("query Mine { ping }")
    answer = await asked(server, transport, by_hash("query Theirs { ping }", digest=digest, with_text=True))
    assert errors(answer) == [("provided sha does not match query", "BAD_USER_INPUT")]
    assert errors(await asked(server, transport, by_hash("", digest=digest))) == NOT_FOUND


async def test_only_a_viewers_valid_document_is_kept(server: Server):
    wrong, unseen = "query Wrong { nothing }", "query Unseen { ping }"
    assert errors((await server.post(by_hash(wrong, with_text=True))).json())[0][1] == "BAD_USER_INPUT"
    reply = await server.post(by_hash(unseen, with_text=True), authorization="Bearer nobody")
    assert reply.status_code == 401
    for text in (wrong, unseen):
        assert errors((await server.post(by_hash(text))).json()) == NOT_FOUND


def test_the_persisted_documents_are_bounded_and_those_in_use_stay():
    kept = PersistedQueries(3)
    for number in range(100):
        kept.keep(f"hash {number}", f"text {number}")
        kept.get("hash 0")
    assert [kept.get(f"hash {number}") for number in (0, 97, 98, 99)] == ["text 0", None, "text 98", "text 99"]
    kept.keep("long", "x" * 100_000)
    assert kept.get("long") is None


@pytest.fixture(scope="module")
async def preferring():
    async with serving(trusted=TRUSTED) as running:
        yield running


@pytest.fixture(scope="module")
async def strict():
    async with serving(trusted=TRUSTED, only_trusted=True) as running:
        yield running


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_trusted_document_is_found_by_every_name_it_has(preferring: Server, strict: Server, transport: str):
    digest = sha256(TRUSTED_TEXT)
    for server in (preferring, strict):
        for named in (
            {"documentId": digest},
            {"documentId": f"sha256:{digest}"},
            {"documentId": digest, "query": ""},
            by_hash(TRUSTED_TEXT),
            by_hash(TRUSTED_TEXT, digest=f"sha256:{digest}"),
            by_hash(TRUSTED_TEXT, with_text=True),
            {"query": TRUSTED_TEXT},
            {"documentId": digest, "operationName": "Trusted"},
        ):
            assert await asked(server, transport, named) == PONG
        assert await asked(server, transport, {"documentId": "8f3a"}) == {"data": {"pong": "pong"}}
        assert await asked(server, transport, by_hash("", digest="8f3a")) == {"data": {"pong": "pong"}}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_other_documents_run_beside_trusted_ones_only_where_these_are_preferred(
    preferring: Server, strict: Server, transport: str
):
    text = f"query Else_{transport} {{ ping }}"
    assert await asked(preferring, transport, {"query": text}) == PONG
    assert await asked(preferring, transport, by_hash(text, with_text=True)) == PONG
    for request in ({"query": text}, {"query": "{__schema{types{name}}}"}, by_hash(text, with_text=True)):
        [(message, code)] = errors(await asked(strict, transport, request))
        assert (message.split(",")[0], code) == (
            "Only the documents of known clients are accepted",
            "DOCUMENT_NOT_TRUSTED",
        )
    assert errors(await asked(strict, transport, by_hash(text))) == NOT_FOUND


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_id_without_a_document_is_one_error(preferring: Server, strict: Server, transport: str):
    for server in (preferring, strict):
        answer = await asked(server, transport, {"documentId": "sha256:" + "0" * 64})
        assert errors(answer) == [("There is no document with this documentId.", "BAD_USER_INPUT")]


@pytest.mark.parametrize("request_", [{"documentId": 5}, {"documentId": ""}, {"documentId": "8f3a", "query": "{ping}"}])
async def test_a_request_names_its_document_once(preferring: Server, request_: dict[str, Any]):
    assert (await preferring.post(request_)).status_code == 400
    async with preferring.ready() as socket:
        await socket.send(id="1", type="subscribe", payload=request_)
        assert (await socket.closed())[0] == 4400


async def test_the_rules_of_http_hold_for_documents_by_id(preferring: Server, strict: Server):
    reply = await preferring.get(documentId="add")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    for accept, status in [(RESPONSE, 403), ("application/json", 200)]:
        assert (await strict.post({"query": "{ping}"}, accept=accept)).status_code == status


async def test_a_trusted_document_that_the_schema_or_a_limit_refuses_is_logged_and_stops_nothing():
    several = "query A { ping } query B { ping }"
    refused = {"gone": "query Gone { gone }", "long": "query Long { ping } #" + "x" * MAX_DOCUMENT}
    with capture_logs() as logs:
        async with serving(trusted={**refused, "several": several}) as server:
            assert await asked(server, "post", {"documentId": "several", "operationName": "B"}) == PONG
    assert {entry["document"]: entry["reason"] for entry in logs if entry["event"] == "trusted_document_refused"} == {
        "gone": "Cannot query field 'gone' on type 'Query'.",
        "long": "The document has 32,789 bytes; 32,768 are allowed.",
    }


@pytest.mark.parametrize("transport", ["post", "stream", "socket"])
@pytest.mark.parametrize("filling", [" ", "#", ",", "é", "\n"])
async def test_a_long_document_is_refused_by_its_bytes_whatever_it_is_made_of(
    server: Server, transport: str, filling: str
):
    def document(size: int) -> str:
        start = "{ping} #"
        return start + filling * ((size - len(start)) // len(filling.encode()))

    assert await asked(server, transport, {"query": document(MAX_DOCUMENT)}) == PONG
    [(message, code)] = errors(await asked(server, transport, {"query": document(MAX_DOCUMENT + 2)}))
    assert (message.split(" has ")[0], code) == ("The document", "QUERY_TOO_COMPLEX")


@pytest.mark.parametrize(
    "document",
    [
        "query { ping " + "@aa" * 50 + "}",
        "{" + " ".join(f"nothing{n}" for n in range(50)) + "}",
        "query(" + " ".join(f"$v{n}: Int" for n in range(50)) + "){ping}",
        "{" + " ".join(f"a{n}: ping" for n in range(50)) + "".join(f" ...f{n}" for n in range(50)) + "}",
    ],
    ids=["directives", "fields", "variables", "fragments"],
)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_at_most_five_errors_are_reported_of_a_document(server: Server, transport: str, document: str):
    assert len(errors(await asked(server, transport, {"query": document}))) == 5


async def test_at_most_five_errors_are_reported_of_variables(server: Server):
    names = [f"v{n}" for n in range(20)]
    document = (
        f"query({' '.join(f'${name}: Int!' for name in names)}){{{' '.join(f'{n}: echo(page: ${n})' for n in names)}}}"
    )
    for _ in range(3):  # run by graphql-core, then compiled
        answer = (await server.post({"query": document, "variables": dict.fromkeys(names, "x")})).json()
        assert len(errors(answer)) == 5
