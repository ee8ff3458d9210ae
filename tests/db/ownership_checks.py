"""Two checks that are independent of the ownership check, and use nothing of SQLAlchemy's elements.

The first reads PostgreSQL's generic plan: every scan of an owned table must have a condition on the owner. The second
compares behaviour: when another owner has a copy of every row, a statement must do exactly what it did without the
copies.
"""

import json
import random
import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property

import asyncpg
from sqlalchemy import ARRAY, JSON, Boolean, CheckConstraint, DateTime, Double, Integer, LargeBinary, Numeric, String
from sqlalchemy.dialects.postgresql import TSVECTOR, UUID

from app.db.access import routed
from app.db.access.slow_statements import SlowStatements
from app.db.tables.columns import Xid8

ANN, BOB = "ann", "bob"
OWNED = re.compile(r"\(?(?P<a>[\w\"]+)\.owner_id = (?:\(?\$(?P<n>\d+)\)?(?:::text)?|(?P<b>[\w\"]+)\.owner_id)\)?")
NOW = re.compile(r"datetime\.datetime\((?!2001|2002|2100)[^)]*\)|(?!2001|2002|2100)\d{4}-\d\d-\d\d \d\d:\d\d[^\",)]*")
# Parameters that must be valid in any case: the plan decides whether PostgreSQL evaluates them.
FIXED = {"config": "simple", "query": "a", "after_xid": "0", "new_xid": "7", "pattern": "^a"}
NOT_COPIED = {"owner_id", "timeline", "fork_revision"}  # a trigger sets the last two
PATHS = {
    "path": [f"{number:02}" for number in range(0, 80, 2)] + [f"live\x1f{number:02}" for number in range(1, 80, 2)]
}  # with the owner alone in a key: two would make two rows
IDS = [str(uuid.UUID(int=number)) for number in range(1, 40)]


def conjuncts(condition):
    """The conjuncts of a condition as PostgreSQL prints it."""
    condition = condition.strip()
    if condition.startswith("(") and closing(condition) == len(condition) - 1:
        return conjuncts(condition[1:-1])
    depth, start, parts = 0, 0, []
    for at, character in enumerate(condition):
        depth += (character == "(") - (character == ")")
        if depth == 0 and condition.startswith(" AND ", at):
            parts.append(condition[start:at])
            start = at + 5
    parts.append(condition[start:])
    return [part for whole in parts for part in conjuncts(whole)] if len(parts) > 1 else parts


def closing(condition):
    """The index of the parenthesis that closes the first one."""
    depth = 0
    for at, character in enumerate(condition):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return at
    raise ValueError(condition)


async def unbound_scans(connection, statement, tables):
    """The aliases of the scans of the generic plan that no condition binds to the owner."""
    names = statement.names
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE checked AS {statement.sql}")
    try:
        nulls = f"({', '.join(['NULL'] * len(names))})" if names else ""
        plan = await connection.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE checked{nulls}")
    finally:
        await connection.execute("DEALLOCATE checked")
    owner = str(names.index("owner") + 1) if "owner" in names else None
    return unbound(json.loads(plan)[0]["Plan"], owner, tables)


def unbound(plan, owner, tables):
    """The scans that no chain of equalities connects with the owner's parameter, or with a derived scan."""
    scans, bound, facts = set(), set(), []
    for node in nodes(plan):
        if node["Node Type"] != "ModifyTable" and "Alias" in node:
            (scans if node.get("Relation Name") in tables else bound).add(node["Alias"])
        for name, condition in node.items():
            if name.endswith(("Cond", "Filter")) and isinstance(condition, str):
                only = None if name == "Filter" else decided_by(node)
                found = [OWNED.fullmatch(part) for part in conjuncts(condition)]
                facts += [(only, match["a"], match["b"] or match["n"]) for match in found if match]
    bound.add(owner)
    while new := {
        other
        for only, left, right in facts
        for known, other in ((left, right), (right, left))
        if known in bound and other not in bound and (only is None or other in only)
    }:
        bound |= new
    return sorted(scans - bound)


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def decided_by(node):
    """The aliases whose rows the condition of a join restricts; None: all. An outer join keeps the rows of one side."""
    side = {"Left": "Inner", "Anti": "Inner", "Right": "Outer", "Right Anti": "Outer", "Full": ""}.get(
        node.get("Join Type")
    )
    if side is None:
        return None
    return {
        inner["Alias"]
        for child in node["Plans"]
        if child["Parent Relationship"] == side
        for inner in nodes(child)
        if "Alias" in inner
    }


