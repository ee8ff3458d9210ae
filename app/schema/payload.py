"""The fields that payloads share."""

from typing import Any

import strawberry


def errors() -> Any:
    """The last field of every payload."""
    return strawberry.field(
        default_factory=list, description="The reasons why the mutation changed nothing; empty after success."
    )


def cursor() -> Any:
    """The field of every payload of a write in a session."""
    return strawberry.field(
        default=None,
        description="The position of this write in the events of its session: `sessionEvents(after:)` continues "
        "behind it. Null after an error or a dry run, and for an object in no session.",
    )
