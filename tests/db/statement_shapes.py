"""Statements in every shape that the ownership check must distinguish, over tables like ours."""

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    collate,
    column,
    delete,
    exists,
    extract,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    table,
    tablesample,
    text,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import TSVECTOR, UUID, aggregate_order_by, insert

from app.db.access.statement import OWNER

metadata = MetaData()
Id = UUID(as_uuid=False)


def owned(name, *columns):
    return Table(name, metadata, Column("owner_id", Text, primary_key=True), *columns)


S = owned(
    "sessions",
    Column("id", Id, primary_key=True),
    Column("status", Text),
    Column("title", Text),
    Column("revision", BigInteger),
    Column("last_sequence", Integer),
    Column("last_activity_at", DateTime(timezone=True)),
)
M = owned(
    "messages",
    Column("session_id", Id, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("text", Text),
    Column("agent_key", Text),
    Column("revision", BigInteger),
    Column("metadata", JSON),
    Column("tsv", TSVECTOR),
)
A = owned(
    "session_agents",
    Column("session_id", Id, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("state", JSON),
)
K = owned("idempotency_keys", Column("key", Text, primary_key=True), Column("result", JSON))
s, m, a = S.c, M.c, A.c
M2 = M.alias("m2")
P = bindparam
first = P("first", type_=Integer)


def has_owner(t):
    return t.c.owner_id == OWNER


def every(t, *criteria):
    return select(t).where(has_owner(t), *criteria)


def with_each(query, *criteria):
    """All sessions of the owner, each joined with the rows of `query` for it."""
    return every(S, *criteria).add_columns(query).select_from(S.join(query, true()))


newest = select(M).where(m.owner_id == s.owner_id, m.session_id == s.id).order_by(m.sequence.desc()).limit(1)
agents_of = and_(a.owner_id == m.owner_id, a.session_id == m.session_id)
my_sessions = every(S).cte("my_sessions")
open_sessions = select(S).cte("open_sessions")
open_messages = select(M).subquery("open_messages")
revised = update(S).where(has_owner(S), s.id == P("id")).values(revision=s.revision + 1)
locked = revised.returning(s.owner_id, s.id, s.revision).cte("locked")
new_agent = insert(A).values(owner_id=OWNER, session_id=P("id"), key=P("key"), state=P("state"))
thread = select(m.owner_id, m.session_id, m.sequence).where(has_owner(M), m.sequence == 1).cte("t", recursive=True)
thread = thread.union_all(
    select(m.owner_id, m.session_id, m.sequence).where(
        m.owner_id == thread.c.owner_id,
        m.session_id == thread.c.session_id,
        m.sequence == thread.c.sequence + 1,
    )
)


unnested = func.unnest(P("ids", type_=ARRAY(Id)), P("numbers", type_=ARRAY(Integer)))
keys = unnested.table_valued(column("id", Id), column("number", Integer), name="keys").render_derived()


def keyed_append():
    stored = select(K.c.result).where(has_owner(K), K.c.key == P("idempotency_key")).cte("stored")
    head = (
        update(S)
        .where(has_owner(S), s.id == P("id"), s.status == any_(P("open", type_=ARRAY(Text))))
        .where(~select(stored.c.result).exists())
        .values(last_sequence=s.last_sequence + 1, last_activity_at=func.greatest(s.last_activity_at, func.now()))
        .returning(s.owner_id, s.id, s.last_sequence)
        .cte("head")
    )
    appended = (
        insert(M)
        .from_select(
            ["owner_id", "session_id", "sequence", "text", "metadata"],
            select(*head.c, cast(P("text"), Text), func.coalesce(P("metadata", type_=JSON), cast("{}", JSON))),
            include_defaults=False,
        )
        .returning(M)
        .cte("appended")
    )
    key = insert(K).from_select(
        ["owner_id", "key", "result"],
        select(
            head.c.owner_id, cast(P("idempotency_key"), Text), func.json_build_object("sequence", head.c.last_sequence)
        ),
        include_defaults=False,
    )
    one = select(literal(1).label("n")).subquery("one")
    return (
        select(stored.c.result, appended)
        .select_from(one.outerjoin(stored, true()).outerjoin(appended, true()))
        .add_cte(key.cte("key"))
    )


def changes():
    heads = select(s.revision, literal("session").label("kind")).where(has_owner(S), s.id == P("id"))
    rows = select(m.revision, literal("message").label("kind")).where(has_owner(M), m.session_id == P("id"))
    changes = union_all(heads, rows.order_by(m.revision).limit(first)).subquery("changes")
    return select(changes).order_by(changes.c.revision).limit(first)


GOOD = {
    "page": every(M, m.session_id == P("id"), m.sequence < P("before")).order_by(m.sequence.desc()).limit(first),
    "compared byte by byte": select(M).where(m.owner_id == collate(OWNER, "POSIX")),
    "keyset by tuple": every(
        S, tuple_(s.last_activity_at, s.id) < tuple_(P("at", type_=s.last_activity_at.type), P("id", type_=Id))
    ),
    "list as array": every(M, m.sequence == any_(P("numbers", type_=ARRAY(Integer)))),
    "keys as two arrays": every(M).join(keys, and_(m.session_id == keys.c.id, m.sequence == keys.c.number)),
    "inner join by equality": every(M).add_columns(a.state).join(A, agents_of),
    "left join with the owner in ON": every(M).add_columns(a.state).outerjoin(A, agents_of),
    "full join bound in WHERE": every(M, has_owner(A)).add_columns(a.state).join(A, agents_of, full=True),
    "lateral, correlated": with_each(newest.correlate(S).lateral("newest")),
    "exists, correlated": every(S, exists().where(m.owner_id == s.owner_id, m.session_id == s.id).correlate(S)),
    "exists with an owner of its own": every(
        S, select(1).where(has_owner(M), m.session_id == s.id, has_owner(S)).exists()
    ),
    "scalar subquery": every(S).add_columns(
        select(func.count()).where(has_owner(M), m.session_id == s.id).correlate(S).scalar_subquery()
    ),
    "cte": select(my_sessions.c.id, M).join(
        M, and_(m.owner_id == my_sessions.c.owner_id, m.session_id == my_sessions.c.id)
    ),
    "recursive cte": select(thread),
    "union": union_all(select(s.id).where(has_owner(S)), select(m.session_id).where(has_owner(M))),
    "feed of changes": changes(),
    "self join by alias": every(M)
    .add_columns(M2.c.text)
    .join(M2, and_(M2.c.owner_id == m.owner_id, M2.c.sequence == m.sequence - 1)),
    "lock": every(S, s.id == P("id")).with_for_update(skip_locked=True),
    "search": every(M, m.tsv.op("@@")(func.websearch_to_tsquery("simple", P("words", type_=Text)))),
    "aggregates": select(
        func.string_agg(m.text, aggregate_order_by(literal(""), m.sequence)),
        func.count().filter(m.agent_key.is_(None)),
        func.row_number().over(partition_by=m.agent_key, order_by=m.sequence),
        func.max(case((m.sequence > 1, m.text), else_="")),
    )
    .where(has_owner(M))
    .group_by(m.agent_key, m.sequence),
    "part of a time": every(S).add_columns(extract("epoch", s.last_activity_at)),
    "insert": insert(S).values(owner_id=OWNER, id=P("id"), title=P("title")),
    "insert from a writing cte": insert(M)
    .from_select(
        ["owner_id", "session_id", "sequence", "revision"],
        select(locked.c.owner_id, locked.c.id, first, locked.c.revision),
    )
    .returning(M),
    "append with a key": keyed_append(),
    "upsert": new_agent.on_conflict_do_update(
        index_elements=["owner_id", "session_id", "key"], set_={"state": new_agent.excluded.state}
    ),
    "insert unless it exists": new_agent.on_conflict_do_nothing(),
    "update from": update(S).values(title=P("t")).where(has_owner(S), s.id == m.session_id, m.owner_id == s.owner_id),
    "delete using": delete(M).where(has_owner(M), m.session_id == s.id, has_owner(S)),
}

UNBOUND = {
    "no criteria": select(M),
    "owner compared with another column": select(M).where(m.session_id == OWNER),
    "equal under another collation": select(M).where(m.owner_id == collate(OWNER, "colloquy_case")),
    "inside OR": select(M).where(or_(has_owner(M), m.sequence == 1)),
    "inside OR of the join": every(M).join(A, or_(a.owner_id == m.owner_id, true())),
    "inside NOT": select(M).where(not_(has_owner(M))),
    "inside CASE": select(M).where(case((m.sequence == 1, has_owner(M)), else_=true())),
    "inside a tuple": select(M).where(tuple_(m.owner_id) == tuple_(OWNER)),
    "only in the SELECT list": select(M, has_owner(M)),
    "only in HAVING": select(m.owner_id, func.count()).group_by(m.owner_id).having(has_owner(M)),
    "only in a correlated subquery": select(M).where(
        select(1).where(has_owner(S), s.owner_id == m.owner_id).correlate(M).exists()
    ),
    "only in an aggregate's filter": select(func.count().filter(has_owner(M))).select_from(M),
    "unequal": select(M).where(m.owner_id != OWNER),
    "not distinct": select(M).where(m.owner_id.is_not_distinct_from(OWNER)),
    "a literal": select(M).where(m.owner_id == "bob"),
    "another parameter": select(M).where(m.owner_id == P("user")),
    "a parameter with a value": select(M).where(m.owner_id == P("owner", "bob")),
    "equal to itself": select(M).where(m.owner_id == m.owner_id),
    "only one side of a join": every(M).join(A, a.session_id == m.session_id),
    "left join, ON binds the left side only": select(M).outerjoin(A, and_(has_owner(M), a.owner_id == m.owner_id)),
    "left join, bound on the right side only": select(M).outerjoin(A, and_(a.owner_id == m.owner_id, has_owner(A))),
    "full join bound in ON": every(M).join(A, a.owner_id == m.owner_id, full=True),
    "two tables, one bound": select(M, S).where(has_owner(M)),
    "the alias is open": every(M).add_columns(M2.c.text),
    "only the alias is bound": select(M).join(M2, M2.c.sequence == m.sequence).where(has_owner(M2)),
    "alias of another table": select(M, S.alias("m3").c.id).where(S.alias("m3").c.owner_id == OWNER),
    "subquery": select(open_messages),
    "subquery seen through a column": select(open_messages.c.text),
    "subquery bound from outside": select(open_messages).where(open_messages.c.owner_id == OWNER),
    "subquery in IN": every(S, s.id.in_(select(m.session_id))),
    "exists": every(S, exists().where(m.session_id == s.id)),
    "exists, not correlated": every(
        S, select(1).select_from(M, S).where(m.owner_id == s.owner_id).correlate(None).exists()
    ),
    "exists, correlated inside a join": every(
        S, select(1).select_from(S.join(M, m.owner_id == s.owner_id)).correlate(S).exists()
    ),
    "plain subquery with .correlate()": with_each(newest.correlate(S).subquery("newest")),
    "lateral": with_each(select(M).where(m.session_id == s.id).correlate(S).lateral("newest")),
    "order by a subquery": every(S).order_by(select(m.text).limit(1).scalar_subquery()),
    "cte": select(open_sessions).where(open_sessions.c.owner_id == OWNER),
    "cte that deletes": every(S).add_cte(delete(M).cte("deleted")),
    "recursive cte": (lambda c: select(c.union(select(m.session_id).where(m.session_id == c.c.id))))(
        select(s.id).where(has_owner(S)).cte("tree", recursive=True)
    ),
    "one branch of a UNION": union_all(select(s.id).where(has_owner(S)), select(m.session_id)),
    "owner computed by a UNION": (lambda q: select(M).join(q, q.c.owner_id == m.owner_id))(
        union_all(select(s.owner_id).where(has_owner(S)), select(literal("bob").label("owner_id"))).subquery("q")
    ),
    "update": update(S).values(title="x").where(s.id == P("id")),
    "update of an alias": update(S.alias("other")).values(title="x"),
    "update from": update(S).values(title="x").where(has_owner(S), s.id == m.session_id),
    "update from an open subquery": update(S)
    .values(title=open_messages.c.text)
    .where(has_owner(S), open_messages.c.session_id == s.id),
    "update to a subquery": update(S).values(title=select(m.text).scalar_subquery()).where(has_owner(S)),
    "update to another table's column": update(S).values(title=m.text).where(has_owner(S)),
    "update returning a subquery": every(S)
    .with_only_columns(s.id)
    .add_cte(update(S).where(has_owner(S)).values(title="x").returning(select(m.text).scalar_subquery()).cte("u")),
    "delete using": delete(M).where(has_owner(M), m.session_id == s.id),
    "delete with explicit USING": delete(M).where(has_owner(M)).using(S),
    "insert from select": insert(M).from_select(["owner_id", "session_id"], select(s.owner_id, s.id)),
    "insert from select with .correlate()": insert(M).from_select(
        ["owner_id", "session_id"], select(m.owner_id, s.id).where(has_owner(S)).correlate(M)
    ),
    "insert returning a subquery": insert(S)
    .values(owner_id=OWNER, id=P("id"))
    .returning(select(m.text).scalar_subquery()),
    "upsert to a subquery": new_agent.on_conflict_do_update(
        index_elements=["owner_id", "key"], set_={"state": select(m.text).scalar_subquery()}
    ),
}
OWNER_WRITTEN = {
    "insert without owner": insert(S).values(id=P("id")),
    "insert of a literal owner": insert(S).values(owner_id="bob", id=P("id")),
    "insert of a column": insert(S).values(owner_id=m.owner_id, id=P("id")),
    "insert of nothing": insert(S),
    "insert from select of a literal": insert(M).from_select(
        ["owner_id", "session_id"], select(literal("bob"), s.id).where(has_owner(S))
    ),
    "upsert by constraint": new_agent.on_conflict_do_update(constraint="x", set_={"state": "{}"}),
    "upsert by a key without owner": new_agent.on_conflict_do_update(index_elements=["key"], set_={"state": "{}"}),
    "upsert of the owner": new_agent.on_conflict_do_update(
        index_elements=["owner_id", "key"], set_={"owner_id": "bob"}
    ),
    "update of the owner": update(S).values(owner_id=OWNER).where(has_owner(S)),
    "ordered update of the owner": update(S).ordered_values((s.owner_id, OWNER)).where(has_owner(S)),
}
NOT_UNDERSTOOD = {
    "insert of many": insert(S).values([{"owner_id": OWNER, "id": P("id")}, {"owner_id": OWNER, "id": P("id2")}]),
    "text": text("select * from messages"),
    "text as one criterion": every(M, text("true")),
    "text as the condition": select(M).where(text("owner_id = :owner")),
    "text as the order": every(M).order_by(text("sequence")),
    "text with columns": text("select * from messages").columns(m.owner_id),
    "text in a conflict's target": new_agent.on_conflict_do_nothing(index_elements=[text("owner_id")]),
    "literal column": every(S).add_columns(literal_column("(select text from messages limit 1)")),
    "table without a Table": select(table("messages", column("owner_id"))),
    "unknown function": select(func.query_to_xml("select * from messages", True, True, "")),
    "function of another schema": every(S).add_columns(func.other.left(s.title, 1)),
    "unknown operator": every(S, s.title.op("= (select text from messages limit 1) ||")(P("x"))),
    "list in the text": every(M, m.sequence.in_([1, 2])),
    "literal in the text": every(M, m.text == P("x", literal_execute=True)),
    "parameter with a source of its own": every(M, m.text == P("x", callable_=lambda: "bob", type_=Text)),
    "prefix": every(M).prefix_with("distinct on (x)"),
    "prefix of a delete": delete(M).where(has_owner(M)).prefix_with("x"),
    "prefix of a cte": select(every(S).cte("c").prefix_with("materialized")),
    "hint": every(M).with_statement_hint("x"),
    "tablesample": select(tablesample(M, 1)),
    "extract": every(S).add_columns(extract("year from now()) --", s.last_activity_at)),
}
BAD = {
    "is not bound": UNBOUND,
    "owner_id must be :owner|must name owner_id|never changes its owner": OWNER_WRITTEN,
    "cannot be checked|not on the list|no fixed text": NOT_UNDERSTOOD,
}
