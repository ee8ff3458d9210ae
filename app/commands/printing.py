"""`colloquy schema` and `colloquy explain`: what the code generates."""

from graphql_compiled import Uncompilable, explain

from app.commands import reporting


def print_schema() -> None:
    """Print the GraphQL schema in SDL."""
    from app.schema import schema

    print(schema.as_str().rstrip())


def print_tables() -> None:
    """Print the tables as Markdown."""
    from app.db.operations import describe
    from app.db.tables import metadata

    print(describe.markdown(metadata).rstrip())


def print_compiled(document: str, operation_name: str | None) -> None:
    """Print the Python code of one operation."""
    from app.schema import schema

    with reporting(Uncompilable):
        print(explain(schema._schema, document, operation_name).rstrip())
