"""Whatever the schema offers, its owner gets it, and a stranger gets what there would be if it never was."""

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
LIVE = {"MessageDelta"}  # never part of a replay
SNAPSHOT = """{
  sessions { nodes { id eventCursor streaming lastMessage { status text } } } archived: sessions(filter: {archived: true}) { nodes { id eventCursor } }
  deleted: sessions(filter: {deleted: true}) { nodes { id eventCursor } }
  agents { nodes { id revision } } tasks { nodes { id revision } } approvals { nodes { id status } }
  auditEvents { totalCount }
}"""


@pytest.fixture(scope="module")
def owned(server):
    """`await owned("ann")` is a newcomer and her world."""

    async def own(name):
        mark = uuid4().hex
        user = server.user(f"{name}-{mark}", roles=[mark])
        return user, await create_sample_data(user, mark)

    return own


@pytest.fixture(scope="module")
async def anns(owned):
    """The owner and her world, which no test here changes."""
    return await owned("ann")


@pytest.fixture(scope="module")
async def carls(owned):
    """Somebody else, with things of the same kinds."""
    return await owned("carl")


def answer(response):
    """What a response says, apart from its words."""
    errors = [(error.get("path"), error["extensions"]["code"]) for error in response.get("errors", [])]
    return response.get("data"), errors


def refused(payload):
    return [error["code"] for error in payload["errors"]]


def assert_nothing_of(world, response):
    assert [secret for secret in world.secrets() if secret in str(response)] == []


@pytest.mark.parametrize("name", QUERIES.fields)
async def test_every_path_leads_its_owner_to_the_thing_and_nobody_else(anns, carls, bob, name):
    (ann, world), (carl, his) = anns, carls
    nowhere, ways = world.nonexistent(), paths(SCHEMA, QUERIES, name)
    empty = []
    for path in ways:
        document = path.document("query")
        seen = await ann.responds(document, **path.variables(world))
        assert "errors" not in seen, (str(path), seen)
        empty += [] if path.found(seen["data"]) else [str(path)]
        strangers = await bob.responds(document, **path.variables(world))
        assert_nothing_of(world, strangers)
        assert answer(strangers) == answer(await bob.responds(document, **path.variables(nowhere))), str(path)
        assert strangers["data"] != seen["data"], str(path)
        if path.has_nested_reference():
            assert_nothing_of(world, await carl.responds(document, **path.variables(his, below=world)))
    assert empty == [], "the owner got nothing here: what is missing in tests/support/sample_data.py?"


def test_the_paths_are_as_many_as_there_are_fields():
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


async def test_every_value_of_every_kind_was_seen_by_its_owner(anns):
    ann, world = anns
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
def test_every_argument_by_which_something_is_found_has_a_recipe(root):
    parents = [root, *KINDS] if root is QUERIES else [root]
    missing = {where for kind in parents for name in kind.fields for where in arguments_without_recipe(kind, name)}
    assert missing == set(), "say it in RECIPES in tests/support/sample_data.py"


def test_every_kind_of_node_has_a_recipe():
    nodes = {kind.name for kind in SCHEMA.get_possible_types(SCHEMA.type_map["Node"])}
    for name in ("node", "nodes"):
        assert {recipe["on"] for recipe in recipes(QUERIES, name)} == nodes


def written(mutation, given):
    """A mutation that asks for the values of its payload and of the things in it."""
    [path] = [path for path in paths(SCHEMA, MUTATIONS, mutation) if len(path) == 1 and path[0].arguments == given]
    payload = path[0].kind
    things = {
        name: get_named_type(field.type)
        for name, field in payload.fields.items()
        if not is_leaf_type(get_named_type(field.type)) and name != "errors"
    }
    asked = [f"{name} {{ {' '.join(leaves(kind))} }}" for name, kind in things.items()]
    errors = "errors { __typename code field }"
    document = path.document("mutation").replace("__typename", " ".join(["__typename", *asked, errors]), 1)
    return path, document


CALLS = [(name, recipe) for name in MUTATIONS.fields for recipe in recipes(MUTATIONS, name)]


