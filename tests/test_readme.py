"""The README is right: its commands are run, its documents are executed, and its answers are compared."""

import asyncio
import json
import os
import re
import sys
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from app import demo, errors
from app.main import DEMO
from harness.postgres import dsn
from harness.server_settings import SECRET, settings_for
from tests.support.servers import serving

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
STEPS = re.findall(r"^```sh\n(.*?)^```\n(?:```(?:json|text)\n(.*?)^```\n)?", README, re.S | re.M)
DOCUMENTS = re.findall(r"^```graphql\n(.*?)^```\n", README, re.S | re.M)
CATALOGUE = "{ agents { nodes { id } } }"
CREATE = "mutation { createSession(input: {}) { errors { code message field } } }"
CLAIM_KEY = "insert into idempotency_keys (owner_id, key, request_hash) values ($1, $2, '')"
ANSWERS = re.findall(r"^{.*}$", README, re.M)
MARK = "-- the next step --"
CHANGING = re.compile(r"[0-9a-f]{8}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|-[0-9]+)")


@pytest.fixture(scope="module")
async def readme_server(fresh_database):
    """A server as `make run` starts it the first time."""
    async with serving(settings_for(await fresh_database())) as running:
        await demo.fill(running.url, running.token(DEMO))
        yield running


def renamed(text):
    """The text with each random id replaced by the number of its first appearance."""
    numbers = count(1)
    known = {}
    return CHANGING.sub(lambda found: known.setdefault(found[0], f"<{next(numbers)}>"), text)


async def test_every_command_prints_what_the_readme_shows(readme_server, tmp_path):
    commands = "".join(f"{command}\necho '{MARK}'\n" for command, _ in STEPS)
    commands = commands.replace(".venv/bin", str(Path(sys.executable).parent))
    commands = commands.replace("127.0.0.1:8000", urlsplit(readme_server.url).netloc)
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-c", commands),
        cwd=tmp_path,
        env={**os.environ, "JWT_SECRET": SECRET},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await shell.communicate()
    answers = renamed(output.decode()).split(f"{MARK}\n")
    shown = renamed(MARK.join(answer for _, answer in STEPS)).split(MARK)
    assert [answer.strip() for answer in answers] == [*(answer.strip() for answer in shown), ""]


async def test_the_four_operations_are_enough_for_a_sidebar(readme_server):
    listed, read, followed, all_followed = DOCUMENTS
    owner = readme_server.user(DEMO)
    shown = await owner.asks(listed)
    [session] = [node["id"] for node in shown["sessions"]["nodes"] if node["title"] == "Welcome to Colloquy"]
    conversation = (await owner.asks(read, id=session))["session"]
    await owner.appends(session, "Sent in between.", key="mine")
    async with owner.subscribes(followed, id=session, after=conversation["eventCursor"]) as events:
        seen = await events.until("CaughtUp")
    [added] = [event["message"] for event in seen if event["__typename"] == "MessageAdded"]
    assert (added["key"], added["text"]) == ("mine", "Sent in between.")
    assert added["sequence"] == conversation["messages"]["nodes"][-1]["sequence"] + 1
    async with owner.subscribes(all_followed, after=shown["viewer"]["eventCursor"]) as events:
        seen = await events.until("CaughtUp")
    assert session in [event["session"]["id"] for event in seen if event["__typename"] == "SessionChanged"]


async def test_the_answers_to_failures_are_as_shown(fresh_database):
    url = await fresh_database()
    connection = await asyncpg.connect(dsn(url))
    async with serving(settings_for(url, request_timeout_seconds=2)) as running:
        ann = running.user("ann")
        session = await ann.creates_session()
        answers = [await refused(ann, "ses_nobodys", 1), await refused(ann, session, 101)]
        async with connection.transaction():
            await connection.execute("lock table agents")
            answers.append(await ann.responds(CATALOGUE))
        await connection.execute("drop table agents cascade")
        answers.append(await ann.responds(CATALOGUE))
    await connection.close()
    assert [answer for answer in answers if not is_shown(answer)] == []


async def test_the_answer_to_a_concurrent_duplicate_is_as_shown(readme_server):
    connection = await asyncpg.connect(dsn(readme_server.settings.database_url))
    owner = readme_server.user(DEMO)
    async with connection.transaction():
        await connection.execute(CLAIM_KEY, DEMO, "slow")
        answer = await owner.responds(CREATE, {"idempotency-key": "slow"})
    await connection.close()
    assert is_shown(answer)


def is_shown(answer):
    """True if the README has this answer, with any ids."""
    return renamed(json.dumps(answer)) in [renamed(json.dumps(json.loads(shown))) for shown in ANSWERS]


async def refused(user, session, times):
    """The only error frame of so many equal subscriptions on one socket."""
    query = f'subscription {{ sessionEvents(sessionId: "{session}") {{ __typename }} }}'
    async with user.subscribes(query) as stream:
        for number in range(2, times + 1):
            frame = {"id": str(number), "type": "subscribe", "payload": {"query": query}}
            await stream.socket.send(json.dumps(frame))
        answers = [json.loads(await stream.socket.recv()) for _ in range(times)]
    [answer] = [answer for answer in answers if answer["type"] == "error"]
    return answer


def test_every_code_has_an_example():
    codes = {kind.code for base in (errors.Problem, errors.Refused) for kind in (base, *base.__subclasses__())}
    assert codes <= set(re.findall(r'"code":"(\w+)"', README))


@pytest.mark.parametrize(
    "page", ["README.md", "ARCHITECTURE.md", "docs/operating.md", "docs/rest.md", "examples/sidebar/README.md"]
)
def test_every_link_has_a_target(page):
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_the_page_for_rest_users_names_fields_of_the_schema():
    rows = [line.split(" | ")[1] for line in (ROOT / "docs/rest.md").read_text().splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"`((?:[A-Z][A-Za-z]+\.)?[A-Za-z]+)`", row)}
    schema = (ROOT / "schema.graphql").read_text()
    types = dict(re.findall(r"^type (\w+)[^{]*{(.*?)^}", schema, re.S | re.M))
    missing = [
        name
        for name in named
        if not re.search(rf"\b{name.rpartition('.')[2]}\b", types.get(name.rpartition(".")[0], schema))
    ]
    assert missing == []
    assert named >= set(re.findall(r"^  (\w+)\(", types["Mutation"], re.M)) > set()
