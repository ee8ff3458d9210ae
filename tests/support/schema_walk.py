"""Every way from a root field of the schema down to its objects, until their types repeat, as documents to run."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)

from tests.support.sample_data import RECIPES, World

PAGING = {"first", "after", "last", "before", "orderBy"}
PAGE = {"first": 5}  # deep documents over pages of fifty ask for too much


class Step(NamedTuple):
    """One field of a path: its parent type, its arguments as a template, the kind of thing it leads to."""

    parent: str
    name: str
    field: GraphQLField
    arguments: dict[str, Any]
    kind: GraphQLObjectType | None
    leads_on: bool

    @property
    def coordinate(self) -> str:
        return f"{self.parent}.{self.name}"


class Path(tuple[Step, ...]):
    """Steps from a root field down to an object, or to a leaf of the root."""

    def __str__(self) -> str:
        return " ".join(f"{step.name}{step.arguments or ''}:{step.kind or ''}" for step in self)

    def document(self, operation: str) -> str:
        """Asks for every plain leaf of the object."""
        kind, place = self[-1].kind, len(self)
        asked = f"{{ {' '.join(['__typename', *leaves(kind)])} }}" if kind else ""
        declared = []
        for step in reversed(self):
            place -= 1
            names = list(step.arguments)
            declared += [f"$v{place}_{name}: {step.field.args[name].type}" for name in names]
            given = f"({', '.join(f'{name}: $v{place}_{name}' for name in names)})" if names else ""
            if step.kind and is_abstract_type(get_named_type(step.field.type)):
                asked = f"{{ __typename ... on {step.kind} {asked} }}"
            asked = f"{step.name}{given} {asked}"
            asked = f"{{ {asked} }}"
        head = f"({', '.join(declared)})" if declared else ""
        return f"{operation} {head} {asked}"

    def variables(self, top: World, below: World | None = None) -> dict[str, Any]:
        """The arguments in a world; those of nested fields in another, if that is given."""
        worlds = [top, *[below or top] * (len(self) - 1)]
        return {
            f"v{place}_{name}": worlds[place].fill(template)
            for place, step in enumerate(self)
            for name, template in step.arguments.items()
        }

    def names_something_below(self) -> bool:
        """Whether a nested field takes a name or an id."""
        return any("$" in str(step.arguments) for step in self[1:])

    def found(self, data: Any) -> list[Any]:
        """The objects at the end of the path, or the leaf."""
        things = [data]
        for step in self:
            values = [thing.get(step.name) for thing in things]
            things = [item for value in values for item in (value if isinstance(value, list) else [value])]
            kind = str(step.kind)
            things = [item for item in things if item is not None and (not step.kind or _is(item, kind))]
        return things


def _is(thing: dict[str, Any], kind: str) -> bool:
    return thing.get("__typename", kind) == kind


def leaves(kind: GraphQLObjectType | None) -> list[str]:
    """The fields of a type that are values and take no arguments."""
    fields = kind.fields.items() if kind else ()
    return [name for name, field in fields if is_leaf_type(get_named_type(field.type)) and not field.args]


def paths(schema: GraphQLSchema, root: GraphQLObjectType, name: str) -> list[Path]:
    """Every object field of every type that this root field leads to, each by the shortest way there."""
    found = list(_steps(schema, Path(), root, name))
    seen = {(step.coordinate, str(step.kind)) for path in found for step in path}
    for path in found:  # grows
        if path[-1].kind and path[-1].leads_on:
            for below in path[-1].kind.fields:
                ways = [way for way in _steps(schema, path, path[-1].kind, below) if _key(way) not in seen]
                found += ways
                seen |= {_key(way) for way in ways}
    return found


def _key(path: Path) -> tuple[str, str]:
    return path[-1].coordinate, str(path[-1].kind)


def _steps(schema: GraphQLSchema, above: Path, parent: GraphQLObjectType, name: str) -> Iterator[Path]:
    """The path gone on by one field, once for each of its recipes and each kind of thing it leads to."""
    target: Any = get_named_type(parent.fields[name].type)
    if is_leaf_type(target) and above and not parent.fields[name].args:
        return
    kinds = (
        [None] if is_leaf_type(target) else schema.get_possible_types(target) if is_abstract_type(target) else [target]
    )
    for place, recipe in enumerate(recipes(parent, name)):
        arguments = {key: value for key, value in recipe.items() if key not in ("on", "ends")}
        for kind in kinds:
            if recipe.get("on", str(kind)) == str(kind):
                leads_on = (place == 0 or "on" in recipe) and not recipe.get("ends")
                yield Path((*above, Step(parent.name, name, parent.fields[name], arguments, kind, leads_on)))


def recipes(parent: GraphQLObjectType, name: str) -> list[dict[str, Any]]:
    """How the owner finds something by this field; fails for one that nobody has said it of."""
    coordinate, arguments = f"{parent.name}.{name}", parent.fields[name].args
    page = PAGE if "first" in arguments else {}
    if coordinate in RECIPES:
        return [page | recipe for recipe in RECIPES[coordinate]]
    if arguments.keys() <= PAGING and not any(map(is_required_argument, arguments.values())):
        return [page]
    raise AssertionError(
        f"{coordinate} takes {', '.join(arguments)}: add RECIPES[{coordinate!r}] to tests/support/sample_data.py"
    )


def unsaid(parent: GraphQLObjectType, name: str) -> list[str]:
    """The arguments, and the fields of input objects in them, that no recipe of this field has.

    Of what a mutation takes, only ids can lead to somebody else's things.
    """
    said, of_mutation = recipes(parent, name), parent.name == "Mutation"
    found: list[str] = []
    for argument, definition in parent.fields[name].args.items():
        if argument not in PAGING or parent.name == "Subscription":
            given = [recipe[argument] for recipe in said if argument in recipe]
            found += _unsaid(f"{parent.name}.{name}({argument}:)", definition.type, given, of_mutation)
    return found


def _unsaid(where: str, type_: Any, given: list[Any], of_mutation: bool) -> list[str]:
    named = get_named_type(type_)
    if not given:
        return [where] if not of_mutation or named.name == "ID" else []
    if not isinstance(named, GraphQLInputObjectType):
        return []
    objects = [item for value in given for item in (value if isinstance(value, list) else [value])]
    return [
        missing
        for name, field in named.fields.items()
        for missing in _unsaid(f"{where}.{name}", field.type, [o[name] for o in objects if name in o], of_mutation)
    ]
