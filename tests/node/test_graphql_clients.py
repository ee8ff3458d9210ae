"""The GraphQL clients of docs/graphql-clients.md: what examples/graphql-clients prints against a real server."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest

from harness.node import installed, start_script
from harness.unreliable_proxy import unreliable_proxy
from tests.support.users import User

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/graphql-clients"
PRINTED = ["Faro, Porto", "Faro, Porto, Lisbon", "When does the train leave?"]
pytestmark = [pytest.mark.xdist_group("node"), pytest.mark.timeout(600)]


async def output(script: str, user: User, **variables: str) -> list[str]:
    """The lines that an example prints for a user."""
    url = {"COLLOQUY_URL": f"{user.url}/graphql", "COLLOQUY_TOKEN": user.token}
    process = await start_script(script, EXAMPLES, **url, **variables)
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, printed.decode()
    return printed.decode().splitlines()


@pytest.mark.parametrize("script", ["apollo.mjs", "urql.mjs"])
async def test_a_client_pages_and_stays_current(server, script):
    assert await output(script, server.user(f"ann-of-{script}")) == PRINTED


def built(*command: str) -> None:
    """Runs a tool of the examples."""
    node = installed(EXAMPLES)
    done = subprocess.run([node, *command], cwd=EXAMPLES, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_relay_pages_and_stays_current_with_what_its_compiler_makes_of_our_schema(server):
    (EXAMPLES / "__generated__").mkdir(exist_ok=True)
    built("node_modules/relay-compiler/cli.js")
    built("build.mjs", "relay-page.jsx", "__generated__/page.cjs")
    assert await output("__generated__/page.cjs", server.user("ann-of-relay")) == PRINTED


async def test_graphql_codegen_makes_types_of_our_schema(server):
    built("node_modules/@graphql-codegen/cli/cjs/bin.js")
    built("node_modules/typescript/bin/tsc")
    built("build.mjs", "typed.ts", "gql/typed.mjs")
    assert await output("gql/typed.mjs", server.user("ann-of-codegen")) == ["Lisbon PENDING"]


@pytest.mark.parametrize("way", ["apollo", "relay"])
async def test_apollo_and_relay_miss_nothing_across_cuts(ann, way):
    """The connection breaks after each message, and subscriptions in parts resume after the last cursor."""
    session = await ann.creates_session("Cut")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    async with unreliable_proxy(ann.url) as proxy:
        environment = {"URL": f"{proxy.url}/graphql", "TOKEN": ann.token, "SESSION": session, "CURSOR": cursor}
        process = await start_script("multipart.mjs", WAY=way, **environment)
        seen: list[int] = []
        try:
            for number in range(1, 6):
                await ann.appends(session, f"message {number}")
                while number not in seen:
                    event = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
                    if event["__typename"] == "MessageAdded":
                        seen.append(event["message"]["sequence"])
                proxy.disconnect()
        finally:
            process.kill()
            await process.communicate()
    assert seen == [1, 2, 3, 4, 5]


def test_every_example_of_the_page_is_a_part_of_a_program():
    programs = [path.read_text() for path in EXAMPLES.iterdir() if path.is_file()]
    examples = re.findall(
        r"^```[a-z]+\n(.*?)^```", (ROOT / "docs/graphql-clients.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(examples) == 8
    assert [example for example in examples if not any(example in program for program in programs)] == []
