"""Full-text search in messages, in one owner's part of the index."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Double, Text, and_, any_, bindparam, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.exc import SQLAlchemyError

from app.db.access.database import Database
from app.db.access.failures import sqlstate
from app.db.access.statement import OWNER, Statement, statement, variant
from app.db.access.transaction import Viewer
from app.db.message import MESSAGE_COLUMNS, SEARCH_CONFIG, SEARCHABLE_LENGTH
from app.db.reading.order import Order, SortKey, direction, integer_key, uuid_key
from app.db.reading.page import Count, Slice, Window
from app.db.reading.root import read_page
from app.db.reading.rows import FoundRow
from app.db.tables import messages, sessions
from app.db.tables.columns import Timestamp, Uuid
from app.errors import TimedOut

m, s = messages.c, sessions.c
MAX_RANKED = 2_000
RANK = re.compile(r"\d(\.\d+)?(e-\d+)?")
UNDEFINED_OBJECT = "42704"
BETWEEN_0_AND_1 = 32  # a flag of ts_rank_cd


def _parse_rank(text: str) -> float:
    if not RANK.fullmatch(text):
        raise ValueError(text)
    return float(text)


def rank_key(column: ColumnElement[float]) -> SortKey:
    """How well a message matches, from 0 to 1."""
    return SortKey(column, Double(), cast(column, Text), _parse_rank, -1.0, 2.0)


def _quoted(text: Any) -> ColumnElement[str]:
    """A text as one lexeme of a tsquery (PostgreSQL manual, 8.11.2)."""
    escaped = func.replace(func.replace(text, "\\", "\\\\"), "'", "''")
    return literal("'", Text).concat(escaped).concat("'")


QUERY = func.to_tsquery(SEARCH_CONFIG, bindparam("query", type_=Text))
OWNER_LEXEME = cast(_quoted(literal("@", Text).concat(OWNER)), TSQUERY)
ROLES, SESSION = bindparam("role", type_=ARRAY(Text)), bindparam("session_id", type_=Uuid)
AGENT_TYPE = bindparam("agent_type", type_=Text)
SINCE, UNTIL = bindparam("since", type_=Timestamp), bindparam("until", type_=Timestamp)
# A word in most messages is expensive to rank, not to find: only the newest matches are ranked.
newest = (
    select(*MESSAGE_COLUMNS, m.tsv)
    .select_from(messages.join(sessions, and_(s.owner_id == m.owner_id, s.id == m.session_id)))
    .where(
        m.owner_id == OWNER,
        m.tsv.op("@@")(OWNER_LEXEME),
        m.tsv.op("@@")(QUERY),
        m.deleted_at.is_(None),
        s.deleted_at.is_(None),
        or_(SESSION.is_(None), m.session_id == SESSION),
        or_(AGENT_TYPE.is_(None), s.agent_type == AGENT_TYPE),
        or_(ROLES.is_(None), m.role == any_(ROLES)),
        or_(SINCE.is_(None), m.created_at >= SINCE),
        or_(UNTIL.is_(None), m.created_at < UNTIL),
    )
    .order_by(m.created_at.desc())
    .limit(literal(MAX_RANKED))
    .subquery("newest")
)
COUNT = statement(
    "search.count",
    "The number of messages that match a search.",
    select(func.count().label("total")).select_from(newest),
    Count,
    custom_plan=True,
)
_columns = [column for column in newest.c if column.name != "tsv"]
# Double, as the parameters of a cursor are.
_rank = cast(func.ts_rank_cd(newest.c.tsv, QUERY, BETWEEN_0_AND_1), Double)
ranked = select(*_columns, _rank.label("rank")).subquery("ranked")
RELEVANCE = Order(
    "relevance",
    "r",
    (rank_key(ranked.c.rank), uuid_key(ranked.c.session_id), integer_key(ranked.c.sequence)),
    descending=True,
)
# The mark stands before and after each match. It is random, so no text contains it.
MARK = bindparam("mark", type_=Text)
OPTIONS = literal("MaxWords=40, MinWords=20, StartSel=", Text).concat(MARK).concat(", StopSel=").concat(MARK)
HEADLINE = func.ts_headline(SEARCH_CONFIG, func.left(ranked.c.text, SEARCHABLE_LENGTH), QUERY, OPTIONS)


@cache
def _page(backward: bool) -> Statement[FoundRow]:
    found = select(*ranked.c, HEADLINE.label("headline"), MARK.label("mark"))
    return statement(
        variant("search.page", direction(backward)),
        "A page of the messages that match a search, the best match first.",
        RELEVANCE.page(found, backward),
        FoundRow,
        custom_plan=True,
    )


async def page(
    db: Database, viewer: Viewer, window: Window, filters: Mapping[str, Any], headline: Mapping[str, Any]
) -> Slice[FoundRow]:
    """One page of the matching messages, the best match first.

    `filters`: query (a tsquery), config, and the filters, None where not set; `headline`: mark, searchable.
    """
    return await read_page(db, viewer, _page(window.backward), COUNT, window, RELEVANCE, filters, headline)


async def unready(db: Database, config: str) -> str | None:
    """Why the database cannot index messages with this configuration; None if it can, or cannot be reached."""
    try:
        async with db.pool.connection() as connection:
            await connection.execute(select(func.to_tsquery(cast(literal(config), SEARCH_CONFIG.type), "a")))
    except (OSError, SQLAlchemyError, TimedOut) as error:
        if sqlstate(getattr(error, "orig", error)) == UNDEFINED_OBJECT:
            return f"search: the database has no text search configuration {config}; see SEARCH_CONFIG"
    return None
