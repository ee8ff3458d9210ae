"""What the choke point lets through and what it refuses, shape by shape."""

import pytest
from sqlalchemy import Select, delete, func, select, text

from app.db.access import ownership
from app.db.access.database import DIALECT, REGISTERED, across_owners, statement
from app.db.access.ownership import NotOwned
from tests.db.statement_shapes import BAD, GOOD, M, S, m

REFUSED = [(shape, why) for why, shapes in BAD.items() for shape in shapes]


@pytest.mark.parametrize("shape", GOOD)
def test_a_bound_statement_passes(shape):
    ownership.check(GOOD[shape])
    assert "owner" in GOOD[shape].compile(dialect=DIALECT).positiontup


@pytest.mark.parametrize(("shape", "why"), REFUSED, ids=[shape for shape, _ in REFUSED])
def test_an_open_statement_is_refused(shape, why):
    with pytest.raises(NotOwned, match=why):
        ownership.check(BAD[why][shape])


def test_a_statement_is_refused_where_it_is_built():
    with pytest.raises(NotOwned, match="owner_id is not bound for messages"):
        statement(select(M))


def test_across_owners_there_is_only_reading():
    ownership.check_read(select(S.c.owner_id, S.c.id).limit(10))
    ownership.check_read(select(func.count()).select_from(M))
    for element in (
        delete(M),
        select(M).with_for_update(),
        select(delete(M).returning(m.sequence).cte("gone")),
        select(S).add_cte(delete(M).cte("gone")),
        select(select(S).with_for_update().subquery()),
    ):
        with pytest.raises(NotOwned, match="only reading"):
            ownership.check_read(element)
    with pytest.raises(NotOwned, match="TextClause"):
        across_owners(text("delete from messages"))


def test_what_writes_is_known():
    assert not ownership.writes(GOOD["page"])
    assert not ownership.writes(GOOD["lock"])
    assert ownership.writes(GOOD["insert"])
    assert ownership.writes(GOOD["append with a key"])


def test_the_tables_of_a_select_are_those_that_sqlalchemy_renders():
    """The check asks a part of SQLAlchemy that is not public: an upgrade that changes it shows here."""
    elements = [*GOOD.values(), *(known.element for known in REGISTERED)]
    selects = [node for element in elements for node in ownership._nodes(element) if isinstance(node, Select)]
    assert len(selects) > 100
    for node in selects:
        for ours, theirs in zip(ownership._froms(node), node.get_final_froms(), strict=True):
            assert ours.compare(theirs)
