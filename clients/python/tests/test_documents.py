"""What the client sends fits the schema that the server prints."""

from pathlib import Path

import pytest
from colloquy import documents
from graphql import GraphQLSchema, build_schema, parse, validate

SCHEMA = Path(__file__).resolve().parents[3] / "schema.graphql"


@pytest.fixture(scope="module")
def printed() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text())


@pytest.mark.parametrize("name", documents.ALL)
def test_a_document_fits_the_printed_schema(name, printed):
    assert validate(printed, parse(documents.ALL[name])) == []


def test_a_document_of_another_schema_is_found_out(printed):
    assert validate(printed, parse("query Viewer { viewer { shoeSize } }"))
