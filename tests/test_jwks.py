"""Tokens of an issuer (JWKS): its keys are fetched and cached, changed and withdrawn."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from app.auth import Authenticator
from app.settings import Settings
from tests.test_auth import HOME, SECRET, Clock, claims, refused, signed, written

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KINDS = {"RS256": RSA, "ES256": EC, "EdDSA": ED}


def jwk(key, kid, **more):
    """The public key as its issuer publishes it."""
    algorithm = next(name for name, kind in KINDS.items() if isinstance(key, type(kind)))
    public = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in public.items() if name != "key_ops"} | {"kid": kid} | more


class Issuer:
    """A web server of one page, the keys; it runs in the event loop of the test."""

    def __init__(self, *keys):
        self.keys, self.requests, self.open = list(keys), 0, asyncio.Event()
        self.open.set()
        self.status = "200 OK"

    async def answer(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        await self.open.wait()
        body = json.dumps({"keys": self.keys}).encode()
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def issuing(*keys, **settings):
    """An issuer, an authenticator that trusts it, and the authenticator's clock."""
    issuer, clock = Issuer(*keys), Clock()
    async with await asyncio.start_server(issuer.answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
        yield issuer, Authenticator(Settings(jwks_url=url, **settings), clock=clock), clock


@pytest.mark.parametrize("algorithm", KINDS)
async def test_an_issuers_token_is_verified_with_the_key_that_it_names(algorithm):
    keys = [jwk(key, name) for name, key in KINDS.items()]
    async with issuing(*keys, jwt_issuer="them", jwt_audience="us") as (_, authenticator, _):
        good = signed(claims(iss="them", aud="us"), KINDS[algorithm], algorithm, kid=algorithm)
        assert (await authenticator.viewer(good)).subject == "ann"
        assert await refused(good[:-8] + "AAAAAAAA", authenticator) == "The token is not valid."
        elsewhere = signed(claims(iss="them", aud="mail"), KINDS[algorithm], algorithm, kid=algorithm)
        assert await refused(elsewhere, authenticator) == "The token is for another audience."


async def test_a_key_verifies_its_own_algorithm_and_no_other():
    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    shared = base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")
    keys = [
        jwk(RSA, "rsa"),
        jwk(EC, "ec"),
        jwk(RSA, "hidden", use="enc"),
        {"kty": "oct", "k": shared, "kid": "shared", "alg": "HS256"},
    ]
    async with issuing(*keys) as (_, authenticator, _):
        confused = written(json.dumps(claims()), '{"alg":"HS256","kid":"rsa"}', public.decode())
        assert await refused(confused, authenticator) == "The token is not valid."
        for algorithm, key, kid in [("RS512", RSA, "rsa"), ("PS256", RSA, "rsa"), ("RS256", RSA, "ec")]:
            assert await refused(signed(claims(), key, algorithm, kid=kid), authenticator) == "The token is not valid."
        assert await refused(signed(claims(), None, "none", kid="rsa"), authenticator) == "The token is not valid."
        assert await refused(signed(claims(), SECRET, kid="shared"), authenticator) == "The token's key is not known."
        assert (
            await refused(signed(claims(), RSA, "RS256", kid="hidden"), authenticator)
            == "The token's key is not known."
        )
        assert await refused(signed(claims(), RSA, "RS256"), authenticator) == "The token names no key."
        assert (await authenticator.viewer(signed(claims(), RSA, "RS256", kid="rsa"))).subject == "ann"


@pytest.mark.filterwarnings("ignore:The RSA key")
async def test_a_key_that_is_too_short_is_refused():
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    async with issuing(jwk(weak, "weak")) as (_, authenticator, _):
        assert await refused(signed(claims(), weak, "RS256", kid="weak"), authenticator) == "The token is not valid."


async def test_keys_are_fetched_once_for_all_requests_and_cached():
    async with issuing(jwk(EC, "a")) as (issuer, authenticator, clock):
        tokens = [signed(claims(sub=f"user-{number}", exp=4e9), EC, "ES256", kid="a") for number in range(20)]
        viewers = await asyncio.gather(*map(authenticator.viewer, tokens))
        assert [viewer.subject for viewer in viewers] == [f"user-{number}" for number in range(20)]
        assert issuer.requests == 1
        clock.ahead = 301
        await authenticator.viewer(tokens[0])
        assert issuer.requests == 2


async def test_a_slow_issuer_delays_no_other_authenticator():
    async with issuing(jwk(EC, "a")) as (issuer, authenticator, _):
        issuer.open.clear()
        waiting = asyncio.create_task(authenticator.viewer(signed(claims(), EC, "ES256", kid="a")))
        while not issuer.requests:
            await asyncio.sleep(0)
        # The event loop is not blocked: this issuer runs in it.
        assert (await Authenticator(HOME).viewer(signed(claims()))).subject == "ann"
        assert not waiting.done()
        issuer.open.set()
        assert (await waiting).subject == "ann"


async def test_a_cancelled_request_does_not_cancel_the_fetch_for_the_others():
    async with issuing(jwk(EC, "a")) as (issuer, authenticator, _):
        issuer.open.clear()
        token = signed(claims(), EC, "ES256", kid="a")
        cancelled, waiting = (
            asyncio.create_task(authenticator.viewer(token)),
            asyncio.create_task(authenticator.viewer(token)),
        )
        while not issuer.requests:
            await asyncio.sleep(0)
        cancelled.cancel()
        issuer.open.set()
        assert (await waiting).subject == "ann"
        assert cancelled.cancelled()
        assert issuer.requests == 1


async def test_a_new_key_is_fetched_and_a_withdrawn_key_is_refused():
    async with issuing(jwk(EC, "old")) as (issuer, authenticator, clock):
        old, new = (signed(claims(exp=4e9), EC, "ES256", kid=kid) for kid in ("old", "new"))
        await authenticator.viewer(old)
        issuer.keys = [jwk(EC, "new")]
        assert await refused(new, authenticator) == "The token's key is not known."  # cooling down
        clock.ahead = 31
        assert (await authenticator.viewer(new)).subject == "ann"
        clock.ahead = 400
        assert await refused(old, authenticator) == "The token's key is not known."


async def test_unknown_key_ids_cause_few_fetches():
    async with issuing(jwk(EC, "a")) as (issuer, authenticator, clock):
        await authenticator.viewer(signed(claims(), EC, "ES256", kid="a"))
        for number in range(30):
            await refused(signed(claims(), EC, "ES256", kid=f"made-up-{number}"), authenticator)
        assert issuer.requests == 1
        clock.ahead = 31
        for number in range(30):
            await refused(signed(claims(), EC, "ES256", kid=f"made-up-{number}"), authenticator)
        assert issuer.requests == 2


async def test_cached_keys_stay_valid_for_an_hour_while_the_issuer_is_unreachable():
    async with issuing(jwk(EC, "a")) as (issuer, authenticator, clock):
        token = signed(claims(exp=4e9), EC, "ES256", kid="a")
        await authenticator.viewer(token)
        issuer.status = "503 Service Unavailable"
        clock.ahead = 3500
        assert (await authenticator.viewer(token)).subject == "ann"
        clock.ahead = 3900
        assert await refused(token, authenticator) == "The signing keys are out of reach."
        issuer.status = "200 OK"
        requests = issuer.requests
        await refused(token, authenticator)
        assert issuer.requests == requests  # no second request at once
        clock.ahead = 3910
        assert (await authenticator.viewer(token)).subject == "ann"


@pytest.mark.parametrize("keys", [[], [{"kty": "RSA"}], [7], {"a": 1}, [{"kty": "EC", "alg": [], "kid": "a"}]])
async def test_a_response_without_usable_keys_is_no_key(keys):
    async with issuing() as (issuer, authenticator, _):
        issuer.keys = keys
        token = signed(claims(), EC, "ES256", kid="a")
        assert await refused(token, authenticator) == "The signing keys are out of reach."
