"""Use cases of search. A query has no syntax: every text is a valid query."""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any, NamedTuple

from app import db
from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import FoundRow
from app.documents.parsing import clean
from app.errors import BadInput
from app.limits import MAX_QUERY_LENGTH, MAX_SNIPPET_LENGTH

ESCAPED = str.maketrans({"\\": "\\\\", "'": "''"})


class Part(NamedTuple):
    """A part of a snippet."""

    text: str
    matched: bool


async def page(ctx: Context, window: Window, query: str, filters: Mapping[str, Any]) -> Slice[FoundRow]:
    """The viewer's messages with all words of `query`; of the last word, its beginning is enough. Raises BadInput."""
    conditions = {"query": tsquery(query), "config": ctx.settings.search_config, **filters}
    # A random mark: a message cannot contain it, so `snippet` can split by it.
    headline = {"mark": token_hex(12), "searchable": ctx.settings.search_text_limit}
    return await db.search.page(ctx.db, ctx.viewer, window, conditions, headline)


def tsquery(query: str) -> str:
    """The words as a tsquery, quoted so that none is an operator (PostgreSQL 8.11.2); the last one is a prefix."""
    if len(query) > MAX_QUERY_LENGTH:
        raise BadInput(f"query takes at most {MAX_QUERY_LENGTH} characters; it has {len(query)}.")
    words = clean(query).split()
    if not words:
        raise BadInput("query needs a word to look for; it is empty.")
    quoted = " & ".join(f"'{word.translate(ESCAPED)}'" for word in words)
    return f"{quoted}:*"


def snippet(headline: str, mark: str) -> list[Part]:
    """The parts of a headline, which are matched and not matched in turn; at most 400 characters."""
    parts, left = [], MAX_SNIPPET_LENGTH
    for index, text in enumerate(headline.split(mark)):
        if text[:left]:
            parts.append(Part(text[:left], matched=index % 2 == 1))
        left = max(0, left - len(text))
    return parts
