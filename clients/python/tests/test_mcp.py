"""The MCP server, used through the client of the MCP SDK over both transports."""

import asyncio
import os
import socket
import sys
from contextlib import asynccontextmanager

import asyncpg
import pytest
from mcp import Client as McpClient
from mcp.client.stdio import StdioServerParameters

from app import sweeper
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.support.databases import open_database

MODULE = ["-m", "colloquy.mcp"]


def environment(user) -> dict[str, str]:
    return {"COLLOQUY_URL": user.url, "COLLOQUY_TOKEN": user.token, "PYTHONPATH": os.getcwd()}


@asynccontextmanager
async def over_stdio(user):
    server = StdioServerParameters(command=sys.executable, args=MODULE, env=environment(user))
    async with McpClient(server) as client:
        yield client


@asynccontextmanager
async def over_http(user):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [*MODULE, "--http", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=os.environ | environment(user))
    try:
        await wait_until_listening(port, process)
        async with McpClient(f"http://127.0.0.1:{port}/mcp") as client:
            yield client
    finally:
        process.terminate()
        await process.wait()


async def wait_until_listening(port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError("the MCP server ended before it listened")


@pytest.fixture(params=[over_stdio, over_http], ids=["stdio", "http"])
def connect(request):
    """A context with an MCP client of a user, over each transport."""
    return request.param


async def call(client, tool, **arguments):
    """The structured result of a tool, or the text of its error."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        return result.content[0].text.removeprefix(f"Error executing tool {tool}: ")
    return result.structured_content


async def test_the_tools_read_a_session_and_append_to_it(connect, ann, bob):
    session = await ann.creates_session("Plan", key="plan")
    async with connect(ann) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "fetch_status",
            "list_sessions",
            "read_history",
            "append_message",
            "remember",
            "recall",
        }
        assert await call(client, "fetch_status", session_key="plan") == {
            "status": "pending",
            "message": "session is pending",
        }
        message = await call(client, "append_message", session_key="plan", text="hello")
        assert (message["sequence"], message["role"], message["text"]) == (1, "USER", "hello")
        assert (await call(client, "fetch_status", session_id=session))["status"] == "active"
        history = await call(client, "read_history", session_id=session)
        assert [message["text"] for message in history["messages"]] == ["hello"]
        listed = (await call(client, "list_sessions", title="pla"))["result"]
        assert [(one["id"], one["key"], one["message_count"]) for one in listed] == [(session, "plan", 1)]
    async with connect(bob) as stranger:
        assert (await call(stranger, "fetch_status", session_id=session))["status"] == "not_found"
        assert await call(stranger, "read_history", session_id=session) == "session not found"
        assert await call(stranger, "append_message", session_id=session, text="hi") == "session not found"


async def test_memories_are_remembered_and_recalled_by_namespace(connect, ann, bob):
    async with connect(ann) as client:
        for number, (space, value) in enumerate([("a", "tea"), ("a", {"likes": ["Tea", 2]}), ("b", 3.5)]):
            name = {"namespace": ["users", space], "key": str(number)}
            stored = await call(client, "remember", **name, value=value, metadata={"space": space})
            assert {name: stored[name] for name in ("value", "metadata", "revision")} == {
                "value": value,
                "metadata": {"space": space},
                "revision": 1,
            }

        async def recalled(**arguments):
            found = await call(client, "recall", **arguments)
            return [(memory["key"], memory["value"]) for memory in found["memories"]]

        everything = [("2", 3.5), ("1", {"likes": ["Tea", 2]}), ("0", "tea")]
        assert await recalled() == await recalled(namespace=["users"]) == everything
        assert await recalled(namespace=["users", "a"]) == everything[1:]
        assert await recalled(text="TEA", namespace=["users", "b"]) == []
        assert await recalled(text="TEA") == await recalled(metadata={"space": "a"}) == everything[1:]
        assert await recalled(namespace=["users", "a"], key="0") == [("0", "tea")]
        assert await recalled(namespace=["users"], key="0") == []
        first = await call(client, "recall", limit=2)
        assert await recalled(limit=2, after=first["after"]) == everything[2:]
        again = await call(client, "remember", namespace=["users", "a"], key="0", value="coffee", ttl_seconds=60)
        assert (again["revision"], again["metadata"]) == (2, {})
        assert (await recalled(limit=1)) == [("0", "coffee")]
    async with connect(bob) as stranger:
        assert await call(stranger, "recall") == {"memories": [], "after": None}
        assert (await call(stranger, "recall", namespace=["users", "a"], key="0"))["memories"] == []


async def test_a_memory_that_is_not_valid_is_a_tool_error(ann):
    async with over_stdio(ann) as client:
        assert (await call(client, "remember", namespace=["a"], key="", value=1)).startswith("key: ")
        assert (await call(client, "remember", namespace=["a", ""], key="k", value=1)).startswith("namespace.1: ")
        assert (await call(client, "remember", namespace=[], key="k", value=None)).startswith("value: ")
        assert await call(client, "recall", key="k", text="x") == "key goes with namespace only."
        assert (await call(client, "recall", after="nonsense")).startswith("BAD_USER_INPUT: ")


async def test_the_status_of_an_ended_session(ann, database_url):
    async with over_stdio(ann) as client:
        for status in ("COMPLETED", "FAILED"):
            session = await ann.creates_session(status="ACTIVE")
            await ann.does("setSessionStatus", "session { id }", id=session, status=status)
            assert (await call(client, "fetch_status", session_id=session))["status"] == status.lower()
        await ann.creates_session("Stale", key="stale")
        await expire_idle_sessions(database_url, ann)
        assert (await call(client, "fetch_status", session_key="stale"))["status"] == "expired"


async def expire_idle_sessions(url, user) -> None:
    """Makes the sessions of a user idle for eight days, and sweeps."""
    admin = await asyncpg.connect(dsn(url))
    await admin.execute(
        "update sessions set last_activity_at = now() - interval '8 days' where owner_id = $1", user.name
    )
    await admin.close()
    db = open_database(url, pool_size=2)
    await sweeper.sweep_once(db, sweeper.retention(settings_for(url)))
    await db.close()


async def test_a_cancelled_task_has_the_status_failed(ann, bob):
    async def status_after(client, *steps: str):
        task = (await ann.does("createTask", "task { id }", type="review"))["task"]["id"]
        for status in steps:
            await ann.does("setTaskStatus", "task { id }", id=task, status=status)
        return tuple((await call(client, "fetch_status", task_id=task)).values())

    async with over_stdio(ann) as client:
        assert await status_after(client) == ("pending", "task is pending")
        assert await status_after(client, "ACTIVE") == ("active", "task is active")
        assert await status_after(client, "ACTIVE", "COMPLETED") == ("completed", "task is completed")
        assert await status_after(client, "ACTIVE", "FAILED") == ("failed", "task is failed")
        assert await status_after(client, "CANCELLED") == ("failed", "task was cancelled")
    async with over_stdio(bob) as stranger:
        assert await status_after(stranger) == ("not_found", "task not found")


async def test_a_history_is_read_backward_in_pages(ann):
    session = await ann.creates_session()
    for number in range(5):
        await ann.appends(session, str(number))
    async with over_stdio(ann) as client:
        newest = await call(client, "read_history", session_id=session, limit=3)
        older = await call(client, "read_history", session_id=session, limit=3, before=newest["before"])
    assert [[message["text"] for message in page["messages"]] for page in (older, newest)] == [
        ["0", "1"],
        ["2", "3", "4"],
    ]
    assert older["before"] is None


async def test_a_wrong_argument_and_a_stopped_server_are_tool_errors(ann, user):
    stopped = user("stopped")
    with socket.create_server(("127.0.0.1", 0)) as free:
        stopped.url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with over_stdio(ann) as client:
        assert await call(client, "fetch_status") == "Exactly one of session_id, session_key, task_id is required."
        assert "role" in await call(client, "append_message", session_key="s", text="x", role="king")
    async with over_stdio(stopped) as client:
        assert (await call(client, "fetch_status", session_key="s")).startswith("server error: ")


async def test_the_command_requires_its_environment_variables():
    process = await asyncio.create_subprocess_exec(
        sys.executable, *MODULE, env={"PATH": os.environ["PATH"]}, stderr=asyncio.subprocess.PIPE
    )
    _, printed = await process.communicate()
    assert process.returncode == 1
    assert b"COLLOQUY_URL and COLLOQUY_TOKEN must be set" in printed
