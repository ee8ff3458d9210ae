"""Every path from a root field of the schema to its objects, until their types repeat, as documents to execute."""

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

from tests.support.sample_data import RECIPES, SampleData

PAGING = {"first", "after", "last", "before", "orderBy"}
PAGE = {"first": 5}  # nested pages of fifty would exceed the cost limit


class Step(NamedTuple):
    """One field of a path: its parent type, its arguments as a template, and the object type that it leads to."""

    parent: str
    name: str
    field: GraphQLField
    arguments: dict[str, Any]
    kind: GraphQLObjectType | None
    continues: bool

    @property
    def coordinate(self) -> str:
        return f"{self.parent}.{self.name}"


class Path(tuple[Step, ...]):
    """Steps from a root field down to an object, or to a leaf of the root."""

    def __str__(self) -> str:
        return " ".join(f"{step.name}{step.arguments or ''}:{step.kind or ''}" for step in self)

    def document(self, operation: str) -> str:
        """A document that selects every leaf of the object that takes no arguments."""
        kind, depth = self[-1].kind, len(self)
        selection = f"{{ {' '.join(['__typename', *leaves(kind)])} }}" if kind else ""
        declarations = []
        for step in reversed(self):
            depth -= 1
            names = list(step.arguments)
            declarations += [f"$v{depth}_{name}: {step.field.args[name].type}" for name in names]
            arguments = f"({', '.join(f'{name}: $v{depth}_{name}' for name in names)})" if names else ""
            if step.kind and is_abstract_type(get_named_type(step.field.type)):
                selection = f"{{ __typename ... on {step.kind} {selection} }}"
            selection = f"{step.name}{arguments} {selection}"
            selection = f"{{ {selection} }}"
        head = f"({', '.join(declarations)})" if declarations else ""
        return f"{operation} {head} {selection}"

    def variables(self, top: SampleData, below: SampleData | None = None) -> dict[str, Any]:
        """The arguments from sample data; those of nested fields from `below`, if there is any."""
        sources = [top, *[below or top] * (len(self) - 1)]
        return {
            f"v{depth}_{name}": sources[depth].fill(template)
            for depth, step in enumerate(self)
            for name, template in step.arguments.items()
        }

    def has_nested_reference(self) -> bool:
        """True if an argument of a nested field comes from the sample data."""
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
    """Every object field of every type below this root field, each on the shortest path."""
    found = list(_steps(schema, Path(), root, name))
    seen = {(step.coordinate, str(step.kind)) for path in found for step in path}
    for path in found:  # which grows meanwhile
        if path[-1].kind and path[-1].continues:
            for below in path[-1].kind.fields:
                longer = [one for one in _steps(schema, path, path[-1].kind, below) if _key(one) not in seen]
                found += longer
                seen |= {_key(one) for one in longer}
    return found


def _key(path: Path) -> tuple[str, str]:
    return path[-1].coordinate, str(path[-1].kind)


def _steps(schema: GraphQLSchema, above: Path, parent: GraphQLObjectType, name: str) -> Iterator[Path]:
    """The path with one more field, once for each of its recipes and each type that it leads to."""
    target: Any = get_named_type(parent.fields[name].type)
    if is_leaf_type(target) and above and not parent.fields[name].args:
        return
    kinds = (
        [None] if is_leaf_type(target) else schema.get_possible_types(target) if is_abstract_type(target) else [target]
    )
    for index, recipe in enumerate(recipes(parent, name)):
        arguments = {key: value for key, value in recipe.items() if key not in ("on", "ends")}
        for kind in kinds:
            if recipe.get("on", str(kind)) == str(kind):
                continues = (index == 0 or "on" in recipe) and not recipe.get("ends")
                yield Path((*above, Step(parent.name, name, parent.fields[name], arguments, kind, continues)))


def recipes(parent: GraphQLObjectType, name: str) -> list[dict[str, Any]]:
    """The arguments with which an owner finds something by this field. Fails if the field needs a recipe and has none."""
    coordinate, arguments = f"{parent.name}.{name}", parent.fields[name].args
    page = PAGE if "first" in arguments else {}
    if coordinate in RECIPES:
        return [page | recipe for recipe in RECIPES[coordinate]]
    if arguments.keys() <= PAGING and not any(map(is_required_argument, arguments.values())):
        return [page]
    raise AssertionError(
        f"{coordinate} takes {', '.join(arguments)}: add RECIPES[{coordinate!r}] to tests/support/sample_data.py"
    )


def arguments_without_recipe(parent: GraphQLObjectType, name: str) -> list[str]:
    """The arguments, and the fields of their input objects, that no recipe of this field has.

    Of a mutation only ids count: no other argument can lead to another owner's rows.
    """
    known, of_mutation = recipes(parent, name), parent.name == "Mutation"
    found: list[str] = []
    for argument, definition in parent.fields[name].args.items():
        if argument not in PAGING or parent.name == "Subscription":
            values = [recipe[argument] for recipe in known if argument in recipe]
            found += _without_recipe(f"{parent.name}.{name}({argument}:)", definition.type, values, of_mutation)
    return found


def _without_recipe(where: str, type_: Any, values: list[Any], of_mutation: bool) -> list[str]:
    named = get_named_type(type_)
    if not values:
        return [where] if not of_mutation or named.name == "ID" else []
    if not isinstance(named, GraphQLInputObjectType):
        return []
    objects = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [
        missing
        for name, field in named.fields.items()
        for missing in _without_recipe(
            f"{where}.{name}", field.type, [o[name] for o in objects if name in o], of_mutation
        )
    ]
