"""Use cases of search. A query has no syntax: every text is a valid query."""

from collections.abc import Mapping
from typing import Any

from app import db
from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import FoundRow
from app.documents import snippet as snippets
from app.documents.parsing import clean
from app.documents.search_words import tsquery
from app.documents.snippet import Part
from app.errors import BadInput
from app.limits import MAX_QUERY_LENGTH

UNSTEMMED = "simple"


async def page(ctx: Context, window: Window, query: str, filters: Mapping[str, Any]) -> Slice[FoundRow]:
    """The viewer's messages with all words of `query`; of the last word, its beginning is enough. Raises BadInput."""
    if len(query) > MAX_QUERY_LENGTH:
        raise BadInput(f"query takes at most {MAX_QUERY_LENGTH} characters; it has {len(query)}.")
    if not query.strip():
        raise BadInput("query needs a word to look for; it is empty.")
    conditions = {"query": tsquery(clean(query)), "config": ctx.settings.search_config, **filters}
    return await db.search.page(ctx.reads, ctx.viewer, window, conditions)


def snippet(ctx: Context, row: FoundRow) -> list[Part]:
    """The passage of a found message with the words of the query."""
    settings = ctx.settings
    text = row.text[: settings.search_text_limit]
    return snippets.snippet(text, row.lexemes, stemmed=settings.search_config != UNSTEMMED)
