"""Authentication by bearer tokens that are signed with the settings' secret."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app import auth
from app.auth import Authenticator, Viewer, bearer, challenge, mint, require
from app.errors import OutOfScope, Unauthenticated
from app.settings import Settings

SECRET = "0123456789abcdef" * 2
HOME = Settings(jwt_secret=SECRET)


class Clock:
    """The real time, plus what a test sets in `ahead`."""

    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return time.time() + self.ahead


def claims(**changes):
    """Valid claims with some changed; `...` leaves one out."""
    now = int(time.time())
    return {k: v for k, v in ({"sub": "ann", "iat": now, "exp": now + 60} | changes).items() if v is not ...}


def signed(payload, key=SECRET, algorithm="HS256", **headers):
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


def written(payload, header='{"alg":"HS256","typ":"JWT"}', key=SECRET):
    """A correctly signed token of exactly this text, which no library would produce."""
    parts = [header.encode(), payload.encode()]
    body = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.digest(key.encode(), body, hashlib.sha256)
    return (body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


async def refused(token, authenticator=None):
    """The reason of a refusal."""
    with pytest.raises(Unauthenticated) as caught:
        await (authenticator or Authenticator(HOME)).viewer(token)
    assert caught.value.__cause__ is None
    return caught.value.message


async def test_a_valid_token_gives_its_viewer():
    token = signed(claims(scope="chat:read  future:thing", roles=["lead", "Head of Ops"], exp=4e9))
    viewer = await Authenticator(HOME).viewer(token)
    assert viewer == Viewer("ann", frozenset({"chat:read", "future:thing"}), ("lead", "Head of Ops"), 4e9)


async def test_a_minted_token_is_accepted_with_its_claims():
    settings = Settings(jwt_secret=SECRET, jwt_issuer="us", jwt_audience="chat")
    authenticator = Authenticator(settings)
    plain = await authenticator.viewer(mint(settings, sub="ann", ttl_seconds=60))
    assert (plain.subject, plain.scopes, plain.roles) == ("ann", {"chat:read", "chat:write"}, ())
    assert 0 < plain.expires_at - time.time() <= 60
    narrow = await authenticator.viewer(mint(settings, sub="bob", scopes=["chat:read"], roles=["lead"], ttl_seconds=60))
    assert (narrow.subject, narrow.scopes, narrow.roles) == ("bob", {"chat:read"}, ("lead",))
    assert (await authenticator.viewer(mint(settings, sub="eve", scopes=[], ttl_seconds=60))).scopes == frozenset()
    with pytest.raises(ValueError, match="1 to 255"):
        mint(settings, sub="a b", ttl_seconds=60)
    with pytest.raises(ValueError, match="JWKS_URL"):
        mint(Settings(jwks_url="https://issuer/keys"), sub="ann", ttl_seconds=60)
    with pytest.raises(ValueError, match="'chat:wirte' is not known; give chat:read, chat:write or chat:act"):
        mint(settings, sub="ann", scopes=["chat:read", "chat:wirte"], ttl_seconds=60)


async def test_a_token_of_another_key_or_with_changed_parts_is_refused():
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
async def test_a_text_that_is_no_token_is_refused(token):
    assert await refused(token) in {"The token is not valid.", "The token is malformed."}


async def test_a_token_longer_than_a_header_is_refused_unread():
    assert await refused(signed(claims(filler="x" * 8000))) == "The token is malformed."


@given(st.text())
async def test_any_text_is_refused_without_another_error(text):
    await refused(text)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
async def test_no_other_algorithm_is_accepted(algorithm):
    token = signed(claims(), None if algorithm == "none" else SECRET * 2, algorithm)
    assert await refused(token, Authenticator(Settings(jwt_secret=SECRET * 2))) == "The token is not valid."


@pytest.mark.parametrize("claim", ["exp", "iat", "sub"])
@pytest.mark.parametrize("value", [..., None])
async def test_a_token_without_a_required_claim_is_refused(claim, value):
    assert await refused(signed(claims(**{claim: value}))) == f"The token lacks the claim {claim}."


@pytest.mark.parametrize("claim", ["iss", "aud"])
async def test_issuer_and_audience_are_required_if_they_are_configured(claim):
    authenticator = Authenticator(Settings(jwt_secret=SECRET, jwt_issuer="us", jwt_audience="chat"))
    right = {"iss": "us", "aud": "chat"}
    assert (await authenticator.viewer(signed(claims(**right)))).subject == "ann"
    assert (await authenticator.viewer(signed(claims(iss="us", aud=["mail", "chat"])))).subject == "ann"
    assert (
        await refused(signed(claims(**(right | {claim: ...}))), authenticator) == f"The token lacks the claim {claim}."
    )
    assert "another" in await refused(signed(claims(**(right | {claim: "them"}))), authenticator)


async def test_a_token_for_an_audience_is_refused_if_none_is_configured():
    assert await refused(signed(claims(aud="chat"))) == "The token is for another audience."


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+JWT", ""])
async def test_an_access_token_may_have_its_type_or_none(kind):
    assert (await Authenticator(HOME).viewer(signed(claims(), typ=kind))).subject == "ann"


@pytest.mark.parametrize("kind", ['"logout+jwt"', '"dpop+jwt"', "null", "7", '["JWT"]'])
async def test_a_token_of_another_type_is_refused(kind):
    token = written(json.dumps(claims()), f'{{"alg":"HS256","typ":{kind}}}')
    assert await refused(token) in {"The token is of another type.", "The token is not valid."}


@pytest.mark.parametrize("form", ["4e9", "4000000000", "4000000000.5", "1" + "0" * 30, "1" + "0" * 400])
async def test_an_expiry_is_any_number_and_is_cut_to_the_year_9999(form):
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
        assert await refused(token) in {"The token's claim sub cannot be an owner.", "The token is malformed."}


@pytest.mark.parametrize(
    "subject", ["7", "[]", '{"a":1}', "true", '""', '"ann\\n"', '"\\ud800"', '"a\\u0000"', '"ann "']
)
async def test_a_subject_that_is_no_visible_ascii_is_refused(subject):
    token = written(f'{{"sub":{subject},"iat":0,"exp":4000000000}}')
    assert await refused(token) in {"The token's claim sub cannot be an owner.", "The token is not valid."}


async def test_a_viewer_needs_the_scope_in_the_token():
    viewer = await Authenticator(HOME).viewer(signed(claims(scope="chat:read")))
    require(viewer, "chat:read")
    with pytest.raises(OutOfScope, match="chat:write"):
        require(viewer, "chat:write")


def test_a_header_contains_its_token():
    assert bearer("Bearer a.b.c") == bearer("bearer   a.b.c ") == "a.b.c"
    for missing in (None, ""):
        with pytest.raises(Unauthenticated) as caught:
            bearer(missing)
        assert challenge(caught.value) == 'Bearer realm="colloquy"'
    for bad in ("a.b.c", "Basic abc", "Bearer", "Bearer  ", {"a": 1}, 7, ["Bearer a"]):
        with pytest.raises(Unauthenticated) as caught:
            bearer(bad)
        assert challenge(caught.value).startswith('Bearer realm="colloquy", error="invalid_token", error_descr')


# ---------------------------------------------------------------- rotation

OLD = "fedcba9876543210" * 2
ROTATING = Settings(jwt_secret=SECRET, jwt_secret_previous=OLD)


async def test_the_previous_secret_verifies_and_never_signs():
    authenticator = Authenticator(ROTATING)
    old, new = (mint(Settings(jwt_secret=secret), sub="ann", ttl_seconds=60) for secret in (OLD, SECRET))
    assert (await authenticator.viewer(old)).subject == (await authenticator.viewer(new)).subject == "ann"
    assert await refused(old) == "The token is not valid."  # after the rotation
    minted = mint(ROTATING, sub="bob", ttl_seconds=60)
    assert (await Authenticator(HOME).viewer(minted)).subject == "bob"
    assert await refused(minted, Authenticator(Settings(jwt_secret=OLD))) == "The token is not valid."
    assert await refused(signed(claims(), "f" * 32), authenticator) == "The token is not valid."


async def test_a_token_of_the_previous_secret_is_checked_as_any_other():
    clock = Clock()
    authenticator = Authenticator(ROTATING, clock=clock)
    assert await refused(signed(claims(exp=1), OLD), authenticator) == "The token has expired."
    assert await refused(signed(claims(aud="mail"), OLD), authenticator) == "The token is for another audience."
    long = Authenticator(Settings(jwt_secret=SECRET, jwt_secret_previous=OLD * 2))
    assert await refused(signed(claims(), OLD * 2, "HS512"), long) == "The token is not valid."
    token = signed(claims(), OLD)
    assert (await authenticator.viewer(token)).subject == "ann"
    clock.ahead = 91
    assert await refused(token, authenticator) == "The token has expired."


# ---------------------------------------------------------------- the log


@pytest.mark.parametrize(
    ("token", "settings", "reason"),
    [
        (signed(claims(), OLD), HOME, "The signature was made by another key than JWT_SECRET."),
        (
            signed(claims(), "f" * 32),
            ROTATING,
            "The signature was made by another key than JWT_SECRET and JWT_SECRET_PREVIOUS.",
        ),
        (signed(claims(exp=1)), HOME, "The token has expired."),
        (signed(claims(aud="chat")), HOME, "The token has an audience, and JWT_AUDIENCE is not set."),
        (
            signed(claims(aud="mail")),
            Settings(jwt_secret=SECRET, jwt_audience="chat"),
            "The token is for another audience than chat.",
        ),
        (
            signed(claims(iss="them")),
            Settings(jwt_secret=SECRET, jwt_issuer="us"),
            "The token is from another issuer than us.",
        ),
        (signed(claims(), SECRET * 2, "HS512"), HOME, "The token is not valid: InvalidAlgorithmError."),
        ("a.b.c", HOME, "The token is not valid: DecodeError."),
        (signed(claims(scp={}, exp=4e9)), HOME, "The token's claim scp is not a list of scopes."),
    ],
)
async def test_the_log_has_the_reason_of_a_refusal_and_no_part_of_the_token(token, settings, reason):
    with capture_logs() as logs:
        await refused(token, Authenticator(settings))
    assert logs == [{"event": "token_refused", "log_level": "info", "reason": reason}]
    assert not any(part in str(logs) for part in token.split(".") if len(part) > 1)


async def test_the_log_names_the_file_of_a_generated_secret(monkeypatch, tmp_path):
    monkeypatch.delenv("JWT_SECRET", raising=False)
    directories = [tmp_path / name for name in ("served", "elsewhere")]
    served, elsewhere = (load_from(monkeypatch, directory) for directory in directories)
    with capture_logs() as logs:
        await refused(mint(elsewhere, sub="ann", ttl_seconds=60), Authenticator(served))
    assert logs[0]["reason"] == f"The signature was made by another key than the secret in {directories[0]}/jwt-secret."


def load_from(monkeypatch, directory):
    monkeypatch.setenv("DATA_DIR", str(directory))
    return Settings.load(None)


# ---------------------------------------------------------------- the cache


async def test_a_verified_token_is_cached_and_no_other():
    authenticator, token = Authenticator(HOME), signed(claims())
    assert authenticator.cached(token) is None
    viewer = await authenticator.viewer(token)
    assert authenticator.cached(token) is viewer
    await refused(bad := token[:-4] + "AAAA", authenticator)
    assert authenticator.cached(bad) is None


async def test_a_cached_viewer_never_outlives_its_token():
    clock = Clock()
    authenticator, token = Authenticator(HOME, clock=clock), signed(claims())
    await authenticator.viewer(token)
    clock.ahead = 61
    assert authenticator.cached(token) is None
    assert (await authenticator.viewer(token)).subject == "ann"  # within the leeway it is verified each time
    assert authenticator.cached(token) is None
    clock.ahead = 91
    assert await refused(token, authenticator) == "The token has expired."


async def test_a_token_is_cached_for_five_minutes_at_most():
    clock = Clock()
    authenticator, token = Authenticator(HOME, clock=clock), signed(claims(exp=4e9))
    await authenticator.viewer(token)
    clock.ahead = 299
    assert authenticator.cached(token)
    clock.ahead = 301
    assert authenticator.cached(token) is None


async def test_the_cache_is_bounded_and_keeps_recently_used_tokens():
    by = Authenticator(HOME)
    tokens = [signed(claims(sub=f"user-{number}")) for number in range(auth.MAX_CACHED_TOKENS + 2)]
    for token in tokens:
        await by.viewer(token)
        assert by.cached(tokens[0])
    assert [bool(by.cached(token)) for token in [*tokens[:4], tokens[-1]]] == [True, False, False, True, True]