class SampleTables:
    """Every table filled with few different values, so that random arguments often match rows.

    `routes`: statements run in their second form, if they have one, as they do on Citus.
    """

    def __init__(self, connection, metadata, statements, seed=1, *, routes=False):
        self.connection, self.tables, self.routes = connection, list(metadata.sorted_tables), routes
        self.random = random.Random(seed)
        self.texts = sorted(
            {"a", "b", "1", "simple"}
            | {text for s in statements for text in s.constants.values() if isinstance(text, str)}
            | {text for table in self.tables for column in table.columns for text in texts_of(column)}
        )
        self.rows = {}

    def value(self, kind, texts):
        """A value for a column or a parameter of this SQLAlchemy type; None for an unknown type."""
        if isinstance(kind, ARRAY):
            return [self.value(kind.item_type, texts) for _ in range(2)]
        for known, pool in (
            (UUID, IDS),
            (Boolean, [True, False]),
            (DateTime, [datetime(year, 1, 1, tzinfo=UTC) for year in (2001, 2002, 2100)]),
            (JSON, ["{}", "[1]"]),
            (Integer, [0, 1, 2, 3, 50]),
            (TSVECTOR, [f"'a':1 'simple':2 '@{ANN}'", f"'b':1 'a':2 '@{ANN}'"]),
            (Double, [0.0, 0.1, 1.0]),
            (Numeric, [Decimal(0), Decimal("1.5")]),
            (LargeBinary, [b"a", b"b"]),
            (String, texts),
            (Xid8, [3, 4, 5]),
        ):
            if isinstance(kind, known):
                return self.random.choice(pool)
        return None

    def arguments(self, statement):
        """Random arguments: most from one row of the statement's tables, by name; some arbitrary; some NULL."""
        near = [row for table, rows in self.rows.items() if table in statement.sql for row in rows] or [{}]
        row, blank = self.random.choice(near), self.random.choice([0, 0, 0.2, 0.6])
        chosen = {
            name: None if self.random.random() < blank else self.argument(name, kind, row)
            for name, kind in statement.parameters.items()
        }
        return chosen | {name: value for name, value in FIXED.items() if name in chosen}

    def argument(self, name, kind, row):
        any_value = self.value(kind, self.texts)
        known = row.get(name, row.get(name.partition("_")[2], row.get(name.removesuffix("s"))))
        if known is None or self.random.random() < 0.1:
            return any_value
        if isinstance(kind, ARRAY):
            return any_value if isinstance(known, list) else [known, self.random.choice([known, any_value[1]])]
        return known

    async def fill(self, owner, rows):
        """Inserts rows of one owner. Checks and foreign keys are dropped first, so that any values are accepted."""
        for table in self.tables:
            await self.unconstrain(table.name)
            columns = [c for c in copied(table) if self.value(c.type, ["a"]) is not None]
            insert = (
                f"INSERT INTO {table.name} (owner_id, {', '.join(quoted(columns))})"
                f" VALUES ({', '.join(f'${n + 1}' for n in range(len(columns) + 1))}) ON CONFLICT DO NOTHING"
            )
            for _ in range(rows):
                row = {column.name: self.cell(column) for column in columns}
                await self.connection.execute(insert, owner, *row.values())
                known = self.rows.setdefault(table.name, [])
                known.append({**row, f"{table.name.removesuffix('s')}_id": row.get("id")})

    def cell(self, column):
        if str(column) == "records.expires_at" and self.random.random() < 0.2:
            return datetime.min  # noqa: DTZ901 - the driver's -infinity: a tombstone
        missing = column.nullable and self.random.random() < 0.75
        return None if missing else self.value(column.type, texts_of(column) or PATHS.get(column.name, ["a", "b"]))

    async def unconstrain(self, table):
        for name in await self.connection.fetch(
            "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype IN ('c', 'f')", table
        ):
            await self.connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name[0]}" CASCADE')

    async def copy(self, source, target):
        """Copies all rows of one owner to another."""
        for table in self.tables:
            names = ", ".join(quoted(copied(table)))
            await self.connection.execute(
                f"INSERT INTO {table.name} (owner_id, {names})"
                f" SELECT '{target}', {names} FROM {table.name} WHERE owner_id = '{source}'"
            )

    async def outcome(self, statement, values):
        """The returned rows or the error, and the rows then in the tables: Ann's, and all others."""
        await self.connection.execute("BEGIN")
        try:
            rows = await self.fetch(statement, values)
            tables = (None, None) if statement.reads else await self.everything()
        except (asyncpg.exceptions.PostgresError, asyncpg.exceptions.InterfaceError, ValueError) as error:
            return getattr(error, "sqlstate", None) or type(error).__name__, None, None
        finally:
            await self.connection.execute("ROLLBACK")
        return sorted(map(self.plain, rows)), *tables

    async def fetch(self, statement, values):
        if self.routes and statement.routed:
            return await routed.run(self.connection, SlowStatements(60), statement, ANN, values)
        return await self.connection.fetch(statement.sql, *statement.bind(ANN, **values))

    async def everything(self):
        """All rows of all tables as text: Ann's, and all others."""
        texts = dict(await self.connection.fetch(self.dump))
        return [NOW.sub("now", texts.get(own) or "") for own in (True, False)]

    @cached_property
    def dump(self):
        """The query for all rows, without transaction ids, which differ in every run."""
        rows = [
            f"SELECT owner_id = '{ANN}' AS own, '{table.name}' || ROW({', '.join(quoted(stable(table)))})::text AS row"
            f" FROM {table.name}"
            for table in self.tables
        ]
        return f"SELECT own, string_agg(row, chr(10) ORDER BY row) FROM ({' UNION ALL '.join(rows)}) r GROUP BY own"

    def plain(self, row):
        return NOW.sub("now", repr([value for name, value in row.items() if not name.endswith("xid")]))


