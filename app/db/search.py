"""Search: the words that messages are written with, in one owner's part of the index (core.md §8)."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Double, Text, and_, any_, bindparam, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.exc import SQLAlchemyError

from app.db.access.database import OWNER, Database, Statement, Viewer, statement
from app.db.access.failures import sqlstate
from app.db.message import BEGINNING, CONFIG, SEEN
from app.db.reading.page import Count, Key, Order, Slice, Window, identity, number, read
from app.db.reading.rows import FoundRow
from app.db.tables import messages, sessions
from app.db.tables.columns import Moment, Uuid
from app.errors import TimedOut

m, s = messages.c, sessions.c
RANKED = 2_000
RANK = re.compile(r"\d(\.\d+)?(e-\d+)?")
UNDEFINED = "42704"  # undefined_object
BETWEEN_0_AND_1 = 32  # a flag of ts_rank_cd


def _rank(text: str) -> float:
    if not RANK.fullmatch(text):
        raise ValueError(text)
    return float(text)


def rank(column: ColumnElement[float]) -> Key:
    """How well a message matches, from 0 to 1."""
    return Key(column, Double(), cast(column, Text), _rank, -1.0, 2.0)


def _quoted(text: Any) -> ColumnElement[str]:
    """A text as one word of a tsquery (PostgreSQL, 8.11.2)."""
    escaped = func.replace(func.replace(text, "\\", "\\\\"), "'", "''")
    return literal("'", Text).concat(escaped).concat("'")


WANTED = func.to_tsquery(CONFIG, bindparam("query", type_=Text))
MINE = cast(_quoted(literal("@", Text).concat(OWNER)), TSQUERY)
ROLES, SESSION = bindparam("role", type_=ARRAY(Text)), bindparam("session_id", type_=Uuid)
AGENT_TYPE = bindparam("agent_type", type_=Text)
SINCE, UNTIL = bindparam("since", type_=Moment), bindparam("until", type_=Moment)
# A word that is in most messages costs in ranking, not in the index: only the newest matches are ranked.
newest = (
    select(*SEEN, m.tsv)
    .select_from(messages.join(sessions, and_(s.owner_id == m.owner_id, s.id == m.session_id)))
    .where(
        m.owner_id == OWNER,
        m.tsv.op("@@")(MINE),
        m.tsv.op("@@")(WANTED),
        m.deleted_at.is_(None),
        s.deleted_at.is_(None),
        or_(SESSION.is_(None), m.session_id == SESSION),
        or_(AGENT_TYPE.is_(None), s.agent_type == AGENT_TYPE),
        or_(ROLES.is_(None), m.role == any_(ROLES)),
        or_(SINCE.is_(None), m.created_at >= SINCE),
        or_(UNTIL.is_(None), m.created_at < UNTIL),
    )
    .order_by(m.created_at.desc())
    .limit(literal(RANKED))
    .subquery("newest")
)
COUNT = statement(select(func.count().label("total")).select_from(newest), Count, custom_plan=True)
seen = [column for column in newest.c if column.name != "tsv"]
# Double, as the parameters of a cursor are.
score = cast(func.ts_rank_cd(newest.c.tsv, WANTED, BETWEEN_0_AND_1), Double)
ranked = select(*seen, score.label("rank")).subquery("ranked")
RELEVANCE = Order("r", (rank(ranked.c.rank), identity(ranked.c.session_id), number(ranked.c.sequence)), descending=True)
# The mark stands before and after what is found; nobody who wrote a text could know it.
MARK = bindparam("mark", type_=Text)
OPTIONS = literal("MaxWords=40, MinWords=20, StartSel=", Text).concat(MARK).concat(", StopSel=").concat(MARK)
HEADLINE = func.ts_headline(CONFIG, func.left(ranked.c.text, BEGINNING), WANTED, OPTIONS).label("headline")


@cache
def _page(backward: bool) -> Statement[FoundRow]:
    return statement(
        RELEVANCE.page(select(*ranked.c, HEADLINE, MARK.label("mark")), backward), FoundRow, custom_plan=True
    )


async def page(
    db: Database, viewer: Viewer, window: Window, question: Mapping[str, Any], shown: Mapping[str, Any]
) -> Slice[FoundRow]:
    """One page of what matches, the best match first.

    `question`: query (a tsquery), config, and the filters, None where not given; `shown`: mark, searchable.
    """
    return await read(db, viewer, _page(window.backward), COUNT, window, RELEVANCE, question, shown)


async def unready(db: Database, config: str) -> str | None:
    """Why messages cannot be indexed as the settings want it; None when they can, or nobody can tell."""
    try:
        async with db.pool.connection() as connection:
            await connection.execute(select(func.to_tsquery(cast(literal(config), CONFIG.type), "a")))
    except (OSError, SQLAlchemyError, TimedOut) as error:
        if sqlstate(getattr(error, "orig", error)) == UNDEFINED:
            return f"search: the database has no text search configuration {config}; see SEARCH_CONFIG"
    return None
