"""Arguments for any statement, found by the names of its parameters in generated data (`harness/generated_data.py`).

A parameter is the column of that name of the statement's noun, or of another table in the statement; its value comes
from one row of the owner, or from several for an array. `SPECIAL` holds the parameters that are no columns.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, cycle, islice

from sqlalchemy import ARRAY, Boolean, DateTime, Double, Integer, Numeric, String
from sqlalchemy.dialects.postgresql import UUID

from app.db.access.statement import AcrossOwners
from app.db.tables import metadata
from app.record_path import below

NOUNS = {
    "session": "sessions",
    "session_agent": "session_agents",
    "message": "messages",
    "agent": "agents",
    "task": "tasks",
    "approval": "approvals",
    "audit": "audit_events",
    "idempotency": "idempotency_keys",
    "record": "records",
}
# Of tables in one statement, the first that has a column gives its value: what lies in a session, before sessions.
TABLES = [
    *(
        "counted_sessions",
        "session_totals",
        "count_positions",
        "streams",
        "message_chunks",
        "messages",
        "session_agents",
        "tasks",
        "approvals",
    ),
    *("audit_events", "agents", "idempotency_keys", "records", "sessions"),
]
# The rows that arguments come from, in the same order for owners of every size: $1 is the owner.
FOCUS = "session_id = (select id from sessions where owner_id = $1 and key = 'session-4')"
ROWS = {
    "sessions": "order by array_position(array['session-4', 'session-9', 'session-6', 'session-8'], key), erased_at, id",
    "messages": f"""and {FOCUS} order by sequence <> (
        select message_count / 2 + 1 from sessions where owner_id = $1 and key = 'session-4'
    ), status = 'COMPLETE', deleted_at is null, key is null, md5(sequence::text)""",
    "session_agents": f"and {FOCUS} order by key",
    "tasks": f"and {FOCUS} order by revision",
    "approvals": f"and {FOCUS} order by revision",
    "streams": f"and {FOCUS} order by sequence desc",
    "message_chunks": f'and {FOCUS} order by sequence desc, "offset"',
    "counted_sessions": "order by session_id",
    "session_totals": "order by agent_type",
    "count_positions": "",
    "agents": "order by array_position(array['agent-1', 'agent-2'], key), md5(key)",
    "audit_events": "order by at",
    "idempotency_keys": "order by key",
    "records": """order by session_id is null,
        row_number() over (partition by session_id is null, isfinite(expires_at) order by path), path""",
}
# The first columns of the orders of pages, whose middle a cursor stands at.
SORTED = {
    "agents": ("name", "id"),
    "approvals": ("id",),
    "audit_events": ("at",),
    "messages": ("sequence",),
    "records": ("path",),
    "session_agents": ("created_revision",),
    "sessions": ("last_activity_at", "id"),
    "tasks": ("id",),
}
SAMPLE = 50
LEVELLED = ("agents", "session_agents")  # whose rows have few or many rows that refer to them
IDENTIFIES = re.compile(r"id|key|sequence|kind|offset|fence|agent_key|\w+_id")
FRESH = {
    "id",
    "key",
    "new_id",
    "new_key",
    "idempotency_key",
    "parent_key",
    "parent_path",
    "parent_type",
}  # of what a statement inserts
FIRST, LAST = datetime(2001, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
LOWEST = {UUID: f"{0:032x}", DateTime: FIRST, Double: -1.0, Numeric: Decimal(-2), Integer: 0, String: ""}
HIGHEST = {
    UUID: "f" * 32,
    DateTime: LAST,
    Double: 2.0,
    Numeric: Decimal(10) ** 9,
    Integer: 2**31 - 1,
    String: "\U0010ffff",
}
NUMBERS = count(1)


class NoArgument(Exception):
    """Nothing is known about a parameter: rename it after a column, or add it to SPECIAL."""


@dataclass(frozen=True)
class Wanted:
    """What arguments shall find: few rows or many (`common`), `page` of them; only `filter`, if any, is not NULL.

    `candidate` is which of the owner's rows a single value comes from.
    """

    common: bool = False
    page: int = 2
    filter: str | None = None
    candidate: int = 0


class OwnerRows:
    """Of one owner, by table: some rows; by column: the rarest and the commonest value, and the middle one."""

    def __init__(self, connection, owner):
        self.connection, self.owner, self.rows, self.values, self.middles = connection, owner, {}, {}, {}

    @classmethod
    async def of(cls, connection, owner):
        self = cls(connection, owner)
        for table, order in ROWS.items():
            query = f"select * from {table} where owner_id = $1 {order} limit {SAMPLE}"
            self.rows[table] = list(map(dict, await connection.fetch(query, owner)))
            for column in metadata.tables[table].columns:
                await self._levels(table, column)
            for name in SORTED.get(table, ()):
                await self._middle(table, name)
        return self

    async def _middle(self, table, column):
        middle = f"percentile_disc(0.5) within group (order by {column})"
        where = f"owner_id = $1 {f'and {FOCUS}' if table == 'messages' else ''}"
        query = f"select {middle} from {table} where {where}"
        self.middles[table, column] = await self.connection.fetchval(query, self.owner)

    async def _levels(self, table, column):
        """A value in a single row is not the rare one: there may be as many such values as rows."""
        if not isinstance(column.type, (ARRAY, UUID, String)) or column.name in ("id", "key", "text", "raw"):
            return
        each = f"unnest({column.name})" if isinstance(column.type, ARRAY) else f'"{column.name}"'
        found = await self.connection.fetch(
            f"select v, count(*) as n from (select {each} as v from {table} where owner_id = $1) x where v is not null"
            " group by v order by n, v",
            self.owner,
        )
        if found:
            rare = next((row for row in found if row["n"] > 1), found[0])
            self.values[table, column.name] = rare["v"], found[-1]["v"]


def filters(query):
    """The parameters that may be NULL, or false, or open, one at a time; before them None: all are."""
    chosen = [
        name
        for name, kind in query.parameters.items()
        if isinstance(kind, Boolean)
        or name == "after_0"
        or (name != "expected" and re.search(rf"\${query.names.index(name) + 1}(::[A-Z\[\] ]+)? IS NULL", query.sql))
    ]
    return chosen if "filtered" in query.name else [None, *chosen]


class Arguments:
    """The values of one statement's parameters."""

    def __init__(self, query, rows):
        self.query, self.rows, self.sql = query, rows, query.sql
        self.filters = filters(query)
        self.inserts = re.search(r"\bINTO\b", self.sql)
        noun, _, rest = query.name.partition(".")
        self.noun = NOUNS.get(noun)
        above = re.search(r"of_([a-z_]+)s\b", rest)
        self.above = NOUNS.get(above[1]) if above else None
        used = [table for table in TABLES if re.search(rf"\b{table}\b", self.sql)]
        self.tables = [*filter(None, [self.noun]), *used, *TABLES[::-1]]
        self.sorted_by = self._sort_key() if "after_0" in query.names else None

    def values(self, wanted):
        return {name: self.value(name, kind, wanted) for name, kind in self.query.parameters.items()}

    def value(self, name, kind, wanted):
        if isinstance(kind, Boolean):
            return name == wanted.filter
        if bound := re.fullmatch("(after|before)_([0-9])", name):
            return self._cursor(bound[1], bound[2], kind, wanted)
        if re.fullmatch("after_[a-z]+", name) and name not in SPECIAL:
            return _end(LOWEST, kind)
        if name in self.filters and name != wanted.filter:
            return None
        if self.inserts and name in FRESH:
            return self._fresh(kind, wanted)
        if special := SPECIAL.get(name):
            return special(self, wanted)
        if found := self._column(name, kind, wanted):
            return found[0]
        if special := SPECIAL.get(name.removeprefix("parent_")):
            return [special(self, wanted)] * wanted.page
        raise NoArgument(f"{self.query.name}: no argument is known for :{name} ({kind}); see {__name__}")

    def _column(self, name, kind, wanted):
        """A list of the one value, or None: the value may be NULL."""
        column = re.sub("^(parent|new|expected|max)_", "", name)
        above = name.startswith("parent_") and self.above
        for table in [*filter(None, [above]), *self.tables]:
            rows, here = self._ordered(table, wanted), self._name(column, kind, table)
            if rows and here in rows[0]:
                return [self._from(table, here, rows, name, kind, wanted)]
        return None

    def _from(self, table, column, rows, name, kind, wanted):
        levels = self.rows.values.get((table, column))
        if levels and self._by_level(name, column, wanted):
            rare, common = levels
            value = common if wanted.common or name == "new_status" else rare
            return [value] if isinstance(kind, ARRAY) else value
        first = wanted.candidate % len(rows)
        if not isinstance(kind, ARRAY) or isinstance(metadata.tables[table].c[column].type, ARRAY):
            value = rows[first][column]
            return levels[1] if levels and value is None and name.startswith("new_") else value
        repeated = rows[:1] if table in LEVELLED and name.startswith("parent_") else rows[first:] + rows[:first]
        return [row[column] for row in islice(cycle(repeated), wanted.page)]

    def _by_level(self, name, column, wanted):
        """A filter's value; one that names no row; and a status, which a row may not be set to from just any other."""
        filters = name == wanted.filter or (self.query.reads and not IDENTIFIES.fullmatch(column))
        return name == "new_status" or (filters and not name.startswith("parent_"))

    def _ordered(self, table, wanted):
        """Agent 2 takes part in few sessions, and has few messages in the focus; agent 1 is everywhere."""
        rows = self.rows.rows[table]
        if table == "agents" and not wanted.common:
            return [*rows[1:2], *rows[:1], *rows[2:]]
        return rows[::-1] if table == "session_agents" and not wanted.common else rows

    def _name(self, column, kind, table):
        """`session_id` is the id of a session, `ids` are several."""
        if column == f"{table.removesuffix('s')}_id":
            return "id"
        plural = isinstance(kind, ARRAY) and column not in metadata.tables[table].c
        return column.removesuffix("s") if plural else column

    def _fresh(self, kind, wanted):
        if isinstance(kind, ARRAY):
            return [f"fresh-{next(NUMBERS)}" for _ in range(wanted.page)]
        number = next(NUMBERS)
        return f"0199ffff-ffff-7000-8000-{number:012x}" if isinstance(kind, UUID) else f"fresh-{number}"

    def _sort_key(self):
        """The table and column that `:after_0` is compared with, and the operator; the parent's values may precede it."""
        places = re.finditer(rf"\${self.query.names.index('after_0') + 1}\b", self.sql)
        ahead = (self.sql[max(0, place.start() - 200) : place.start()] for place in places)
        compares = r"\b([\w.]+(?:, [\w.]+)*)\)? ([<>]) \(?((?:[\w.$:]+, )*)$"
        columns, operator, before = next(filter(None, (re.search(compares, text) for text in ahead))).groups()
        return *columns.split(", ")[before.count(",")].split("."), operator

    def _cursor(self, name, index, kind, wanted):
        """The open end of a page; or in the middle of all rows, for `after`, as if that were a filter."""
        assert self.sorted_by, self.query.name
        table, column, compares = self.sorted_by
        middle = self.rows.middles.get((table, column))
        in_middle = wanted.filter == "after_0" and (name, index) == ("after", "0")
        if in_middle and isinstance(middle, kind.python_type):
            return middle
        return _end(LOWEST if (compares == ">") == (name == "after") else HIGHEST, kind)

    def focus(self, table="sessions"):
        return self.rows.rows[table][0]


