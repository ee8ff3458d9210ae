"""Statuses of sessions, and the cap on active sessions."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import error, outcome

NEXT = {"PENDING": {"ACTIVE"}, "ACTIVE": {"COMPLETED", "FAILED"}}
STATUSES = ["PENDING", "ACTIVE", "COMPLETED", "FAILED", "EXPIRED"]


async def sets_status(user, session, status):
    """The new status of the session, or the error."""
    payload = await user.does(
        "setSessionStatus",
        "session { status }",
        id=session,
        status=status,
    )
    return payload["session"]["status"] if payload["session"] else outcome(payload)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statuses=st.lists(st.sampled_from(STATUSES), max_size=6))
async def test_statuses_follow_the_model(ann, statuses):
    session, status = await ann.creates_session(), "PENDING"
    for next_status in statuses:
        answer = await sets_status(ann, session, next_status)
        if next_status in NEXT.get(status, ()):
            status = next_status
            assert answer == status
        else:
            assert answer == error("ILLEGAL_TRANSITION", field="status")
    assert (await ann.sees(session, "status"))["status"] == status


async def test_completed_session_accepts_no_messages(ann, bob):
    session = await ann.creates_session()
    await ann.appends(session, "hello")
    assert await sets_status(bob, session, "COMPLETED") == error("NOT_FOUND", field="id")
    assert await sets_status(ann, session, "COMPLETED") == "COMPLETED"
    assert await ann.appends(session, "more") == error("ILLEGAL_TRANSITION", field="sessionId")


async def creates(user, agent_type="helper"):
    selection = "session { id } evicted { id archivedAt }"
    payload = await user.does("createSession", selection, agentType=agent_type)
    return payload["session"]["id"], [session["id"] for session in payload["evicted"]]


async def test_session_above_the_cap_archives_the_least_recently_active(ann):
    first, *others = [(await creates(ann))[0] for _ in range(5)]
    await ann.appends(first, "still here")
    sixth, evicted = await creates(ann)
    assert evicted == [others[0]]
    assert (await ann.sees(others[0], "archivedAt"))["archivedAt"] is not None
    assert (await creates(ann, "another type"))[1] == []
    assert await ann.appends(others[0], "back again") == {"sequence": 1, "text": "back again"}
    assert (await ann.sees(others[1], "archivedAt"))["archivedAt"] is not None
    restored = await ann.does("restoreSession", id=others[1])
    assert outcome(restored) == error("LIMIT", field="id")
    assert (await ann.sees(sixth, "archivedAt"))["archivedAt"] is None


async def test_cap_holds_under_concurrent_creation(ann):
    await asyncio.gather(*(creates(ann) for _ in range(32)))
    page = await ann.asks('{ sessions(filter: {agentType: "helper", status: [PENDING, ACTIVE]}) { totalCount } }')
    assert page["sessions"]["totalCount"] == 5


async def test_agent_type_must_be_one_of_the_setting(fresh_database):
    async with serving(settings_for(await fresh_database(), agent_types=("helper", "planner"))) as server:
        ann = server.user("ann")
        assert await ann.creates_session(agentType="planner")
        assert await ann.creates_session()
        refused = await ann.does("createSession", agentType="stranger")
        assert outcome(refused) == error("VALIDATION", field="agentType")