@pytest.mark.parametrize(("mutation", "given"), CALLS, ids=str)
async def test_every_mutation_works_for_the_owner_and_on_nothing_of_anybody_else(owned, anns, bob, mutation, given):
    user, own = await owned("owner")
    path, document = written(mutation, given)
    done = (await user.asks(document, **path.variables(own)))[mutation]
    assert done.pop("errors") == []
    assert [name for name, value in done.items() if value is None] == []
    ann, world = anns
    before = await ann.asks(SNAPSHOT)
    tried = await bob.responds(document, **path.variables(world))
    assert await ann.asks(SNAPSHOT) == before
    assert_nothing_of(world, tried)
    if "$" in str(given):
        assert refused(tried["data"][mutation]) == ["NOT_FOUND"]
        assert answer(tried) == answer(await bob.responds(document, **path.variables(world.nonexistent())))


def crossings(given, path=()):
    """The recipe's places that hold an id."""
    for name, value in given.items():
        if isinstance(value, dict):
            yield from crossings(value, (*path, name))
        elif str(value).startswith("$") and value[1:] not in NOT_IDS:
            yield (*path, name)


@pytest.mark.parametrize(
    ("mutation", "given", "place"),
    [(name, given, place) for name, given in CALLS for place in crossings(given) if len(list(crossings(given))) > 1],
    ids=str,
)
async def test_one_id_of_somebody_elses_is_one_too_many(anns, carls, mutation, given, place):
    (ann, world), (carl, his) = anns, carls
    path, document = written(mutation, given)
    variables = path.variables(his)
    target, template = variables[f"v0_{place[0]}"], given[place[0]]
    for name in place[1:-1]:
        target, template = target[name], template[name]
    target[place[-1]] = world.fill(template[place[-1]])
    before = await ann.asks(SNAPSHOT), await carl.asks(SNAPSHOT)
    tried = await carl.responds(document, **variables)
    assert refused(tried["data"][mutation]) == ["NOT_FOUND"]
    assert_nothing_of(world, tried)
    assert (await ann.asks(SNAPSHOT), await carl.asks(SNAPSHOT)) == before


async def told(user, document, variables):
    async with user.subscribes(document, **variables) as stream:
        return [event async for event in stream]


@pytest.mark.parametrize("name", SUBSCRIPTIONS.fields)
async def test_every_kind_of_event_reaches_its_owner_and_nobody_else(anns, carls, name):
    (ann, world), (carl, _) = anns, carls
    target = get_named_type(SUBSCRIPTIONS.fields[name].type)
    kinds = {kind.name: kind for kind in SCHEMA.get_possible_types(target)}
    seen = set()
    for recipe in recipes(SUBSCRIPTIONS, name):
        [path, *_] = [path for path in paths(SCHEMA, SUBSCRIPTIONS, name) if path[0].arguments == recipe]
        head = path.document("subscription").split("... on")[0]
        document = head + " ".join(f"... on {kind.name} {{ {event_fields(kind)} }}" for kind in kinds.values()) + " } }"
        events = await told(ann, document, path.variables(world))
        seen |= {event["__typename"] for event in events}
        assert all(value is not None for event in events for value in event.values())
        for variables in (path.variables(world), path.variables(world.nonexistent())):
            if "sessionId" in recipe:
                with pytest.raises(Refusal) as refusal:
                    await told(carl, document, variables)
                assert refusal.value.code == "NOT_FOUND"
                assert_nothing_of(world, refusal.value.errors)
            else:
                assert_nothing_of(world, await told(carl, document, variables))
    assert seen == kinds.keys() - LIVE, (
        "add a recipe to tests/support/sample_data.py by which the owner sees the others"
    )


def event_fields(kind):
    things = {name: get_named_type(field.type) for name, field in kind.fields.items()}
    nested = [f"{name} {{ {' '.join(leaves(thing))} }}" for name, thing in things.items() if not is_leaf_type(thing)]
    return " ".join([*leaves(kind), *nested])
