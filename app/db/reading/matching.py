"""Comparison of short texts with what a person typed, whatever the locale of the database."""

from typing import Any

from sqlalchemy import ColumnElement, collate, func

from app.db.tables.columns import CASE


def contains(text: Any, query: Any) -> ColumnElement[bool]:
    """True if the text contains the query; case does not count, nor whether letters are composed."""
    return func.strpos(_folded(text), _folded(query)) > 0


def _folded(text: Any) -> ColumnElement[str]:
    return func.lower(collate(func.normalize(text), CASE))
