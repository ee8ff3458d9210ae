"""The MCP server over HTTP with OAuth: it acts for the subject of each request's token, found by the SDK's own client."""

import asyncio
import os
import socket
import sys
import time
from contextlib import asynccontextmanager

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mcp import Client as McpClient
from mcp.client.auth import TokenStorage
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client

from clients.python.tests.authorization_server import authorization_server
from clients.python.tests.test_mcp import MODULE, call, environment, wait_until_listening

ACT = ("chat:read", "chat:write", "chat:act")
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
HEADERS = {"accept": "application/json, text/event-stream"}


class Tokens(TokenStorage):
    """Keeps the tokens of one MCP client."""

    def __init__(self):
        self.tokens = self.info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.info

    async def set_client_info(self, client_info):
        self.info = client_info


@pytest.fixture
async def issuer():
    async with authorization_server() as issuer:
        yield issuer


@pytest.fixture
async def address(user, issuer):
    """The URL of an MCP server with the token of an agent server, which may act for others."""
    async with mcp_server(user, issuer, f"{issuer.url}/keys") as url:
        yield url


@asynccontextmanager
async def mcp_server(user, issuer, keys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/mcp"
    oauth = ("--resource", url, "--issuer", issuer.url, "--jwks-url", keys)
    arguments = [*MODULE, "--http", "--port", str(port), *oauth]
    variables = os.environ | environment(user("agent-server", scopes=ACT))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=variables)
    try:
        await wait_until_listening(port, process)
        yield url
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def client_of(name, url, issuer):
    """An MCP client that gets its token as the specification says: by the metadata that a 401 names."""
    provider = ClientCredentialsOAuthProvider(
        server_url=url, storage=Tokens(), client_id=name, client_secret="secret", issuer=issuer.url
    )
    async with (
        httpx2.AsyncClient(auth=provider, timeout=30) as http,
        McpClient(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def test_each_clients_tools_act_for_the_subject_of_its_token(ann, bob, address, issuer):
    async with client_of(ann.name, address, issuer) as hers, client_of(bob.name, address, issuer) as his:
        memory = {"namespace": ["users", "me"], "key": "tea", "value": {"likes": "green"}}
        assert (await call(hers, "remember", **memory))["revision"] == 1
        [found] = (await call(hers, "recall", text="green"))["memories"]
        assert {name: found[name] for name in memory} == memory
        assert (await call(his, "recall"))["memories"] == []
        assert (await call(his, "remember", **memory | {"value": "coffee"}))["revision"] == 1
        session = await ann.creates_session("Plan", key="plan")
        assert (await call(hers, "fetch_status", session_key="plan"))["status"] == "pending"
        assert (await call(his, "fetch_status", session_id=session))["status"] == "not_found"
        # At the same time, in turn: no call has the owner of another one.
        calls = [call(client, "recall", namespace=["users"], key="tea") for client in (hers, his) * 10]
        assert {len(result["memories"]) for result in await asyncio.gather(*calls)} == {0}
        calls = [call(client, "recall", namespace=["users", "me"], key="tea") for client in (hers, his) * 10]
        values = [result["memories"][0]["value"] for result in await asyncio.gather(*calls)]
        assert values == [{"likes": "green"}, "coffee"] * 10
    query = '{ record(namespace: ["users", "me"], key: "tea") { value } }'
    assert (await ann.asks(query), await bob.asks(query)) == (
        {"record": {"value": {"likes": "green"}}},
        {"record": {"value": "coffee"}},
    )


async def test_a_request_without_a_valid_token_is_sent_to_the_metadata(ann, address, issuer):
    """RFC 9728, section 5.1: `resource_metadata` in WWW-Authenticate."""
    other_key = ec.generate_private_key(ec.SECP256R1())
    refused = {
        "none": None,
        "no token": "nonsense",
        "expired": issuer.token(ann.name, address, exp=time.time() - 60),
        "for another server": issuer.token(ann.name, "https://other.example/mcp"),
        "of another issuer": issuer.token(ann.name, address, iss="https://other.example"),
        "with another key": issuer.token(ann.name, address, other_key),
        "without a subject": issuer.token(ann.name, address, sub=None),
        "of Colloquy itself": ann.token,
    }
    async with httpx2.AsyncClient(headers=HEADERS) as http:
        for reason, token in refused.items():
            headers = {"authorization": f"Bearer {token}"} if token else {}
            response = await http.post(address, json=INITIALIZE, headers=headers)
            challenge = response.headers.get("www-authenticate", "")
            assert (response.status_code, challenge.partition(" ")[0]) == (401, "Bearer"), reason
            metadata_url = address.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
            assert f'resource_metadata="{metadata_url}"' in challenge, reason
        metadata = (await http.get(metadata_url)).json()
        assert metadata == {
            "resource": address,
            "authorization_servers": [issuer.url],
            "scopes_supported": ["chat:read", "chat:write"],
            "bearer_methods_supported": ["header"],
        }
        headers = {"authorization": f"Bearer {issuer.token(ann.name, address)}"}
        assert (await http.post(address, json=INITIALIZE, headers=headers)).status_code == 200
        foreign = {"host": "rebound.example"}
        assert (await http.post(address, json=INITIALIZE, headers=headers | foreign)).status_code == 421


async def test_a_token_is_not_refused_while_the_issuers_keys_are_out_of_reach(ann, user, issuer):
    async with (
        mcp_server(user, issuer, f"{issuer.url}/absent") as url,
        httpx2.AsyncClient(headers=HEADERS) as http,
    ):
        response = await http.post(
            url, json=INITIALIZE, headers={"authorization": f"Bearer {issuer.token(ann.name, url)}"}
        )
        assert response.status_code == 503
        assert "www-authenticate" not in response.headers
        assert (await http.post(url, json=INITIALIZE, headers={"authorization": "Bearer x"})).status_code == 401


async def test_a_token_without_a_scope_is_forbidden(ann, address, issuer):
    async with httpx2.AsyncClient(headers=HEADERS) as http:
        for scope in ("chat:read", "", ["chat:write"]):
            headers = {"authorization": f"Bearer {issuer.token(ann.name, address, scope=scope)}"}
            response = await http.post(address, json=INITIALIZE, headers=headers)
            assert response.status_code == 403
            assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


@pytest.mark.parametrize("arguments", [["--resource", "http://r/mcp"], ["--http", "--issuer", "http://i"]])
async def test_the_options_of_oauth_go_together(ann, arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable, *MODULE, *arguments, env=os.environ | environment(ann), stderr=asyncio.subprocess.PIPE
    )
    _, printed = await process.communicate()
    assert process.returncode == 2
    assert b"--resource, --issuer and --jwks-url go together" in printed
