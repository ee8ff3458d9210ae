"""A walk through every path of the schema: an owner gets the objects, a stranger gets what unknown ids return."""

from typing import Any
from uuid import uuid4

import pytest
from graphql import build_schema, get_named_type, is_leaf_type

from app.schema import schema as ours
from tests.support.sample_data import NOT_IDS, create_sample_data
from tests.support.schema_walk import arguments_without_recipe, leaves, paths, recipes
from tests.support.users import Refusal

SCHEMA = build_schema(ours.as_str())
QUERIES, MUTATIONS, SUBSCRIPTIONS = SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type
KINDS: list[Any] = [
    kind for kind in SCHEMA.type_map.values() if hasattr(kind, "interfaces") and not kind.name.startswith("__")
]
FEWEST_PATHS = 645
LIVE = {"MessageDelta", "MessagePartsDelta"}  # never part of a replay
STREAMING_ONLY = {"Message.parts"}  # null for the messages that most paths lead to
SNAPSHOT = """{
  sessions { nodes { id eventCursor streaming lastMessage { status text } } } archived: sessions(filter: {archived: true}) { nodes { id eventCursor } }
  deleted: sessions(filter: {deleted: true}) { nodes { id eventCursor } }
  agents { nodes { id revision } } tasks { nodes { id revision } } approvals { nodes { id status } }
  auditEvents { totalCount } records { nodes { id revision } }
}"""


@pytest.fixture(scope="module")
def owned(server):
    """`await owned("ann")` returns a new user with one object of every kind."""

    async def own(name):
        mark = uuid4().hex
        user = server.user(f"{name}-{mark}", roles=[mark])
        return user, await create_sample_data(user, mark)

    return own


@pytest.fixture(scope="module")
async def ann_owned(owned):
    """The owner and the owner's objects, which no test here changes."""
    return await owned("ann")


@pytest.fixture(scope="module")
async def carl_owned(owned):
    """Another owner with objects of the same kinds."""
    return await owned("carl")


def comparable(response):
    """The data, and path and code of each error; the messages of errors may name the ids of the request.

    The viewer's event cursor is left out: every transaction in the database cluster moves it, and so does time.
    """
    errors = [(error.get("path"), error["extensions"]["code"]) for error in response.get("errors", [])]
    data = response.get("data")
    if data and isinstance(data.get("viewer"), dict):
        data = {**data, "viewer": {name: value for name, value in data["viewer"].items() if name != "eventCursor"}}
    return data, errors


def codes(payload):
    return [error["code"] for error in payload["errors"]]


def assert_nothing_of(world, response):
    assert [secret for secret in world.secrets() if secret in str(response)] == []


@pytest.mark.parametrize("name", QUERIES.fields)
async def test_every_path_returns_objects_to_their_owner_only(ann_owned, carl_owned, bob, name):
    (ann, world), (carl, his) = ann_owned, carl_owned
    nowhere, ways = world.nonexistent(), paths(SCHEMA, QUERIES, name)
    empty = []
    for path in ways:
        document = path.document("query")
        seen = await ann.responds(document, **path.variables(world))
        assert "errors" not in seen, (str(path), seen)
        empty += [] if path.found(seen["data"]) or path[-1].coordinate in STREAMING_ONLY else [str(path)]
        strangers = await bob.responds(document, **path.variables(world))
        assert_nothing_of(world, strangers)
        assert comparable(strangers) == comparable(await bob.responds(document, **path.variables(nowhere))), str(path)
        assert strangers["data"] != seen["data"], str(path)
        if path.has_nested_reference():
            assert_nothing_of(world, await carl.responds(document, **path.variables(his, below=world)))
    assert empty == [], "the owner got nothing here: what is missing in tests/support/sample_data.py?"


async def test_parts_are_returned_to_their_owner_only(ann_owned, bob):
    ann, world = ann_owned
    document = "query ($id: ID!) { node(id: $id) { ... on Message { parts(after: 0) } } }"
    assert await ann.asks(document, id=world["in_parts"]) == {"node": {"parts": [{"of": world["mark"]}]}}
    assert await bob.asks(document, id=world["in_parts"]) == {"node": None}


def test_paths_cover_all_fields():
    walked = [path for name in QUERIES.fields for path in paths(SCHEMA, QUERIES, name)]
    assert len(walked) == len(set(map(str, walked))) >= FEWEST_PATHS
    reached = {step.coordinate for path in walked for step in path}
    kinds = {step.kind.name for path in walked for step in path if step.kind}
    objects = {
        f"{kind.name}.{name}"
        for kind in KINDS
        if kind.name in kinds
        for name, field in kind.fields.items()
        if not is_leaf_type(get_named_type(field.type)) or field.args
    }
    assert objects - reached == set()


async def test_owner_reads_every_value_of_every_type(ann_owned):
    ann, world = ann_owned
    missing: dict[str, set[str]] = {}
    for name in QUERIES.fields:
        for path in paths(SCHEMA, QUERIES, name):
            kind = path[-1].kind
            if kind and missing.setdefault(kind.name, set(leaves(kind))):
                things = path.found(await ann.asks(path.document("query"), **path.variables(world)))
                missing[kind.name] -= {
                    leaf for thing in things for leaf, value in thing.items() if value not in (None, [])
                }
    assert {kind: names for kind, names in missing.items() if names} == {}


