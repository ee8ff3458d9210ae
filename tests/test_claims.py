"""Owner, scopes and roles from claims of any name and shape: a restriction is never widened."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.auth import Authenticator, mint
from app.settings import Settings
from tests.test_auth import SECRET, claims, refused, signed, written

BOTH = {"chat:read", "chat:write"}
PREFIXES = ("api://app-id/", "https://api.example.com/")
WORDS = st.lists(
    st.sampled_from(
        [*BOTH, "openid", *(prefix + scope for prefix in PREFIXES for scope in BOTH), "api://other/chat:write"]
    ),
    max_size=4,
)


def settings(**values):
    return Settings(jwt_secret=SECRET, **values)


async def viewer(provided, **values):
    """The viewer of a token with these claims. A JSON text may hold what no library would write."""
    token = written(json.dumps(claims(**provided)))
    return await Authenticator(settings(**values)).viewer(token)


async def why_refused(provided, **values):
    return await refused(written(json.dumps(claims(**provided))), Authenticator(settings(**values)))


# ---------------------------------------------------------------- scopes


@pytest.mark.parametrize(
    ("provided", "scopes"),
    [
        ({"scope": "openid  chat:read"}, {"openid", "chat:read"}),
        ({"scope": ["openid", "chat:read"]}, {"openid", "chat:read"}),
        ({"scp": "chat:read"}, {"chat:read"}),  # Entra
        ({"scp": ["chat:read"]}, {"chat:read"}),  # Okta
        ({"scp": []}, set()),
        ({"scope": ""}, set()),
        ({"scope": "chat:read chat:write", "scp": ["chat:read"]}, {"chat:read"}),
        ({"scope": "chat:read,chat:write"}, {"chat:read,chat:write"}),
        ({"permissions": []}, BOTH),
        ({}, BOTH),
    ],
)
async def test_scope_and_scp_are_text_or_list(provided, scopes):
    assert (await viewer(provided)).scopes == scopes


@pytest.mark.parametrize("name", ["scope", "scp"])
@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        True,
        {},
        {"chat:read": True},
        "chat:read\n",
        "chat:réad",
        [None],
        [["chat:read"]],
        [""],
        ["chat:read chat:write"],
    ],
)
async def test_scopes_that_cannot_be_understood_refuse_and_are_named(name, value):
    other = {"scope", "scp"} - {name}
    for beside in ({}, dict.fromkeys(other, "chat:read")):
        assert await why_refused({name: value} | beside) == f"The token's claim {name} is not a list of scopes."


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_prefix_of_the_settings_is_no_part_of_a_scope(prefix):
    provided = {"scp": f"{prefix}chat:read api://other/chat:write"}
    assert (await viewer(provided, jwt_scope_prefixes=PREFIXES)).scopes == {"chat:read", "api://other/chat:write"}
    assert (await viewer(provided)).scopes & BOTH == set()
    assert (await viewer({"scp": "chat:read"}, jwt_scope_prefixes=PREFIXES)).scopes == {"chat:read"}


async def test_the_longest_prefix_counts():
    provided = {"scope": "api://a/b/chat:read"}
    assert (await viewer(provided, jwt_scope_prefixes=("api://a/", "api://a/b/"))).scopes == {"chat:read"}


async def test_the_settings_name_the_claims_with_the_scopes():
    provided = {"permissions": ["chat:read"], "scope": "openid chat:write"}
    assert (await viewer(provided, jwt_scope_claims=("permissions",))).scopes == {"chat:read"}
    assert (await viewer(provided, jwt_scope_claims=("scope", "permissions"))).scopes == set()
    nested = {"resource_access": {"colloquy": {"scopes": "chat:read"}}}
    assert (await viewer(nested, jwt_scope_claims=("resource_access.colloquy.scopes",))).scopes == {"chat:read"}


async def test_another_name_for_the_scopes_lifts_no_restriction_of_the_usual_claims():
    assert (await viewer({"scp": ["chat:read"]}, jwt_scope_claims=("permissions",))).scopes == {"chat:read"}
    assert (await viewer({}, jwt_scope_claims=("permissions",))).scopes == BOTH


async def test_a_token_without_scopes_has_none_if_they_are_required():
    assert (await viewer({}, jwt_scope_required=True)).scopes == set()
    assert (await viewer({"scp": "chat:read"}, jwt_scope_required=True)).scopes == {"chat:read"}


NAMES = {"scope": ("scope",), "scp": ("scp",), "permissions": ("permissions",), "realm.scopes": ("realm", "scopes")}


def named(words, prefixes):
    """What a claim with these words grants, as a person reads it."""
    for prefix in prefixes:
        words = [word[len(prefix) :] if word.startswith(prefix) else word for word in words]
    return set(words)


@given(
    provided=st.dictionaries(st.sampled_from(sorted(NAMES)), st.tuples(WORDS, st.booleans())),
    configured=st.lists(st.sampled_from(sorted(NAMES)), min_size=1, max_size=3, unique=True),
    prefixes=st.lists(st.sampled_from(PREFIXES), unique=True),
)
@example(provided={"scp": (["chat:read"], True)}, configured=["scope"], prefixes=[])
@example(provided={"scp": (["chat:read"], False)}, configured=["permissions"], prefixes=[])
@example(
    provided={"scope": (["chat:read", "chat:write"], False), "scp": ([], True)},
    configured=["scope", "scp"],
    prefixes=[],
)
async def test_scopes_are_never_more_than_each_claim_for_scopes_names(provided, configured, prefixes):
    token = {}
    for name, (words, as_list) in provided.items():
        *objects, last = NAMES[name]
        inner = token
        for step in objects:
            inner = inner.setdefault(step, {})
        inner[last] = words if as_list else " ".join(words)
    relevant = [name for name in configured if name in provided] or [
        name for name in ("scope", "scp") if name in provided
    ]
    scopes = (await viewer(token, jwt_scope_claims=configured, jwt_scope_prefixes=prefixes)).scopes
    for name in relevant:
        assert scopes <= named(provided[name][0], prefixes)
    if not relevant:
        assert scopes == BOTH
    elif len(relevant) == 1:
        assert scopes == named(provided[relevant[0]][0], prefixes)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=9)
    | st.sampled_from([*BOTH, "chat:read chat:write"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["chat:write", "scope"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(name=st.sampled_from(["scope", "scp", "realm.scopes"]), value=JSON)
@example(name="scp", value={"chat:write": True})
@example(name="realm.scopes", value=None)
async def test_a_scope_claim_of_any_value_refuses_or_grants_what_it_names(name, value):
    token = {name: value} if name != "realm.scopes" else {"realm": {"scopes": value}}
    authenticator = Authenticator(settings(jwt_scope_claims=(name,)))
    words = value.split(" ") if isinstance(value, str) else value
    visible = re.compile("[!-~]*" if isinstance(value, str) else "[!-~]+")
    is_understood = isinstance(words, list) and all(isinstance(word, str) and visible.fullmatch(word) for word in words)
    if is_understood:
        assert (await authenticator.viewer(signed(claims(**token)))).scopes == set(words) - {""}
    else:
        reason = await refused(written(json.dumps(claims(**token))), authenticator)
        assert reason in {f"The token's claim {name} is not a list of scopes.", "The token is not valid."}


# ---------------------------------------------------------------- owner, roles, client


@pytest.mark.parametrize(
    ("name", "provided"),
    [
        ("roles", {"roles": ["lead", "Head of Ops"]}),
        ("realm_access.roles", {"realm_access": {"roles": ["lead", "Head of Ops"]}}),  # Keycloak
        ("https://example.com/roles", {"https://example.com/roles": ["lead", "Head of Ops"]}),  # Auth0
        ("cognito:groups", {"cognito:groups": ["lead", "Head of Ops"]}),
        (
            r"resource_access.chat\.example\.com.roles",
            {"resource_access": {"chat.example.com": {"roles": ["lead", "Head of Ops"]}}},
        ),
    ],
)
async def test_roles_are_in_the_claim_that_the_settings_name(name, provided):
    assert (await viewer(provided, jwt_roles_claim=name)).roles == ("lead", "Head of Ops")
    assert (await viewer({"roles_": ["lead"]}, jwt_roles_claim=name)).roles == ()


async def test_a_text_is_one_role():
    assert (await viewer({"o": {"rol": "org admin"}}, jwt_roles_claim="o.rol")).roles == ("org admin",)


@pytest.mark.parametrize("roles", [None, 7, [7], [""], "", ["a\x00"], ["\ud800"], ["x" * 256], ["x"] * 257, {}])
@pytest.mark.parametrize("name", ["roles", "https://example.com/roles"])
async def test_roles_that_cannot_be_understood_refuse_and_are_named(name, roles):
    reason = await why_refused({name: roles}, jwt_roles_claim=name)
    assert reason == f"The token's claim {name} is not a list of roles."


@pytest.mark.parametrize("inner", [None, "roles", ["roles"], 7])
async def test_a_path_through_something_that_is_no_object_refuses(inner):
    reason = await why_refused({"realm_access": inner}, jwt_roles_claim="realm_access.roles")
    assert reason == "The token's claim realm_access.roles lies in something that is not an object."
    assert (await viewer({"realm_access": {}}, jwt_roles_claim="realm_access.roles")).roles == ()


async def test_the_owner_is_in_the_claim_that_the_settings_name():
    ann, eve = ({"sub": "same", "oid": oid} for oid in ("ann", "eve"))
    assert [(await viewer(user, jwt_owner_claim="oid")).subject for user in (ann, eve)] == ["ann", "eve"]
    assert (await viewer({"sub": ..., "oid": "ann"}, jwt_owner_claim="oid")).subject == "ann"
    assert await why_refused({"oid": ...}, jwt_owner_claim="oid") == "The token lacks the claim oid."
    assert await why_refused({"oid": None}, jwt_owner_claim="oid") == "The token lacks the claim oid."
    assert await why_refused({"oid": ["ann"]}, jwt_owner_claim="oid") == "The token's claim oid cannot be an owner."


async def test_only_the_clients_of_the_settings_may_have_a_token():
    values = {"jwt_clients": ("web", "app")}
    for name in ("azp", "client_id", "cid"):
        assert (await viewer({name: "app"}, **values)).subject == "ann"
        assert (await viewer({name: "another"})).subject == "ann"
        for other in ("another", "", None, ["app"], {}):
            assert await why_refused({name: other}, **values) == "The token was issued to another client."
    assert (
        await why_refused({"azp": "app", "client_id": "another"}, **values) == "The token was issued to another client."
    )
    assert await why_refused({}, **values) == "The token was issued to another client."


async def test_a_minted_token_has_the_claims_that_its_settings_read():
    here = settings(
        jwt_owner_claim="user.id",
        jwt_scope_claims=("permissions", "scope"),
        jwt_scope_required=True,
        jwt_roles_claim="https://example.com/roles",
        jwt_clients=("web", "app"),
    )
    made = await Authenticator(here).viewer(mint(here, sub="ann", scopes=["chat:read"], roles=["lead"], ttl_seconds=60))
    assert (made.subject, made.scopes, made.roles) == ("ann", {"chat:read"}, ("lead",))
    whole = await Authenticator(here).viewer(mint(here, sub="ann", ttl_seconds=60))
    assert (whole.scopes, whole.roles) == (BOTH, ())
