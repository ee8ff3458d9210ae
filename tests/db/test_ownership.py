"""What the ownership check permits and what it refuses, shape by shape."""

import pytest
from sqlalchemy import Select, delete, exists, func, select, union_all

from app.db.access import elements, ownership
from app.db.access.elements import NotOwned
from app.db.access.statement import DIALECT, REGISTERED
from tests.db.statement_shapes import BAD, GOOD, A, M, S, every, has_owner, m, s

REFUSED = [(shape, why) for why, shapes in BAD.items() for shape in shapes]


@pytest.mark.parametrize("shape", GOOD)
def test_a_bound_statement_is_permitted(shape):
    ownership.check(GOOD[shape])
    assert "owner" in GOOD[shape].compile(dialect=DIALECT).positiontup


@pytest.mark.parametrize(("shape", "why"), REFUSED, ids=[shape for shape, _ in REFUSED])
def test_an_unbound_statement_is_refused(shape, why):
    with pytest.raises(NotOwned, match=why):
        ownership.check(BAD[why][shape])


@pytest.mark.parametrize("last", [False, True])
def test_a_part_in_two_places_is_checked_in_both(last):
    part = exists().where(m.owner_id == s.owner_id, m.session_id == s.id).correlate(S)
    bound, unbound = every(S, part), select(A.c.key).where(has_owner(A), part)
    ownership.check(bound)
    with pytest.raises(NotOwned, match="not bound for"):
        ownership.check(union_all(*((bound, unbound) if last else (unbound, bound))))


def test_a_statement_whose_parts_are_reached_on_very_many_paths_is_checked():
    """Each level is reached through both columns of the next: 2 ** 60 paths lead to the first."""
    nested = select(s.id, s.title).where(has_owner(S)).subquery()
    for _ in range(60):
        nested = select(nested.c.id, nested.c.title).subquery()
    ownership.check(select(nested.c.id, nested.c.title))


def test_a_statement_across_owners_may_only_read():
    ownership.check_read(select(S.c.owner_id, S.c.id).limit(10))
    ownership.check_read(select(func.count()).select_from(M))
    for element in (
        delete(M),
        select(M).with_for_update(),
        select(delete(M).returning(m.sequence).cte("deleted")),
        select(S).add_cte(delete(M).cte("deleted")),
        select(select(S).with_for_update().subquery()),
    ):
        with pytest.raises(NotOwned, match="may only read"):
            ownership.check_read(element)


def test_the_tables_of_a_select_are_those_that_sqlalchemy_renders():
    """The check asks a part of SQLAlchemy that is not public: an upgrade that changes it shows here."""
    checked = [*GOOD.values(), *(known.element for known in REGISTERED.values())]
    selects = [node for element in checked for node in elements._nodes(element) if isinstance(node, Select)]
    assert len(selects) > 100
    for node in selects:
        for ours, theirs in zip(elements.froms(node), node.get_final_froms(), strict=True):
            assert ours.compare(theirs)


def test_a_write_is_recognised():
    assert not elements.writes(GOOD["page"])
    assert not elements.writes(GOOD["lock"])
    assert elements.writes(GOOD["insert"])
    assert elements.writes(GOOD["append with a key"])
