"""Clients of other people, as they come from the registry, against a real server."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.transport.trusted_documents import read_manifests
from harness.node import run_script, start_script
from harness.server_settings import settings_for
from harness.unreliable_proxy import unreliable_proxy
from tests.support.servers import Server, serving
from tests.support.users import User

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "tests/transport/manifests"
APOLLO = MANIFESTS / "apollo.json"
README = (ROOT / "README.md").read_text()
pytestmark = pytest.mark.xdist_group("node")


@pytest.fixture
async def fresh(database_url) -> AsyncIterator[Server]:
    """A server that knows no document yet."""
    async with serving(settings_for(database_url)) as running:
        yield running


@pytest.fixture(scope="module")
async def strict(database_url) -> AsyncIterator[Server]:
    """A server that runs the documents of the manifests only."""
    settings = settings_for(database_url, trusted_documents=MANIFESTS, trusted_documents_mode="only")
    async with serving(settings) as running:
        yield running


async def run(script: str, server: Server, way: str, **variables: str):
    """The subjects that a client was answered with, and its requests; it asks twice."""
    ann = server.user("ann-of-javascript")
    answer = await run_script(script, URL=f"{server.url}/graphql", TOKEN=ann.token, WAY=way, **variables)
    return answer["results"], answer["requests"]


SUBJECTS = ["ann-of-javascript"] * 2
TRUSTED = next(iter(read_manifests(MANIFESTS / "graphql-codegen.json")))


async def test_urql_as_it_comes_queries_by_get(fresh):
    assert await run("urql.mjs", fresh, "plain") == (SUBJECTS, ["GET query 200"] * 2)


async def test_urql_sends_a_hash_and_the_document_only_once(fresh):
    results, requests = await run("urql.mjs", fresh, "hash")
    assert results == SUBJECTS
    assert requests == ["GET hash 200", "GET query hash 200", "GET hash 200"]


async def test_urql_sends_the_hash_that_graphql_codegen_has_put_into_the_document(strict):
    results, requests = await run("urql.mjs", strict, "manifest", HASH=f"sha256:{TRUSTED}")
    assert (results, requests) == (SUBJECTS, ["GET hash 200"] * 2)


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("plain", ["POST query 200"] * 2),
        ("hash", ["POST hash 200", "POST query hash 200", "POST hash 200"]),
        ("get", ["GET hash 200", "POST query hash 200", "GET hash 200"]),
    ],
)
async def test_apollo_sends_a_hash_and_the_document_only_once(fresh, way, expected):
    results, requests = await run("apollo.mjs", fresh, way, DOCUMENT="query Apollo { viewer { subject } }")
    assert (results, requests) == (SUBJECTS, expected)


async def test_apollo_finds_the_documents_of_its_own_manifest_where_no_others_run(strict):
    [operation] = json.loads(APOLLO.read_text())["operations"]
    sent = {"MANIFEST": str(APOLLO), "DOCUMENT": operation["body"]}
    assert await run("apollo.mjs", strict, "manifest", **sent) == (SUBJECTS, ["POST hash 200"] * 2)
    results, requests = await run("apollo.mjs", strict, "plain", DOCUMENT="query Mine { viewer { subject } }")
    assert ["Only the documents of known clients are accepted" in result for result in results] == [True, True]
    assert requests == ["POST query 403"] * 2


@asynccontextmanager
async def following(user: User, url: str, session: str, lines: str):
    """`await sequences()` waits for one more message of the session; returns the sequence of its event."""
    [query] = re.findall(r"^```graphql\n(subscription Follow\(.*?)^```", README, re.DOTALL | re.MULTILINE)
    cursor = (await user.sees(session, "eventCursor"))["eventCursor"]
    address = url.replace("http", "ws", 1) + "/graphql"
    environment = {"URL": address, "TOKEN": user.token, "SESSION": session, "CURSOR": cursor, "FOLLOW": query}
    process = await start_script("graphql-ws.mjs", LINES=lines, **environment)

    async def sequence() -> int:
        while True:
            event = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
            if event["__typename"] == "MessageAdded":
                return event["message"]["sequence"]

    try:
        yield sequence
    finally:
        process.kill()
        await process.communicate()


async def followed(ann: User, lines: str, *, cuts: int) -> list[int]:
    """The sequences that a follower shows while its connection breaks after each message."""
    session = await ann.creates_session("Followed")
    seen = []
    async with unreliable_proxy(ann.url) as proxy, following(ann, proxy.url, session, lines) as sequence:
        for number in range(1, cuts + 2):
            await ann.appends(session, f"message {number}")
            seen.append(await sequence())
            while number not in seen:
                seen.append(await sequence())
            proxy.disconnect()
    return seen


async def test_graphql_ws_resumes_with_the_lines_of_the_readme(ann):
    [lines] = re.findall(r"^```js\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert await followed(ann, lines, cuts=3) == [1, 2, 3, 4]


async def test_graphql_ws_by_itself_repeats_what_was_shown(ann):
    assert await followed(ann, "", cuts=2) == [1, 1, 2, 1, 2, 3]
