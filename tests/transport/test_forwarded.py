"""Sockets of our own pages behind a proxy: whose word counts for the origin that a browser has asked."""

import pytest
from websockets.exceptions import InvalidStatus

from app.transport.forwarded import TrustedProxies, named_hosts
from tests.transport.sample_server import Server, serving

PUBLIC = "https://chat.example.com"
BY_PROXY = {"x-forwarded-host": "chat.example.com", "x-forwarded-proto": "https"}


async def connects(server: Server, origin: str, **headers: str) -> bool:
    try:
        async with server.socket(origin=origin, additional_headers=headers):
            return True
    except InvalidStatus:
        return False


@pytest.mark.parametrize(
    ("proxies", "origin", "headers", "allowed"),
    [
        (["127.0.0.1"], PUBLIC, BY_PROXY, True),
        (["127.0.0.0/8"], PUBLIC, BY_PROXY, True),
        (["*"], PUBLIC, BY_PROXY, True),
        (["127.0.0.1"], PUBLIC, BY_PROXY | {"x-forwarded-host": "chat.example.com, inner"}, True),
        (["127.0.0.1"], "http://chat.example.com", BY_PROXY, False),
        (["127.0.0.1"], "https://evil.example", BY_PROXY, False),
        (["10.0.0.0/8", "::1"], PUBLIC, BY_PROXY, False),
        ([], PUBLIC, BY_PROXY, False),
        ([], PUBLIC, {"host": "chat.example.com"}, True),
        (["127.0.0.1"], PUBLIC, {"host": "chat.example.com"}, True),
    ],
)
async def test_the_origin_is_compared_with_what_a_trusted_proxy_reports(proxies, origin, headers, allowed):
    scope = {"client": ("127.0.0.1", 1)}
    bytes_of = {name.encode(): value.encode() for name, value in headers.items()}
    assert TrustedProxies(proxies).is_own_origin(origin, scope, bytes_of) is allowed


@pytest.mark.parametrize(("client", "trusted"), [("::ffff:10.0.0.7", True), ("::ffff:10.0.0.8", False), (None, False)])
async def test_a_peer_is_recognised_on_a_socket_for_both_families_and_not_on_a_unix_socket(client, trusted):
    scope = {"client": client and (client, 1)}
    headers = {b"host": b"inner", b"x-forwarded-host": b"chat.example.com"}
    assert TrustedProxies(["10.0.0.7"]).is_own_origin(PUBLIC, scope, headers) is trusted


async def test_a_socket_of_our_own_page_connects_through_a_trusted_proxy_only():
    for proxies, allowed in [(["127.0.0.1"], True), ([], False)]:
        async with serving(origins=[], proxies=proxies) as server:
            assert await connects(server, PUBLIC, **BY_PROXY) is allowed


def test_every_name_of_a_request_counts_where_a_token_is_at_stake():
    assert named_hosts({b"host": b"localhost:8000"}) == {"localhost"}
    assert named_hosts({b"host": b"127.0.0.1", b"x-forwarded-host": b"chat.example.com"}) == {
        "127.0.0.1",
        "chat.example.com",
    }
