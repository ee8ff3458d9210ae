"""Checks PromQL against a scrape: each metric, label and label value that a query names must be in it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families

ADDED_BY_PROMETHEUS = {"job", "instance"}
VARIABLES = {"$__rate_interval": "5m", "$job": "colloquy", "$instance": ".*"}
"""Of Grafana, with values that a query may have in their place."""
Scrape = dict[str, dict[str, set[str]]]
"""The values of each label, by metric."""


def scrape_of(text: str) -> Scrape:
    """What is in the body of `/metrics`; Prometheus adds `up`."""
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values = found[sample.name]
            for label, value in sample.labels.items():
                values[label].add(value)
    return {"up": {}, **{name: dict(labels) for name, labels in found.items()}}


def problems(query: str, scrape: Scrape) -> list[str]:
    """What a query names that the scrape does not have."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return list(_problems(promql.parse(query), scrape, []))


def selectors(expression: Any) -> Iterator[Any]:
    """All selectors in an expression."""
    if isinstance(expression, promql.VectorSelector):
        yield expression
    elif isinstance(expression, promql.MatrixSelector):
        yield expression.vector_selector
    else:
        for part in _parts(expression):
            yield from selectors(part)


def _parts(expression: Any) -> list[Any]:
    named = (getattr(expression, name, None) for name in ("expr", "lhs", "rhs", "param"))
    return [part for part in (*named, *getattr(expression, "args", ())) if part is not None]


def _problems(expression: Any, scrape: Scrape, grouped: list[str]) -> Iterator[str]:
    modifier = getattr(expression, "modifier", None)
    if isinstance(expression, promql.AggregateExpr) and modifier:
        grouped = [*grouped, *modifier.labels]
    for selector in [expression] if isinstance(expression, promql.VectorSelector) else []:
        yield from _unknown(selector, scrape, grouped)
    if isinstance(expression, promql.MatrixSelector):
        yield from _unknown(expression.vector_selector, scrape, grouped)
    for part in _parts(expression):
        yield from _problems(part, scrape, grouped)


def _unknown(selector: Any, scrape: Scrape, grouped: list[str]) -> Iterator[str]:
    if selector.name not in scrape:
        yield f"there is no metric {selector.name}"
        return
    labels = scrape[selector.name]
    matchers = selector.matchers.matchers
    for label in {*grouped, *(matcher.name for matcher in matchers)} - ADDED_BY_PROMETHEUS - labels.keys():
        yield f"{selector.name} has no label {label}"
    for matcher in matchers:
        for value in _named(matcher) if matcher.name in labels else ():
            if value not in labels[matcher.name]:
                yield f"{selector.name} has no {matcher.name} {value!r}"


def _named(matcher: Any) -> list[str]:
    exact = matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual)
    return [matcher.value] if exact else matcher.value.split("|")