def texts_of(column):
    """The texts in the CHECK constraints of a column."""
    checks = [str(c.sqltext) for c in column.table.constraints if isinstance(c, CheckConstraint)]
    return [text for check in checks if check.startswith(column.name) for text in re.findall(r"'(\w+)'", check)]


def copied(table):
    return [column for column in table.columns if column.name not in NOT_COPIED and not column.computed]


def stable(table):
    return [column for column in table.columns if not column.name.endswith("xid")]


def quoted(columns):
    return [f'"{column.name}"' for column in columns]


async def compare(sample, statements, *, rows=60, attempts=600):
    """Runs all statements with Ann's rows alone, then with Bob's too.

    Returns the statements that behave differently, and those that never had an effect.
    """
    await sample.fill(ANN, rows)
    before, _ = await sample.everything()
    runs = {s: await run(sample, s, before, attempts) for s in statements}
    await sample.copy(ANN, BOB)
    await sample.fill(BOB, rows)
    _, others_before = await sample.everything()
    different = []
    for s in statements:
        for values, outcome in runs[s]:
            found, own, others = await sample.outcome(s, values)
            if (found, own) != outcome[:2] or others not in (None, others_before):
                different.append(s)
                break
    return different, [s for s in statements if not any(has_effect(outcome, before) for _, outcome in runs[s])]


async def run(sample, statement, before, attempts):
    """Arguments and outcomes: ten of any kind, and more until three had an effect."""
    runs, effects = [], 0
    for attempt in range(attempts):
        if attempt >= 10 and effects >= 3:
            break
        values = sample.arguments(statement)
        outcome = await sample.outcome(statement, values)
        effects += has_effect(outcome, before)
        if attempt < 10 or has_effect(outcome, before):
            runs.append((values, outcome))
    return runs


def has_effect(outcome, before):
    found, own, _ = outcome
    return not isinstance(found, str) and (bool(found) or own not in (None, before))
