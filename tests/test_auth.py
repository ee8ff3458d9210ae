"""Who may come in, and in whose name: real keys, and a real issuer on loopback."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from app import auth
from app.auth import Authenticator, Viewer, bearer, challenge, mint, require
from app.errors import OutOfScope, Unauthenticated
from app.settings import Settings

SECRET = "0123456789abcdef" * 2
HOME = Settings(jwt_secret=SECRET)


class Clock:
    """The time as a test wants it: what it is, until it is moved."""

    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return time.time() + self.ahead


def claims(**changes):
    """Good claims with some changed; `...` leaves one out."""
    now = int(time.time())
    return {k: v for k, v in ({"sub": "ann", "iat": now, "exp": now + 60} | changes).items() if v is not ...}


def signed(given, key=SECRET, algorithm="HS256", **headers):
    return jwt.encode(given, key, algorithm=algorithm, headers=headers)


def written(payload, header='{"alg":"HS256","typ":"JWT"}', key=SECRET):
    """A well signed token of exactly this text, which no library would write."""
    parts = [header.encode(), payload.encode()]
    body = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.digest(key.encode(), body, hashlib.sha256)
    return (body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


async def refused(token, by=None):
    """Why the token was refused; never with a word of the token itself."""
    with pytest.raises(Unauthenticated) as caught:
        await (by or Authenticator(HOME)).viewer(token)
    assert caught.value.__cause__ is None
    return caught.value.message


async def test_a_good_token_is_its_viewer():
    token = signed(claims(scope="chat:read  future:thing", roles=["lead", "Head of Ops"], exp=4e9))
    viewer = await Authenticator(HOME).viewer(token)
    assert viewer == Viewer("ann", frozenset({"chat:read", "future:thing"}), ("lead", "Head of Ops"), 4e9)


async def test_a_minted_token_comes_back_as_it_was_meant():
    settings = Settings(jwt_secret=SECRET, jwt_issuer="us", jwt_audience="chat")
    by = Authenticator(settings)
    plain = await by.viewer(mint(settings, sub="ann", ttl_seconds=60))
    assert (plain.subject, plain.scopes, plain.roles) == ("ann", {"chat:read", "chat:write"}, ())
    assert 0 < plain.expires_at - time.time() <= 60
    narrow = await by.viewer(mint(settings, sub="bob", scopes=["chat:read"], roles=["lead"], ttl_seconds=60))
    assert (narrow.subject, narrow.scopes, narrow.roles) == ("bob", {"chat:read"}, ("lead",))
    assert (await by.viewer(mint(settings, sub="eve", scopes=[], ttl_seconds=60))).scopes == frozenset()
    with pytest.raises(ValueError, match="1 to 255"):
        mint(settings, sub="a b", ttl_seconds=60)
    with pytest.raises(ValueError, match="JWKS_URL"):
        mint(Settings(jwks_url="https://issuer/keys"), sub="ann", ttl_seconds=60)


async def test_a_token_by_another_key_or_tampered_with_is_refused():
    token = signed(claims())
    head, body, tail = token.split(".")
    other = signed(claims(sub="bob")).split(".")[1]
    flipped = tail[:5] + ("A" if tail[5] != "A" else "B") + tail[6:]
    for bad in (
        signed(claims(), "f" * 32),
        f"{head}.{other}.{tail}",
        f"{head}.{body}.{flipped}",
        token + "A",
    ):
        assert await refused(bad) == "The token is not valid."


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "not a token", "é.é.é", "\ud800", "\x00", "a" * 9000, "e30.e30.", "." * 100],
)
async def test_what_is_no_token_is_refused(token):
    assert await refused(token) in {"The token is not valid.", "The token is malformed."}


async def test_a_token_longer_than_a_header_is_refused_before_it_is_read():
    assert await refused(signed(claims(filler="x" * 8000))) == "The token is malformed."


@given(st.text())
async def test_any_text_is_refused_and_nothing_else_happens(text):
    await refused(text)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
async def test_only_the_one_algorithm_is_accepted(algorithm):
    token = signed(claims(), None if algorithm == "none" else SECRET * 2, algorithm)
    assert await refused(token, Authenticator(Settings(jwt_secret=SECRET * 2))) == "The token is not valid."


@pytest.mark.parametrize("claim", ["exp", "iat", "sub"])
@pytest.mark.parametrize("value", [..., None])
async def test_a_required_claim_that_is_missing_is_refused(claim, value):
    assert await refused(signed(claims(**{claim: value}))) == "The token lacks a claim."


@pytest.mark.parametrize("claim", ["iss", "aud"])
async def test_issuer_and_audience_are_required_once_they_are_configured(claim):
    by = Authenticator(Settings(jwt_secret=SECRET, jwt_issuer="us", jwt_audience="chat"))
    right = {"iss": "us", "aud": "chat"}
    assert (await by.viewer(signed(claims(**right)))).subject == "ann"
    assert (await by.viewer(signed(claims(iss="us", aud=["mail", "chat"])))).subject == "ann"
    assert await refused(signed(claims(**(right | {claim: ...}))), by) == "The token lacks a claim."
    assert "another" in await refused(signed(claims(**(right | {claim: "them"}))), by)


async def test_a_token_made_for_somebody_else_is_not_for_us():
    assert await refused(signed(claims(aud="chat"))) == "The token is for another audience."


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+JWT", ""])
async def test_an_access_token_may_say_so_or_say_nothing(kind):
    assert (await Authenticator(HOME).viewer(signed(claims(), typ=kind))).subject == "ann"


@pytest.mark.parametrize("kind", ['"logout+jwt"', '"dpop+jwt"', "null", "7", '["JWT"]'])
async def test_a_token_of_another_kind_is_refused(kind):
    token = written(json.dumps(claims()), f'{{"alg":"HS256","typ":{kind}}}')
    assert await refused(token) in {"The token is of another type.", "The token is not valid."}


@pytest.mark.parametrize("form", ["4e9", "4000000000", "4000000000.5", "1" + "0" * 30, "1" + "0" * 400])
async def test_an_expiry_is_any_number_and_never_beyond_what_a_calendar_holds(form):
    token = written(f'{{"sub":"ann","iat":0,"exp":{form}}}')
    assert (await Authenticator(HOME).viewer(token)).expires_at == min(float(form), 253_402_300_799)


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("form", ['"4000000000"', "true", "[]", "{}", "NaN", "Infinity", "-Infinity", "1e400"])
async def test_a_time_that_is_not_a_number_is_refused(claim, form):
    times = {"iat": "0", "exp": "4000000000"} | {claim: form}
    token = written('{"sub":"ann",' + ",".join(f'"{name}":{value}' for name, value in times.items()) + "}")
    assert await refused(token) == "The token's times are not numbers."


async def test_a_number_too_long_to_read_is_refused():
    assert await refused(written(f'{{"sub":"ann","iat":0,"exp":{"9" * 5000}}}')) == "The token is not valid."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": -40}, "The token has expired."),
        ({"exp": -20}, None),
        ({"iat": 20}, None),
        ({"iat": 40}, "The token is not valid yet."),
        ({"nbf": 20}, None),
        ({"nbf": 40}, "The token is not valid yet."),
    ],
)
async def test_clocks_may_differ_by_half_a_minute(changes, why):
    token = signed(claims(**{claim: time.time() + seconds for claim, seconds in changes.items()}))
    if why:
        assert await refused(token) == why
    else:
        assert (await Authenticator(HOME).viewer(token)).subject == "ann"


@given(st.text(max_size=300) | st.text(st.characters(min_codepoint=32, max_codepoint=127), max_size=300))
async def test_a_subject_is_an_owner_iff_it_is_visible_ascii(subject):
    token = written(json.dumps(claims(sub=subject)))
    fits = 1 <= len(subject) <= 255 and all("!" <= letter <= "~" for letter in subject)
    if fits:
        assert (await Authenticator(HOME).viewer(token)).subject == subject
    else:
        assert await refused(token) in {"The token's subject cannot be an owner.", "The token is malformed."}


@pytest.mark.parametrize(
    "subject", ["7", "[]", '{"a":1}', "true", '""', '"ann\\n"', '"\\ud800"', '"a\\u0000"', '"ann "']
)
async def test_a_subject_that_only_nearly_is_one_is_refused(subject):
    token = written(f'{{"sub":{subject},"iat":0,"exp":4000000000}}')
    assert await refused(token) in {"The token's subject cannot be an owner.", "The token is not valid."}


@pytest.mark.parametrize("scope", [None, 7, ["chat:read"], "chat:read\n", "chat:réad", {}])
async def test_a_scope_is_words_or_nothing(scope):
    assert await refused(signed(claims(scope=scope))) == "The token's scope is not a list of words."


@pytest.mark.parametrize("roles", [None, "lead", [7], [""], ["a\x00"], ["\ud800"], ["x" * 256], ["x"] * 65, {}])
async def test_roles_are_a_list_of_names(roles):
    assert await refused(written(json.dumps(claims(roles=roles)))) == "The token's roles are not a list of names."


async def test_a_viewer_may_do_what_the_token_covers():
    viewer = await Authenticator(HOME).viewer(signed(claims(scope="chat:read")))
    require(viewer, "chat:read")
    with pytest.raises(OutOfScope, match="chat:write"):
        require(viewer, "chat:write")


def test_a_header_names_its_token():
    assert bearer("Bearer a.b.c") == bearer("bearer   a.b.c ") == "a.b.c"
    for missing in (None, ""):
        with pytest.raises(Unauthenticated) as caught:
            bearer(missing)
        assert challenge(caught.value) == 'Bearer realm="colloquy"'
    for bad in ("a.b.c", "Basic abc", "Bearer", "Bearer  ", {"a": 1}, 7, ["Bearer a"]):
        with pytest.raises(Unauthenticated) as caught:
            bearer(bad)
        assert challenge(caught.value).startswith('Bearer realm="colloquy", error="invalid_token", error_descr')


# ---------------------------------------------------------------- what is remembered


async def test_a_verified_token_is_remembered_and_no_other():
    by, token = Authenticator(HOME), signed(claims())
    assert by.cached(token) is None
    viewer = await by.viewer(token)
    assert by.cached(token) is viewer
    await refused(bad := token[:-4] + "AAAA", by)
    assert by.cached(bad) is None


async def test_what_is_remembered_never_outlives_its_token():
    clock = Clock()
    by, token = Authenticator(HOME, clock=clock), signed(claims())
    await by.viewer(token)
    clock.ahead = 61
    assert by.cached(token) is None
    assert (await by.viewer(token)).subject == "ann"  # within the leeway it is verified each time
    assert by.cached(token) is None
    clock.ahead = 91
    assert await refused(token, by) == "The token has expired."


async def test_a_token_is_believed_for_five_minutes_at_most():
    clock = Clock()
    by, token = Authenticator(HOME, clock=clock), signed(claims(exp=4e9))
    await by.viewer(token)
    clock.ahead = 299
    assert by.cached(token)
    clock.ahead = 301
    assert by.cached(token) is None


async def test_memory_is_bounded_and_keeps_who_comes_often(monkeypatch):
    monkeypatch.setattr(auth, "CACHED_TOKENS", 3)
    by = Authenticator(HOME)
    tokens = [signed(claims(sub=f"user-{number}")) for number in range(5)]
    for token in tokens:
        await by.viewer(token)
        assert by.cached(tokens[0])
    assert [bool(by.cached(token)) for token in tokens] == [True, False, False, True, True]


# ---------------------------------------------------------------- keys of an issuer

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
