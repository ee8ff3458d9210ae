"""Decisions on searching: any text is a question, none of it is syntax."""

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

DOUBLED = str.maketrans({"\\": "\\\\", "'": "''"})


class Part(NamedTuple):
    """A piece of a snippet."""

    text: str
    matched: bool


async def page(ctx: Context, window: Window, query: str, filters: Mapping[str, Any]) -> Slice[FoundRow]:
    """The viewer's messages that hold all words of `query`, of the last one its beginning. Raises BadInput."""
    question = {"query": tsquery(query), "config": ctx.settings.search_config, **filters}
    shown = {"mark": token_hex(12), "searchable": ctx.settings.search_text_limit}
    return await db.search.page(ctx.db, ctx.viewer, window, question, shown)


def tsquery(query: str) -> str:
    """All words, quoted, so that none is an operator (PostgreSQL, 8.11.2); the last one is still being typed."""
    if len(query) > MAX_QUERY_LENGTH:
        raise BadInput(f"query takes at most {MAX_QUERY_LENGTH} characters; it has {len(query)}.")
    words = clean(query).split()
    if not words:
        raise BadInput("query needs a word to look for; it is empty.")
    quoted = " & ".join(f"'{word.translate(DOUBLED)}'" for word in words)
    return f"{quoted}:*"


def snippet(headline: str, mark: str) -> list[Part]:
    """The pieces of a headline, of which every other one lies between two marks; 400 characters at most."""
    parts, left = [], MAX_SNIPPET_LENGTH
    for place, text in enumerate(headline.split(mark)):
        if text[:left]:
            parts.append(Part(text[:left], place % 2 == 1))
        left = max(0, left - len(text))
    return parts
