"""The filters of LangGraph's stores: comparisons of values, and patterns of namespaces."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from langgraph.store.base import MatchCondition

ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def matches(value: Mapping[str, Any], filter: Mapping[str, Any]) -> bool:
    """True if each field of the filter matches the field of the value; an absent field is None."""
    return all(_matches_field(value.get(name), expected) for name, expected in filter.items())


def matches_namespace(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    """True if the namespace begins or ends with the pattern, in which `*` stands for any label."""
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    if condition.match_type not in ("prefix", "suffix"):
        raise ValueError(f"Unsupported match type: {condition.match_type}")
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(expected in ("*", label) for label, expected in zip(part, path, strict=True))


def _matches_field(found: Any, expected: Any) -> bool:
    if isinstance(expected, Mapping):
        if any(name.startswith("$") for name in expected):
            return all(_compare(found, name, operand) for name, operand in expected.items())
        return isinstance(found, Mapping) and matches(found, expected)
    if isinstance(expected, list | tuple):
        return isinstance(found, list) and len(found) == len(expected) and all(map(_matches_field, found, expected))
    return bool(found == expected)


def _compare(found: Any, name: str, operand: Any) -> bool:
    if name in ("$eq", "$ne"):
        return (found == operand) is (name == "$eq")
    if name not in ORDERED:
        raise ValueError(f"Unsupported operator: {name}")
    return found is not None and ORDERED[name](float(found), float(operand))
