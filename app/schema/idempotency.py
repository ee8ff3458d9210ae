"""At most once: the key of a mutation field."""

from typing import Annotated

import strawberry
from strawberry.directive import DirectiveLocation, DirectiveValue


@strawberry.directive(
    locations=[DirectiveLocation.FIELD],
    description="At most once: the same key by the same owner runs the field once; "
    "later calls get the first result back.",
)
def idempotent(
    value: DirectiveValue[object],
    key: Annotated[str, strawberry.argument(description="1 to 255 printable characters, new for each act.")],
) -> object:
    """Read by the mutation itself; the value passes."""
    return value
