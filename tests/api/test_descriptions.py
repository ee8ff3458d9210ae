"""Descriptions in the schema: everything a client can read about the API has one, arguments included."""

import re

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, build_schema

from app.schema import schema as ours

SCHEMA = build_schema(ours.as_str())
OURS = [kind for kind in SCHEMA.type_map.values() if not kind.name.startswith("__") and kind.ast_node]
SHORTEST = 10
# Words that a reader whose first language is not English, or a program, would misunderstand.
VAGUE = re.compile(r"\b(who|whom|whoever|whatever|somebody|nobody|anybody|thing|things|wanted)\b", re.IGNORECASE)


def described():
    """Every coordinate of the schema, with its description."""
    for kind in OURS:
        yield kind.name, kind.description
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{kind.name}.{name}", value.description) for name, value in kind.values.items())
        for name, field in getattr(kind, "fields", {}).items():
            yield f"{kind.name}.{name}", field.description
            if not isinstance(kind, GraphQLInputObjectType):
                yield from ((f"{kind.name}.{name}({arg}:)", each.description) for arg, each in field.args.items())
    for directive in SCHEMA.directives:
        if directive.ast_node:
            yield f"@{directive.name}", directive.description
            yield from ((f"@{directive.name}({arg}:)", each.description) for arg, each in directive.args.items())


DESCRIBED = dict(described())


def test_every_kind_of_coordinate_is_covered():
    expected = {
        "Session",
        "Session.title",
        "Session.messages(first:)",
        "SessionStatus.ACTIVE",
        "CreateSessionInput.title",
        "Mutation.createSession(input:)",
        "SessionEvent",
        "JSON",
        "@idempotent(key:)",
    }
    assert expected <= DESCRIBED.keys()


@pytest.mark.parametrize("coordinate", DESCRIBED)
def test_description_is_a_full_sentence(coordinate):
    description = DESCRIBED[coordinate] or ""
    assert len(description) >= SHORTEST, description
    assert description.endswith("."), description
    assert description[0].isupper() or description[0] in "`1", description
    assert VAGUE.findall(description) == [], description
