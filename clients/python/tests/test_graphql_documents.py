"""Every GraphQL document of the client is valid in schema.graphql."""

from pathlib import Path

import pytest
from colloquy import graphql_documents
from graphql import GraphQLSchema, build_schema, parse, validate

SCHEMA = Path(__file__).resolve().parents[3] / "schema.graphql"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text())


@pytest.mark.parametrize("name", graphql_documents.OPERATIONS)
def test_a_document_is_valid_in_the_schema(name, schema):
    assert validate(schema, parse(graphql_documents.OPERATIONS[name])) == []


def test_a_document_with_an_unknown_field_is_invalid(schema):
    assert validate(schema, parse("query Viewer { viewer { shoeSize } }"))
