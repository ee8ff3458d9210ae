"""Arguments and addresses that cannot work fail at once, with an exception that names the mistake."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from colloquy import AsyncClient, Client, errors
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clients.python.tests.conftest import QUICK_RETRIES

URLS = [
    None,
    b"http://localhost",
    "",
    "localhost",
    "localhost:8000",
    "//localhost",
    "/graphql",
    "ftp://localhost",
    "ws://localhost",
    "http://",
    "http:///graphql",
    "http://localhost:99999",
    "http://local\nhost",
    "http://ann:s3cret@localhost",
    "http://localhost/graphql?token=s3cret",
    "http://localhost/#s3cret",
]
TOKENS = [
    None,
    b"password",
    7,
    "",
    " \n",
    "pass\nword",
    "pass word",
    "Bearer password",
    "pässword",
    "pass\0word",
    '"password"',
]
STATUSES = {
    200: (errors.BadInput, 1),
    301: (errors.BadInput, 1),
    400: (errors.BadInput, 1),
    401: (errors.Unauthenticated, 1),
    403: (errors.Forbidden, 1),
    404: (errors.BadInput, 1),
    429: (errors.RateLimited, 3),
    500: (errors.Unreachable, 3),
    503: (errors.Unreachable, 3),
}


class OtherServer:
    """A web server that is not Colloquy: it answers everything with one status and a page of HTML."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.requests = 0
        self.url = ""

    async def respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        if b"content-length: " in head.lower():
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        page = "<html>not Colloquy</html>"
        writer.write(
            f"HTTP/1.1 {self.status} -\r\ncontent-length: {len(page)}\r\nconnection: close\r\n\r\n{page}".encode()
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def other_server(status: int, tls: ssl.SSLContext | None = None):
    server = OtherServer(status)
    listener = await asyncio.start_server(server.respond, "127.0.0.1", 0, ssl=tls)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


def self_signed(directory) -> ssl.SSLContext:
    """The TLS side of a server whose certificate no client trusts."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    )
    certificate = builder.sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    file = directory / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("client_type", [Client, AsyncClient])
def test_a_url_that_cannot_be_requested_is_refused(client_type, url):
    with pytest.raises(errors.BadInput, match="The server's URL") as refused:
        client_type(url, "token")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("client_type", [Client, AsyncClient])
def test_a_token_that_no_header_can_carry_is_refused(client_type, token):
    with pytest.raises(errors.Unauthenticated, match="The token") as refused:
        client_type("http://localhost", token)
    assert "pass" not in str(refused.value)


@pytest.mark.parametrize("token", TOKENS)
async def test_a_token_function_with_such_a_token_sends_nothing(proxy, token):
    async def coroutine_function():
        return token

    with Client(proxy.url, lambda: token) as client, pytest.raises(errors.Unauthenticated):
        client.viewer()
    for function in (lambda: token, coroutine_function):
        async with AsyncClient(proxy.url, function) as client:
            with pytest.raises(errors.Unauthenticated):
                await client.viewer()
            with pytest.raises(errors.Unauthenticated):
                await anext(client.viewer_events())
    assert proxy.connections == 0


async def test_white_space_around_a_token_and_a_url_is_dropped(ann):
    async with AsyncClient(f" {ann.url}/graphql\n", f" {ann.token}\r\n") as client:
        assert (await client.viewer()).subject == ann.name
        assert await anext(client.viewer_events(follow=False))


@pytest.mark.parametrize("key", ["a\nb", "ä", "\0"])
async def test_an_idempotency_key_that_no_header_can_carry_sends_nothing(ann, proxy, key):
    async with AsyncClient(proxy.url, ann.token) as client:
        with pytest.raises(errors.BadInput, match="idempotency key"):
            await client.create_session(idempotency_key=key)
    assert proxy.connections == 0


@pytest.mark.parametrize("status", STATUSES)
async def test_only_a_passing_status_of_another_server_is_retried(status):
    kind, attempts = STATUSES[status]
    async with other_server(status) as server:
        async with AsyncClient(server.url, "token", attempts=3, **QUICK_RETRIES) as client:
            with pytest.raises(kind, match=f"no GraphQL behind this URL: HTTP {status}"):
                await client.viewer()
        assert server.requests == attempts


@pytest.mark.parametrize("status", [status for status in STATUSES if STATUSES[status][1] == 1])
async def test_a_subscription_to_another_server_fails_at_once(status):
    async with other_server(status) as server:
        async with AsyncClient(server.url, "token") as client:
            with pytest.raises(STATUSES[status][0], match=f"no GraphQL behind this URL: HTTP {status}"):
                await anext(client.viewer_events())
        assert server.requests == 1


async def test_a_certificate_that_is_not_trusted_fails_at_once(tmp_path, caplog):
    async with other_server(200, self_signed(tmp_path)) as server, AsyncClient(server.url, "token") as client:
        with pytest.raises(errors.BadInput, match="certificate is not trusted"):
            await client.viewer()
        with pytest.raises(errors.BadInput, match="certificate is not trusted"):
            await anext(client.viewer_events())
    assert not [record for record in caplog.records if record.name.startswith("colloquy")]


async def test_a_path_without_graphql_fails_at_once(ann, proxy):
    async with AsyncClient(f"{proxy.url}/healthz", ann.token) as client:
        with pytest.raises(errors.BadInput, match="no GraphQL behind this URL: HTTP 404"):
            await client.viewer()
    assert proxy.requests == 1