@pytest.mark.parametrize("root", [QUERIES, MUTATIONS, SUBSCRIPTIONS], ids=str)
def test_every_lookup_argument_has_a_recipe(root):
    parents = [root, *KINDS] if root is QUERIES else [root]
    missing = {where for kind in parents for name in kind.fields for where in arguments_without_recipe(kind, name)}
    assert missing == set(), "say it in RECIPES in tests/support/sample_data.py"


def test_every_node_type_has_a_recipe():
    nodes = {kind.name for kind in SCHEMA.get_possible_types(SCHEMA.type_map["Node"])}
    for name in ("node", "nodes"):
        assert {recipe["on"] for recipe in recipes(QUERIES, name)} == nodes


def mutation_of(mutation, recipe):
    """A mutation that selects all values of its payload and of the objects in it."""
    [path] = [path for path in paths(SCHEMA, MUTATIONS, mutation) if len(path) == 1 and path[0].arguments == recipe]
    payload = path[0].kind
    objects = {
        name: get_named_type(field.type)
        for name, field in payload.fields.items()
        if not is_leaf_type(get_named_type(field.type)) and name != "errors"
    }
    asked = [f"{name} {{ {' '.join(leaves(kind))} }}" for name, kind in objects.items()]
    errors = "errors { __typename code field }"
    document = path.document("mutation").replace("__typename", " ".join(["__typename", *asked, errors]), 1)
    return path, document


CALLS = [(name, recipe) for name in MUTATIONS.fields for recipe in recipes(MUTATIONS, name)]


@pytest.mark.parametrize(("mutation", "recipe"), CALLS, ids=str)
async def test_every_mutation_changes_objects_of_the_owner_only(owned, ann_owned, bob, mutation, recipe):
    user, own = await owned("owner")
    path, document = mutation_of(mutation, recipe)
    done = (await user.asks(document, **path.variables(own)))[mutation]
    assert done.pop("errors") == []
    assert [name for name, value in done.items() if value is None] == []
    ann, world = ann_owned
    before = await ann.asks(SNAPSHOT)
    tried = await bob.responds(document, **path.variables(world))
    assert await ann.asks(SNAPSHOT) == before
    assert_nothing_of(world, tried)
    if "$" in str(recipe):
        assert codes(tried["data"][mutation]) == ["NOT_FOUND"]
        assert comparable(tried) == comparable(await bob.responds(document, **path.variables(world.nonexistent())))


def id_paths(recipe, path=()):
    """The paths in a recipe that hold an id."""
    for name, value in recipe.items():
        if isinstance(value, dict):
            yield from id_paths(value, (*path, name))
        elif str(value).startswith("$") and value[1:] not in NOT_IDS:
            yield (*path, name)


@pytest.mark.parametrize(
    ("mutation", "recipe", "id_path"),
    [
        (name, recipe, id_path)
        for name, recipe in CALLS
        for id_path in id_paths(recipe)
        if len(list(id_paths(recipe))) > 1
    ],
    ids=str,
)
async def test_mutation_with_one_foreign_id_is_refused(ann_owned, carl_owned, mutation, recipe, id_path):
    (ann, world), (carl, his) = ann_owned, carl_owned
    path, document = mutation_of(mutation, recipe)
    variables = path.variables(his)
    target, template = variables[f"v0_{id_path[0]}"], recipe[id_path[0]]
    for name in id_path[1:-1]:
        target, template = target[name], template[name]
    target[id_path[-1]] = world.fill(template[id_path[-1]])
    before = await ann.asks(SNAPSHOT), await carl.asks(SNAPSHOT)
    tried = await carl.responds(document, **variables)
    assert codes(tried["data"][mutation]) == ["NOT_FOUND"]
    assert_nothing_of(world, tried)
    assert (await ann.asks(SNAPSHOT), await carl.asks(SNAPSHOT)) == before


async def events_of(user, document, variables):
    async with user.subscribes(document, **variables) as stream:
        return [event async for event in stream]


@pytest.mark.parametrize("name", SUBSCRIPTIONS.fields)
async def test_every_event_type_reaches_its_owner_only(ann_owned, carl_owned, name):
    (ann, world), (carl, _) = ann_owned, carl_owned
    target = get_named_type(SUBSCRIPTIONS.fields[name].type)
    kinds = {kind.name: kind for kind in SCHEMA.get_possible_types(target)}
    seen = set()
    for recipe in recipes(SUBSCRIPTIONS, name):
        [path, *_] = [path for path in paths(SCHEMA, SUBSCRIPTIONS, name) if path[0].arguments == recipe]
        head = path.document("subscription").split("... on")[0]
        document = head + " ".join(f"... on {kind.name} {{ {event_fields(kind)} }}" for kind in kinds.values()) + " } }"
        events = await events_of(ann, document, path.variables(world))
        seen |= {event["__typename"] for event in events}
        assert all(value is not None for event in events for value in event.values())
        for variables in (path.variables(world), path.variables(world.nonexistent())):
            if "sessionId" in recipe:
                with pytest.raises(Refusal) as refusal:
                    await events_of(carl, document, variables)
                assert refusal.value.code == "NOT_FOUND"
                assert_nothing_of(world, refusal.value.errors)
            else:
                assert_nothing_of(world, await events_of(carl, document, variables))
    assert seen == kinds.keys() - LIVE, (
        "add a recipe to tests/support/sample_data.py by which the owner sees the others"
    )


def event_fields(kind):
    objects = {name: get_named_type(field.type) for name, field in kind.fields.items()}
    nested = [f"{name} {{ {' '.join(leaves(thing))} }}" for name, thing in objects.items() if not is_leaf_type(thing)]
    return " ".join([*leaves(kind), *nested])
