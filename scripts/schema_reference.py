"""Writes the pages of the API reference from schema.graphql: `schema_reference.py DIRECTORY`.

Each type is on one page, under a heading of its name. Each field and argument has its type, default and description.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from graphql import (
    GraphQLArgument,
    GraphQLDirective,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLType,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
    print_ast,
)

PAGES = {
    "queries": "The fields of `Query`.",
    "mutations": "The fields of `Mutation`.",
    "subscriptions": "The fields of `Subscription`, over WebSocket or server-sent events.",
    "objects": "What sessions, messages, agents, tasks and approvals hold.",
    "events": "What subscriptions send.",
    "blocks": "What a message holds, in typed parts.",
    "errors": "What `errors` of a payload hold.",
    "payloads": "What mutations return.",
    "connections": "Pages of a list, by the Relay specification.",
    "inputs": "What arguments hold.",
    "enums": "Values by name.",
    "abstract": "Types that stand for one of several.",
    "scalars": "Single values, and what changes how a field runs.",
}
TITLES = {"blocks": "Content blocks", "abstract": "Interfaces and unions", "scalars": "Scalars and directives"}
BY_INTERFACE = {"Event": "events", "ContentBlock": "blocks", "UserError": "errors"}
ROOTS = {"Query": "queries", "Mutation": "mutations", "Subscription": "subscriptions"}
Described = GraphQLArgument | GraphQLField | GraphQLInputField


def page_of(kind: GraphQLNamedType) -> str:
    match kind:
        case GraphQLInputObjectType():
            return "inputs"
        case GraphQLEnumType():
            return "enums"
        case GraphQLScalarType():
            return "scalars"
        case GraphQLInterfaceType() | GraphQLUnionType():
            return "abstract"
    assert isinstance(kind, GraphQLObjectType)
    if kind.name.endswith("Payload"):
        return "payloads"
    if kind.name.endswith(("Connection", "Edge")) or kind.name == "PageInfo":
        return "connections"
    return next((BY_INTERFACE[face.name] for face in kind.interfaces if face.name in BY_INTERFACE), "objects")


def linked(kind: GraphQLType) -> str:
    """A type as code, with a link to its heading unless GraphQL itself defines it."""
    named = get_named_type(kind)
    if is_specified_scalar_type(named):
        return f"`{kind}`"
    if named.name in ROOTS:
        return f"[`{kind}`]({ROOTS[named.name]}.md)"
    return f"[`{kind}`]({page_of(named)}.md#{named.name.lower()})"


def paragraphs(text: str | None, indent: str = "") -> str:
    return "\n".join(indent + line if line else "" for line in (text or "").split("\n"))


def item(name: str, thing: Described, indent: str = "") -> Iterator[str]:
    """A field or an argument as an item of a list, with its own arguments below it."""
    node = thing.ast_node
    default = getattr(node, "default_value", None)
    yield f"{indent}- **`{name}`**: {linked(thing.type)}" + (f" = `{print_ast(default)}`" if default else "") + "\n"
    inner = indent + "    "
    if thing.description:
        yield paragraphs(thing.description, inner) + "\n"
    if thing.deprecation_reason:
        yield f"{inner}*Deprecated*: {thing.deprecation_reason}\n"
    for argument, value in getattr(thing, "args", {}).items():
        yield from item(argument, value, inner)


def items(members: Mapping[str, Described]) -> Iterator[str]:
    for name, member in members.items():
        yield from item(name, member)


def names(label: str, kinds: Iterable[GraphQLNamedType]) -> Iterator[str]:
    if links := ", ".join(linked(kind) for kind in kinds):
        yield f"{label}: {links}.\n"


def values(kind: GraphQLEnumType) -> Iterator[str]:
    for name, value in kind.values.items():
        yield f"- **`{name}`**\n"
        if value.description:
            yield paragraphs(value.description, "    ") + "\n"
        if value.deprecation_reason:
            yield f"    *Deprecated*: {value.deprecation_reason}\n"


def body(schema: GraphQLSchema, kind: GraphQLNamedType) -> Iterator[str]:
    yield f"## {kind.name}\n"
    if kind.description:
        yield paragraphs(kind.description) + "\n"
    match kind:
        case GraphQLEnumType():
            yield from values(kind)
        case GraphQLUnionType():
            yield from names("One of", kind.types)
        case GraphQLScalarType() if kind.specified_by_url:
            yield f"Specified by <{kind.specified_by_url}>.\n"
        case GraphQLInterfaceType():
            yield from names("Implemented by", schema.get_possible_types(kind))
            yield from items(kind.fields)
        case GraphQLObjectType():
            yield from names("Implements", kind.interfaces)
            yield from items(kind.fields)
        case GraphQLInputObjectType():
            yield from items(kind.fields)


def operation(name: str, field: GraphQLField) -> Iterator[str]:
    """A field of a root type has a heading of its own."""
    yield f"## {name}\n"
    if field.description:
        yield paragraphs(field.description) + "\n"
    if field.deprecation_reason:
        yield f"*Deprecated*: {field.deprecation_reason}\n"
    yield f"Returns {linked(field.type)}.\n"
    yield from items(field.args)


def directive(kind: GraphQLDirective) -> Iterator[str]:
    yield f"## @{kind.name}\n"
    yield paragraphs(kind.description) + "\n"
    yield "On: " + ", ".join(f"`{location.name}`" for location in kind.locations) + ".\n"
    yield from items(kind.args)


def pages(schema: GraphQLSchema) -> dict[str, str]:
    """The text of each page by its name."""
    texts = {name: [f"# {TITLES.get(name, name.capitalize())}\n", f"{summary}\n"] for name, summary in PAGES.items()}
    for name, kind in sorted(schema.type_map.items()):
        if name in ROOTS:
            assert isinstance(kind, GraphQLObjectType)
            texts[ROOTS[name]].append(paragraphs(kind.description) + "\n")
            for field in kind.fields.items():
                texts[ROOTS[name]] += operation(*field)
        elif not is_introspection_type(kind) and not is_specified_scalar_type(kind):
            texts[page_of(kind)] += body(schema, kind)
    for declared in schema.directives:
        if not is_specified_directive(declared):
            texts["scalars"] += directive(declared)
    contents = [f"- [{TITLES.get(name, name.capitalize())}]({name}.md): {summary}" for name, summary in PAGES.items()]
    overview = ["# API reference\n", "Generated from `schema.graphql`, which introspection of a server returns too.\n"]
    return {name: "\n".join(text) for name, text in texts.items()} | {"index": "\n".join([*overview, *contents, ""])}


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages(build_schema(Path("schema.graphql").read_text())).items():
        (directory / f"{name}.md").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
