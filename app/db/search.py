"""Full-text search in messages, in one owner's part of the index."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from math import sqrt
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Select,
    Subquery,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    collate,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY

from app.db.access.reads import Reads
from app.db.access.statement import OWNER, Row, Statement, statement, variant
from app.db.access.transaction import Viewer
from app.db.message import MESSAGE_COLUMNS, SEARCH_CONFIG
from app.db.reading.order import Order, SortKey, direction, integer_key, uuid_key
from app.db.reading.page import Count, Slice, Window
from app.db.reading.root import read_page
from app.db.reading.rows import FoundRow
from app.db.tables import messages, session_totals, sessions
from app.db.tables.columns import Timestamp, Uuid

m, s, t = messages.c, sessions.c, session_totals.c
MAX_RANKED = 2_000
MAX_EXAMINED = 120_000
PROBED = 1_000
# Of the probed messages, so many have a common word: at least, at most, and at most where not all sessions are counted.
COMMON_FROM, COMMON_AT_MOST, COMMON_UNCOUNTED = 20, 200, 40
# A match that the index finds costs as much as so many of the newest messages, which are read one by one: as measured
# with the beginning of a word in a million messages, among those of others.
COST_OF_MATCH = 8
ENOUGH = MAX_RANKED
# A message has the time at which its write began, so that the times in a session are not quite in the order of the
# sequences. No write takes this long.
LONGEST_WRITE = timedelta(hours=1)
MAX_FEW_SESSIONS, MAX_FEW_MESSAGES = 100, 5_000
RANK = re.compile(r"\d(\.\d+)?(e-\d+)?")
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


def _matches(vector: ColumnElement[Any]) -> ColumnElement[bool]:
    return vector.op("@@", is_comparison=True)(QUERY)


OWN, MATCHES = m.owner_id == OWNER, _matches(m.tsv)


class Size(Row):
    """How many sessions and messages an owner has, counted over a limited number of sessions; those of one session.

    `messages_before` are those when the owner's totals were last read; None if they never were.
    """

    sessions: int
    messages: int
    messages_before: int | None
    in_session: int | None


_counted = select(s.message_count).where(s.owner_id == OWNER).limit(literal(MAX_FEW_SESSIONS + 1)).subquery("counted")
_in_session = select(s.message_count).where(s.owner_id == OWNER, s.id == SESSION).scalar_subquery()
_before = select(cast(func.sum(t.messages), BigInteger)).where(t.owner_id == OWNER).scalar_subquery()
SIZE = statement(
    "search.size",
    "Whether the owner has few messages, how many there were before, and how many one session has.",
    select(
        func.count().label("sessions"),
        func.coalesce(func.sum(_counted.c.message_count), 0).label("messages"),
        _before.label("messages_before"),
        _in_session.label("in_session"),
    ),
    Size,
)
IN_SESSION = or_(SESSION.is_(None), s.id == SESSION)
HAS_TYPE = or_(AGENT_TYPE.is_(None), s.agent_type == AGENT_TYPE)


def _filters(message: Any) -> tuple[ColumnElement[bool], ...]:
    """The conditions on a message beside the words."""
    return (
        message.deleted_at.is_(None),
        or_(ROLES.is_(None), message.role == any_(ROLES)),
        or_(SINCE.is_(None), message.created_at >= SINCE),
        or_(UNTIL.is_(None), message.created_at < UNTIL),
    )


def _in_any_order(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(m.session_id, m.sequence).where(*conditions, *_filters(m))


IN_INDEX = m.tsv.op("@@")(OWNER_LEXEME), MATCHES
# The index of words has the owner too. Beside it the planner would also read all of the owner's messages in the primary
# key, which is of another collation.
ONLY_IN_INDEX = _in_any_order(m.owner_id == collate(OWNER, "POSIX"), *IN_INDEX)


def _matching(matching: Select[Any]) -> Subquery:
    """The matches, found without any other table.

    OFFSET keeps the planner from joining the sessions first: by its estimates a session has few messages, and it would
    read the messages of the owner, session by session.
    """
    return matching.offset(literal(0)).subquery("matching")


def _newest(matching: Subquery, *conditions: ColumnElement[bool], any_order: bool = False) -> Subquery:
    """The keys of the newest matches, newest first: a word in most messages is expensive to rank.

    Keys alone are sorted, so that the sort stays in memory. The session of each match is looked up: the planner, which
    expects more matches of a rare word, would read all of the owner's. In `any_order` it may begin with the sessions.
    """
    found = select(s.id, s.last_activity_at).where(s.owner_id == OWNER, s.deleted_at.is_(None), HAS_TYPE, *conditions)
    its = found.where(s.id == matching.c.session_id).limit(literal(1)).correlate(matching).lateral("session")
    session = found.subquery("session") if any_order else its
    joined = matching.join(session, session.c.id == matching.c.session_id)
    return (
        select(matching.c.session_id, matching.c.sequence)
        .select_from(joined)
        .order_by(session.c.last_activity_at.desc(), session.c.id.desc(), matching.c.sequence.desc())
        .limit(literal(MAX_RANKED))
        .subquery("newest")
    )


def _max_recent_sessions(messages: int) -> int:
    return max(50, messages // 40)


def _recent_sessions(messages: int) -> Subquery:
    """The most recently active sessions; `before`: how many messages the sessions before each have."""
    order = (s.last_activity_at.desc(), s.id.desc())
    conditions = (s.owner_id == OWNER, s.deleted_at.is_(None), HAS_TYPE, IN_SESSION)
    columns = select(s.id, s.last_activity_at, s.message_count, s.last_sequence).where(*conditions)
    number = literal(_max_recent_sessions(messages))
    newest = columns.order_by(*order).limit(number)
    parts = {"listed": s.archived_at.is_(None), "archived": s.archived_at.is_not(None)}
    either = union_all(*(newest.where(part).subquery(name).select() for name, part in parts.items())).subquery("either")
    # Beyond the limit one part may have ended: its next session would be skipped.
    first = select(either).order_by(either.c.last_activity_at.desc(), either.c.id.desc()).limit(number)
    both = first.subquery("both").c
    until = func.sum(both.message_count).over(order_by=(both.last_activity_at.desc(), both.id.desc()))
    before = (until - both.message_count).label("before")
    return select(both.id, both.last_activity_at, both.last_sequence, before).subquery("recent")


def _recent(examined: int, ranked: int) -> Subquery:
    """The same, if enough of the newest messages match: about `examined` are read, and no index of words.

    The most recently active sessions that have as many messages together, and as many of the newest in each.
    """
    recent = _recent_sessions(examined)
    read = (
        select(m.sequence, m.tsv, m.role, m.deleted_at, m.created_at)
        .where(m.owner_id == OWNER, m.session_id == recent.c.id)
        .order_by(m.sequence.desc())
        .limit(literal(examined))
        .correlate(recent)
        .subquery("read")
    )
    # Reads no further when enough is found.
    found = (
        select(read.c.sequence)
        .where(_matches(read.c.tsv), *_filters(read.c))
        .order_by(read.c.sequence.desc())
        .limit(literal(ranked))
        .correlate(recent)
        .lateral("found")
    )
    return (
        select(recent.c.id.label("session_id"), found.c.sequence)
        .select_from(recent.join(found, true()))
        .where(recent.c.before < literal(examined), or_(SINCE.is_(None), recent.c.last_activity_at >= SINCE))
        .order_by(recent.c.last_activity_at.desc(), recent.c.id.desc(), found.c.sequence.desc())
        .limit(literal(ranked))
        .subquery("newest")
    )


def _reaches_since(examined: int) -> Select[Any]:
    """True if `_recent(examined)` reads all messages since `SINCE`.

    The last activity of a session is never before the time of one of its messages.
    """
    recent = _recent_sessions(examined)
    r = recent.c
    not_read = (
        select(m.created_at)
        .where(m.owner_id == OWNER, m.session_id == r.id, m.sequence <= r.last_sequence - literal(examined))
        .order_by(m.sequence.desc())
        .limit(literal(1))
        .correlate(recent)
        .scalar_subquery()
    )
    is_cut_off = case(
        (r.last_activity_at < SINCE, False),
        (r.before >= literal(examined), True),
        (r.last_sequence <= literal(examined), False),
        else_=not_read >= SINCE - literal(LONGEST_WRITE),
    )
    are_all = or_(func.count() < literal(_max_recent_sessions(examined)), func.min(r.last_activity_at) < SINCE)
    return select(and_(func.count().filter(is_cut_off) == literal(0), are_all).label("reaches")).select_from(recent)


NEWEST = {
    "index": _newest(_matching(ONLY_IN_INDEX), IN_SESSION),
    # Sessions of a type may be few: the planner may read their messages by the primary key.
    "of_type": _newest(_in_any_order(OWN, *IN_INDEX).subquery("matching"), IN_SESSION, any_order=True),
    # The index holds everybody's words, and a prefix reads all that begin with it. For an owner of few messages their
    # own rows are cheaper; IS TRUE keeps the planner from the index.
    "own_rows": _newest(_matching(_in_any_order(OWN, MATCHES.is_(true()))), IN_SESSION),
    # The same for a session of few messages.
    "session_rows": _newest(_matching(_in_any_order(OWN, m.session_id == SESSION, MATCHES.is_(true())))),
    "recent": _recent(MAX_EXAMINED, MAX_RANKED),
}
COMMON = statement(
    "search.is_common",
    "How many of the newest messages match a search, counted as far as a common word needs.",
    select(func.count().label("total")).select_from(_recent(PROBED, COMMON_AT_MOST)),
    Count,
    custom_plan=True,
)


class Reach(Row):
    """Whether the newest messages that are examined are all since a time."""

    reaches: bool


REACHES_SINCE = statement(
    "search.reaches_since",
    "Whether all messages since a time are among the newest that are examined.",
    _reaches_since(MAX_EXAMINED),
    Reach,
    custom_plan=True,
)
COUNT = {
    access: statement(
        f"search.count[{access}]",
        "The number of messages that match a search.",
        select(func.count().label("total")).select_from(newest),
        Count,
        custom_plan=True,
    )
    for access, newest in NEWEST.items()
}
# Double, as the parameters of a cursor are.
_rank = cast(func.ts_rank_cd(m.tsv, QUERY, BETWEEN_0_AND_1), Double)
_lexemes = cast(QUERY, Text).label("lexemes")


def _ranked(newest: Subquery) -> Subquery:
    same = and_(m.owner_id == OWNER, m.session_id == newest.c.session_id, m.sequence == newest.c.sequence)
    columns = [*MESSAGE_COLUMNS, _rank.label("rank"), *(column for column in newest.c if column.key == "number_ranked")]
    return select(*columns).select_from(newest.join(messages, same)).subquery("ranked")


def _relevance(ranked: Subquery) -> Order:
    keys = rank_key(ranked.c.rank), uuid_key(ranked.c.session_id), integer_key(ranked.c.sequence)
    return Order("relevance", "r", keys, descending=True)


def _with_number(newest: Subquery) -> Subquery:
    number = func.count().over().label("number_ranked")
    return select(newest.c.session_id, newest.c.sequence, number).subquery("newest")


# The page itself says whether it has enough: to count first would read the messages twice.
RANKED = {access: _ranked(_with_number(newest) if access == "recent" else newest) for access, newest in NEWEST.items()}
RELEVANCE = {access: _relevance(ranked) for access, ranked in RANKED.items()}


@cache
def _page(access: str, backward: bool) -> Statement[FoundRow]:
    return statement(
        variant("search.page", access, direction(backward)),
        "A page of the messages that match a search, the best match first.",
        RELEVANCE[access].page(select(*RANKED[access].c, _lexemes), backward),
        FoundRow,
        custom_plan=True,
    )


async def page(db: Reads, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[FoundRow]:
    """One page of the matching messages, the best match first.

    `filters`: query (a tsquery), config, and the filters, None where not set.
    """
    [size] = await db.fetch(viewer, SIZE, session_id=filters["session_id"])
    access = "index"
    if size.in_session is not None and size.in_session <= MAX_FEW_MESSAGES:
        access = "session_rows"
    elif size.sessions <= MAX_FEW_SESSIONS and size.messages <= MAX_FEW_MESSAGES:
        access = "own_rows"
    elif filters["agent_type"] is not None:
        access = "of_type"
    elif await _is_common(db, viewer, filters, size) and (found := await _recent_page(db, viewer, window, filters)):
        return found
    return await _read(db, viewer, access, window, filters)


async def _read(db: Reads, viewer: Viewer, access: str, window: Window, filters: Mapping[str, Any]) -> Slice[FoundRow]:
    bounds = RELEVANCE[access].bounds(window)
    return await read_page(db, viewer, _page(access, window.backward), COUNT[access], window, bounds, filters)


async def _is_common(db: Reads, viewer: Viewer, filters: Mapping[str, Any], size: Size) -> bool:
    """True if so many of the very newest messages match that to read the newest ones seems cheaper than the index.

    Few of them may be since a time: others are not read then.
    """
    if size.in_session is not None:
        number = _common_from(size.in_session)
    elif size.sessions <= MAX_FEW_SESSIONS:
        number = _common_from(size.messages)
    else:  # there may be many more messages than there were
        number = min(COMMON_UNCOUNTED, _common_from(size.messages_before or 0))
    [probe] = await db.fetch(viewer, COMMON, **{**filters, "since": None})
    return probe.total >= number


def _common_from(messages: int) -> int:
    """Of the probed messages, from how many matches on the newest messages are read; `messages`: of how many in all.

    If a share p of n messages matches, the index finds `p * n` matches, and MAX_RANKED of them are among the newest
    `MAX_RANKED / p`: these cost less if p is at least the root of `MAX_RANKED / (COST_OF_MATCH * n)`.
    """
    share = sqrt(MAX_RANKED / (COST_OF_MATCH * max(messages, 1)))
    return min(max(COMMON_FROM, round(share * PROBED)), COMMON_AT_MOST)


async def _recent_page(db: Reads, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[FoundRow] | None:
    """The page, if no other message can be among the newest matches.

    So many of the newest messages match, or all that the filter allows are among them.
    """
    found = await _read(db, viewer, "recent", window, filters)
    number = found.rows[0].number_ranked if found.rows else await found.total()

    async def total() -> int:
        return number

    found.total = total
    return found if number >= ENOUGH or await _reaches(db, viewer, filters) else None


async def _reaches(db: Reads, viewer: Viewer, filters: Mapping[str, Any]) -> bool:
    if filters["since"] is None:
        return False
    given = {name: filters[name] for name in REACHES_SINCE.parameters}
    [found] = await db.fetch(viewer, REACHES_SINCE, **given)
    return found.reaches
