"""Response paths: where in the response a value stands (GraphQL specification, "Response Position").

Generated code passes on list positions only; the response keys below them are constants of the plan.
"""

from __future__ import annotations

from typing import Any

_ListPath = tuple[Any, tuple[str, ...], int]
ListPath = _ListPath | None
"""Position of a list item: (that of the enclosing item or None, response keys from there to the list, index)."""

ResponsePath = tuple[str | int, ...]


def response_path(path: ListPath, keys: tuple[str, ...]) -> list[str | int]:
    """The path from the root to the value that `keys` lead to from the list item at `path`."""
    found: list[str | int] = list(reversed(keys))
    while path is not None:
        path, above, index = path
        found.append(index)
        found.extend(reversed(above))
    found.reverse()
    return found
