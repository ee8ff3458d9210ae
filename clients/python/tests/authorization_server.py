"""A small OAuth authorization server for tests: metadata (RFC 8414), keys, and tokens for client credentials."""

import asyncio
import json
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

KEY = ec.generate_private_key(ec.SECP256R1())
METHODS = ["client_secret_basic"]


class AuthorizationServer:
    """Issues a token to every client; its subject is the client's id."""

    def __init__(self) -> None:
        self.url = ""

    def token(self, subject: str, audience: str, key: ec.EllipticCurvePrivateKey = KEY, **claims: object) -> str:
        """A token for a subject and an audience."""
        standard = {"iss": self.url, "sub": subject, "aud": audience, "exp": time.time() + 60}
        return jwt.encode(standard | {"scope": "chat:read chat:write"} | claims, key, "ES256", {"kid": "k"})

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        status, content = self._content(head, body.decode())
        page = json.dumps(content).encode()
        line = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(page)}\r\n"
        writer.write(f"{line}Connection: close\r\n\r\n".encode() + page)
        writer.close()
        await writer.wait_closed()

    def _content(self, head: str, body: str) -> tuple[str, object]:
        match head.split()[1]:
            case "/keys":
                public = jwt.get_algorithm_by_name("ES256").to_jwk(KEY.public_key(), as_dict=True)
                return "200 OK", {"keys": [public | {"kid": "k"}]}
            case "/.well-known/oauth-authorization-server":
                return "200 OK", {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "response_types_supported": ["code"],
                    "grant_types_supported": ["client_credentials"],
                    "token_endpoint_auth_methods_supported": METHODS,
                }
            case "/token":
                form = {name: values[0] for name, values in parse_qs(body).items()}
                [secret] = [line.split()[2] for line in head.split("\r\n") if line.lower().startswith("authorization:")]
                client = unquote(b64decode(secret).decode().partition(":")[0])
                token = self.token(client, form["resource"], scope=form["scope"])
                return "200 OK", {"access_token": token, "token_type": "Bearer", "expires_in": 60}
        return "404 Not Found", {}


@asynccontextmanager
async def authorization_server() -> AsyncIterator[AuthorizationServer]:
    issuer = AuthorizationServer()
    async with await asyncio.start_server(issuer.answer, "127.0.0.1", 0) as server:
        issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield issuer
