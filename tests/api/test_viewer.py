"""Figures of the viewer and of agents: exact, and of the owner only."""

STATS = """{ viewer { unreadSessionCount stats {
  sessionCount activeSessionCount archivedSessionCount messageCount agentCount
  sessionsByAgentType { agentType count activeCount } lastActivityAt } } }"""
METRICS = """{ agents { nodes { name metrics {
  sessionCount activeSessionCount messageCount failedSessionCount meanResponseSeconds lastActiveAt } } } }"""
NOTHING = {
    "sessionCount": 0,
    "activeSessionCount": 0,
    "archivedSessionCount": 0,
    "messageCount": 0,
    "agentCount": 0,
    "sessionsByAgentType": [],
    "lastActivityAt": None,
}


async def test_viewer_reads_its_own_figures(ann, bob):
    assert (await bob.asks(STATS))["viewer"] == {"unreadSessionCount": 0, "stats": NOTHING}
    first = await ann.creates_session(agentType="helper")
    second = await ann.creates_session(agentType="helper")
    third, fourth = await ann.creates_session(), await ann.creates_session()
    await ann.appends(first, "a question")
    await ann.appends(first, "an answer", role="ASSISTANT")
    await ann.appends(third, "hello")
    await ann.does("archiveSession", id=second)
    await ann.does("deleteSession", id=fourth)
    await ann.does("createAgent", name="A", type="t")
    found = (await ann.asks(STATS))["viewer"]
    last = (await ann.sees(third, "lastActivityAt"))["lastActivityAt"]
    assert found == {
        "unreadSessionCount": 1,
        "stats": {
            "sessionCount": 3,
            "activeSessionCount": 2,
            "archivedSessionCount": 1,
            "messageCount": 3,
            "agentCount": 1,
            "sessionsByAgentType": [{"agentType": "helper", "count": 2, "activeCount": 1}],
            "lastActivityAt": last,
        },
    }
    assert (await bob.asks(STATS))["viewer"]["stats"] == NOTHING


async def test_mean_response_time_counts_first_answers(ann, server):
    agent = (await ann.does("createAgent", "agent { id }", name="Busy", type="t"))["agent"]["id"]
    await ann.does("createAgent", name="Idle", type="t")
    for status in ("COMPLETED", "FAILED"):
        session = await ann.creates_session()
        await ann.does("putSessionAgent", sessionId=session, key="bot", agentId=agent)
        await ann.appends(session, "a question")
        await ann.appends(session, "an answer", role="ASSISTANT", agentKey="bot")
        await ann.appends(session, "and more", role="ASSISTANT", agentKey="bot")
        await ann.appends(session, "not mine", role="ASSISTANT", agentKey="somebody else")
        await ann.does("setSessionStatus", id=session, status=status)
    busy, idle = (await ann.asks(METRICS))["agents"]["nodes"]
    mean, last = busy["metrics"].pop("meanResponseSeconds"), busy["metrics"].pop("lastActiveAt")
    assert busy["metrics"] == {
        "sessionCount": 2,
        "activeSessionCount": 0,
        "messageCount": 4,
        "failedSessionCount": 1,
    }
    assert mean > 0
    assert last is not None
    assert idle["metrics"]["meanResponseSeconds"] is None
    assert idle["metrics"]["sessionCount"] == 0
