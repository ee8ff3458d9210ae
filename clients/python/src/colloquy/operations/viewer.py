"""Operations of the viewer."""

from colloquy import graphql_documents as documents
from colloquy.decoding import decode
from colloquy.operation import Operation
from colloquy.results import Viewer


def viewer() -> Operation[Viewer]:
    """Returns the token's subject, scopes and roles."""
    return Operation(documents.VIEWER, {}, lambda data: decode(Viewer, data["viewer"]))
