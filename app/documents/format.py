"""What a message format is: how one producer writes answers, messages and their parts."""

from typing import Any, ClassVar

from app.documents.blocks import Block


class MessageFormat:
    """One producer's way to write messages. A method returns None for a shape that this format does not have.

    Documents are parsed JSON of any shape, so no method may raise. A format overrides what it needs.
    """

    token_names: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    """The keys of input, output and total tokens in a `usage` object, one tuple for each spelling."""

    def message(self, document: Any) -> Any | None:
        """The message inside an answer, or inside a record of a framework."""

    def contents(self, message: Any) -> list[Any] | None:
        """The contents of a message in their order: each a text, a part, a list of parts, or None."""

    def parts(self, part: Any) -> list[Any] | None:
        """The parts inside a part of a list."""

    def block(self, part: Any) -> Block | None:
        """The block of a part."""


def texts(pieces: list[Any]) -> list[str]:
    """The `text` of each piece that has one."""
    return [piece["text"] for piece in pieces if isinstance(piece, dict) and isinstance(piece.get("text"), str)]
