"""Tokens of an issuer: its keys, fetched and kept, changed and withdrawn."""

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
    """The public half as its issuer publishes it."""
    algorithm = next(name for name, kind in KINDS.items() if isinstance(key, type(kind)))
    public = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in public.items() if name != "key_ops"} | {"kid": kid} | more


class Issuer:
    """A web server of one page, the keys; it runs in the loop of those who ask it."""

    def __init__(self, *keys):
        self.keys, self.asked, self.open = list(keys), 0, asyncio.Event()
        self.open.set()
        self.status = "200 OK"

    async def answer(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await self.open.wait()
        body = json.dumps({"keys": self.keys}).encode()
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def issuing(*keys, **settings):
    """An issuer, who trusts it, and the clock of the latter."""
    issuer, clock = Issuer(*keys), Clock()
    async with await asyncio.start_server(issuer.answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
        yield issuer, Authenticator(Settings(jwks_url=url, **settings), clock=clock), clock


@pytest.mark.parametrize("algorithm", KINDS)
async def test_an_issuers_token_is_verified_by_the_key_it_names(algorithm):
    keys = [jwk(key, name) for name, key in KINDS.items()]
    async with issuing(*keys, jwt_issuer="them", jwt_audience="us") as (_, by, _):
        good = signed(claims(iss="them", aud="us"), KINDS[algorithm], algorithm, kid=algorithm)
        assert (await by.viewer(good)).subject == "ann"
        assert await refused(good[:-8] + "AAAAAAAA", by) == "The token is not valid."
        elsewhere = signed(claims(iss="them", aud="mail"), KINDS[algorithm], algorithm, kid=algorithm)
        assert await refused(elsewhere, by) == "The token is for another audience."


async def test_a_key_serves_its_own_algorithm_and_no_other():
    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    shared = base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")
    keys = [
        jwk(RSA, "rsa"),
        jwk(EC, "ec"),
        jwk(RSA, "hidden", use="enc"),
        {"kty": "oct", "k": shared, "kid": "shared", "alg": "HS256"},
    ]
    async with issuing(*keys) as (_, by, _):
        confused = written(json.dumps(claims()), '{"alg":"HS256","kid":"rsa"}', public.decode())
        assert await refused(confused, by) == "The token is not valid."
        for algorithm, key, kid in [("RS512", RSA, "rsa"), ("PS256", RSA, "rsa"), ("RS256", RSA, "ec")]:
            assert await refused(signed(claims(), key, algorithm, kid=kid), by) == "The token is not valid."
        assert await refused(signed(claims(), None, "none", kid="rsa"), by) == "The token is not valid."
        assert await refused(signed(claims(), SECRET, kid="shared"), by) == "The token's key is not known."
        assert await refused(signed(claims(), RSA, "RS256", kid="hidden"), by) == "The token's key is not known."
        assert await refused(signed(claims(), RSA, "RS256"), by) == "The token names no key."
        assert (await by.viewer(signed(claims(), RSA, "RS256", kid="rsa"))).subject == "ann"


@pytest.mark.filterwarnings("ignore:The RSA key")
async def test_a_key_that_is_too_short_proves_nothing():
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    async with issuing(jwk(weak, "weak")) as (_, by, _):
        assert await refused(signed(claims(), weak, "RS256", kid="weak"), by) == "The token is not valid."


async def test_keys_are_fetched_once_for_all_and_kept():
    async with issuing(jwk(EC, "a")) as (issuer, by, clock):
        tokens = [signed(claims(sub=f"user-{number}", exp=4e9), EC, "ES256", kid="a") for number in range(20)]
        viewers = await asyncio.gather(*map(by.viewer, tokens))
        assert [viewer.subject for viewer in viewers] == [f"user-{number}" for number in range(20)]
        assert issuer.asked == 1
        clock.ahead = 301
        await by.viewer(tokens[0])
        assert issuer.asked == 2


async def test_a_slow_issuer_holds_up_nobody_else():
    async with issuing(jwk(EC, "a")) as (issuer, by, _):
        issuer.open.clear()
        waiting = asyncio.create_task(by.viewer(signed(claims(), EC, "ES256", kid="a")))
        while not issuer.asked:
            await asyncio.sleep(0)
        # The loop goes on, or this issuer, who lives in it, could never be opened.
        assert (await Authenticator(HOME).viewer(signed(claims()))).subject == "ann"
        assert not waiting.done()
        issuer.open.set()
        assert (await waiting).subject == "ann"


async def test_one_who_leaves_does_not_take_the_keys_from_the_rest():
    async with issuing(jwk(EC, "a")) as (issuer, by, _):
        issuer.open.clear()
        token = signed(claims(), EC, "ES256", kid="a")
        leaving, staying = asyncio.create_task(by.viewer(token)), asyncio.create_task(by.viewer(token))
        while not issuer.asked:
            await asyncio.sleep(0)
        leaving.cancel()
        issuer.open.set()
        assert (await staying).subject == "ann"
        assert leaving.cancelled()
        assert issuer.asked == 1


async def test_a_new_key_is_fetched_and_one_withdrawn_is_forgotten():
    async with issuing(jwk(EC, "old")) as (issuer, by, clock):
        old, new = (signed(claims(exp=4e9), EC, "ES256", kid=kid) for kid in ("old", "new"))
        await by.viewer(old)
        issuer.keys = [jwk(EC, "new")]
        assert await refused(new, by) == "The token's key is not known."  # cooling down
        clock.ahead = 31
        assert (await by.viewer(new)).subject == "ann"
        clock.ahead = 400
        assert await refused(old, by) == "The token's key is not known."


async def test_names_that_strangers_make_up_cost_the_issuer_nothing():
    async with issuing(jwk(EC, "a")) as (issuer, by, clock):
        await by.viewer(signed(claims(), EC, "ES256", kid="a"))
        for number in range(30):
            await refused(signed(claims(), EC, "ES256", kid=f"made-up-{number}"), by)
        assert issuer.asked == 1
        clock.ahead = 31
        for number in range(30):
            await refused(signed(claims(), EC, "ES256", kid=f"made-up-{number}"), by)
        assert issuer.asked == 2


async def test_an_issuer_that_is_away_logs_nobody_out_for_an_hour():
    async with issuing(jwk(EC, "a")) as (issuer, by, clock):
        token = signed(claims(exp=4e9), EC, "ES256", kid="a")
        await by.viewer(token)
        issuer.status = "503 Service Unavailable"
        clock.ahead = 3500
        assert (await by.viewer(token)).subject == "ann"
        clock.ahead = 3900
        assert await refused(token, by) == "The signing keys are out of reach."
        issuer.status = "200 OK"
        asked = issuer.asked
        await refused(token, by)
        assert issuer.asked == asked  # not asked again at once
        clock.ahead = 3910
        assert (await by.viewer(token)).subject == "ann"


@pytest.mark.parametrize("keys", [[], [{"kty": "RSA"}], [7], {"a": 1}, [{"kty": "EC", "alg": [], "kid": "a"}]])
async def test_an_issuer_may_answer_nonsense(keys):
    async with issuing() as (issuer, by, _):
        issuer.keys = keys
        token = signed(claims(), EC, "ES256", kid="a")
        assert await refused(token, by) == "The signing keys are out of reach."