def _end(ends, kind):
    return next(value for known, value in ends.items() if isinstance(kind, known))


def _word(arguments, wanted):
    word = "a" if wanted.common else "rare"
    return f"'{word}':*" if "config" in arguments.query.parameters else word


def _before(arguments, wanted):
    """Across owners nothing is due, or everything; of one owner what the statement changes must be due."""
    return LAST if wanted.common or not isinstance(arguments.query, AcrossOwners) else FIRST


def _range(arguments, wanted):
    """All records, where few of them are what is wanted."""
    if "pattern" in arguments.query.parameters or wanted.filter in ("tags", "text"):
        return below([])
    return below(["notes" if wanted.common else "rare"])


def _up_to(arguments, wanted):
    """Where messages are counted, their number is largest in the middle of those that are unread."""
    session = arguments.focus()
    if arguments.query.name == "session.mark_read":
        return (session["last_read_sequence"] + session["last_sequence"]) // 2
    return session["last_sequence"]


def _text(arguments, wanted):
    return arguments.focus("message_chunks")["text"] if "offset" in arguments.query.parameters else "Hello there"


SPECIAL = {
    "advanced_revision": lambda a, w: a.focus()["head"] + SAMPLE,
    "advanced_sequence": lambda a, w: a.focus()["last_sequence"] + SAMPLE,
    "after": lambda a, w: 0 if "up_to" in a.query.parameters else a.focus()["head"] - w.page,
    "after_xid": lambda a, w: "0",
    "at": lambda a, w: datetime.now(UTC),
    "before": _before,
    "bytes": lambda a, w: 10,
    "config": lambda a, w: "simple",
    "count": lambda a, w: w.page if "parent_text" in a.query.parameters else 1,
    "expected": lambda a, w: None,
    "high": lambda a, w: _range(a, w).high,
    "key_from": lambda a, w: "record-",
    "key_to": lambda a, w: "record-9" if w.common else "record-2",
    "low": lambda a, w: _range(a, w).low,
    "pattern": lambda a, w: "^(?:[^\x1f\x1e]*\x1f)+",
    "suffix": lambda a, w: "\x1f" + ("notes" if w.common else "rare") + "\x1f",
    "tags": lambda a, w: '{"kind": "notes"}' if w.common else '{"kind": "rare"}',
    "expected_length": lambda a, w: a.focus("streams")["length"],
    "limit": lambda a, w: w.page,
    "mark": lambda a, w: "~",
    "max_hourly_rate": lambda a, w: Decimal(1_000 if w.common else 1),
    "max_bytes": lambda a, w: 2**20,
    "max_length": lambda a, w: 1_000_000,
    "new_epoch": lambda a, w: 0,
    "new_hash": lambda a, w: b"hash",
    "newest": lambda a, w: 1,
    "new_xid": lambda a, w: "0",
    "next_revision": lambda a, w: a.focus()["head"] + 1,
    "new_revision": lambda a, w: a.focus()["head"] + 1,
    "number": lambda a, w: 1,
    "parts": lambda a, w: '{"a":1}',
    "parts_format": lambda a, w: None,
    "query": _word,
    "removed": lambda a, w: 1,
    "searchable": lambda a, w: 16_384,
    "since": lambda a, w: FIRST if w.common else LAST,
    "text": _text,
    "title": lambda a, w: "",
    "unread": lambda a, w: 1,
    "until": lambda a, w: LAST if w.common else FIRST,
    "words": lambda a, w: "Hello there",
    "up_to": _up_to,
}
