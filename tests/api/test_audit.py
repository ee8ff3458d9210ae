"""Audit events: which changes have one, who reads them, and that the database refuses to change them."""

import asyncpg
import pytest

from app.db import audit, session
from app.db.access.transaction import Origin
from harness.postgres import dsn
from tests.support.databases import open_database
from tests.support.users import Refusal

AUDIT = """
query ($filter: AuditEventFilter, $last: Int, $before: String) {
  auditEvents(filter: $filter, last: $last, before: $before) {
    totalCount
    edges { cursor }
    pageInfo { hasPreviousPage startCursor }
    nodes { id eventType actor role traceId at subjectId metadata
      subject { __typename id ... on Session { title } ... on Message { text } } }
  }
}
"""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def audits(user, **filter):
    return (await user.asks(AUDIT, filter=filter))["auditEvents"]["nodes"]


@pytest.fixture
async def connection(database_url):
    connection = await asyncpg.connect(dsn(database_url))
    yield connection
    await connection.close()


@pytest.fixture
async def db(database_url):
    db = open_database(database_url, pool_size=1)
    yield db
    await db.close()


async def test_every_mutation_records_its_one_event_or_none(ann):
    left = Acts(ann)
    task = await left("createTask", "task.created", {}, "task", type="review")
    session = await left("createSession", "session.created", {}, "session", title="Plan", taskId=task)
    await left(
        "updateSession", "session.updated", {"fields": ["metadata", "title"]}, id=session, title="B", metadata={}
    )
    moved = {"fromStatus": "PENDING", "toStatus": "ACTIVE"}
    await left("setSessionStatus", "session.status_changed", moved, id=session, status="ACTIVE")
    await left("archiveSession", "session.archived", {}, id=session)
    await left("archiveSession", None, id=session)
    await left("restoreSession", "session.restored", {}, id=session)
    said = {"role": "USER", "text": "hello"}
    asked = {"role": "ASSISTANT", "raw": '{"toolUse": {"toolUseId": "call", "name": "shell", "input": {}}}'}
    message = await left("appendMessage", None, None, "message", sessionId=session, message=said)
    await left("appendMessages", None, sessionId=session, messages=[said, asked])
    await left("updateMessage", None, id=message, text="hullo")
    for ending in ("finishMessage", "cancelMessage"):
        written, fence = await left("startMessage", None, None, "message", "fence", sessionId=session)
        await left("extendMessage", None, id=written, fence=fence, offset=0, text="so far")
        await left(ending, None, id=written, **({"fence": fence} if ending == "finishMessage" else {}))
    await left("putSessionAgent", None, sessionId=session, key="guide")
    await left("markSessionRead", None, id=session, upToSequence=1)
    call = {"messageId": message.removesuffix("1") + "3", "toolUseId": "call"}
    approval = await left("requestApproval", "approval.requested", {}, "approval", **call)
    await left("decideApproval", "approval.decided", {"status": "REJECTED"}, id=approval, decision="REJECT")
    await left("setTaskStatus", "task.status_changed", moved, id=task, status="ACTIVE")
    await left("redactMessage", "message.redacted", {}, id=message, text="gone")
    await left("deleteMessage", "message.deleted", {}, id=message)
    agent = await left("createAgent", "agent.created", {}, "agent", name="Ada", type="guide")
    await left("updateAgent", "agent.updated", {"fields": ["name"]}, id=agent, name="Grace")
    await left("setAgentStatus", "agent.status_changed", {"toStatus": "BUSY"}, id=agent, status="BUSY")
    await left("deleteAgent", "agent.deleted", {}, id=agent)
    note = {"namespace": ["notes"], "key": "k"}
    await left("putRecords", None, records=[{**note, "value": 1}])
    await left("deleteRecords", None, keys=[note])
    await left("deleteSession", "session.deleted", {"mode": "SOFT"}, id=session)
    await left("deleteSession", "session.deleted", {"mode": "HARD"}, id=session, mode="HARD")
    there = await ann.asks("{ __schema { mutationType { fields { name } } } }")
    assert left.done == {field["name"] for field in there["__schema"]["mutationType"]["fields"]}


async def test_event_of_a_deleted_message_has_no_subject(ann):
    session = await ann.creates_session("Plan")
    message = (await ann.does("appendMessage", "message { id }", **said(session, "secret")))["message"]["id"]
    await ann.does("deleteMessage", id=message)
    [event] = await audits(ann, subjectId=message)
    assert (event["eventType"], event["subjectId"], event["subject"]) == ("message.deleted", message, None)


async def test_event_returns_its_existing_subject(ann):
    session = await ann.creates_session("Plan")
    [event] = await audits(ann, subjectId=session)
    assert event["subject"] == {"__typename": "Session", "id": session, "title": "Plan"}
    node = await ann.asks("query ($id: ID!) { node(id: $id) { id ... on AuditEvent { eventType } } }", id=event["id"])
    assert node["node"] == {"id": event["id"], "eventType": "session.created"}


async def test_mutation_without_effect_records_no_event(ann):
    session = await ann.creates_session("Plan", key="k")
    await ann.does("archiveSession", id=session)
    for mutation, fields in (
        ("archiveSession", {"id": session}),
        ("createSession", {"key": "k"}),
        ("updateSession", {"id": session, "title": "x", "expectedRevision": 99}),
        ("deleteSession", {"id": session, "dryRun": True}),
        ("deleteMessage", {"id": session.replace("ses", "msg") + "_1"}),
    ):
        await ann.does(mutation, **fields)
    assert [event["eventType"] for event in await audits(ann)] == ["session.created", "session.archived"]


async def test_event_is_recorded_in_the_transaction_of_the_change(ann, connection):
    changed = await ann.creates_session("Plan")
    await ann.does("updateSession", id=changed, title="Plan B")
    [row] = await connection.fetch(
        """select s.xmin = e.xmin as together from sessions s join audit_events e
           on (e.owner_id, e.subject_id) = (s.owner_id, s.id)
           where s.owner_id = $1 and e.event_type = 'session.updated'""",
        ann.name,
    )
    assert row["together"]


async def test_rollback_removes_the_event(ann, db):
    name = (await ann.creates_session("Plan")).removeprefix("ses_")
    viewer = Viewer(ann.name)

    async def fails():
        async with db.begin(viewer, Origin("somebody")) as tx:
            await audit.record(tx, "session.archived", await tx.one(session.ARCHIVE, session_id=name))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with db.begin(viewer) as tx:
        await audit.record_system(tx, "session.evicted", await tx.one(session.ARCHIVE, session_id=name))
    assert [(event["eventType"], event["actor"], event["role"]) for event in await audits(ann)] == [
        ("session.created", ann.name, None),
        ("session.evicted", "system", None),
    ]


async def test_actor_role_and_trace_id_come_from_the_request(user):
    ann = user("ann", roles=["lead", "clerk"])
    query = 'mutation { createSession(input: {title: "Plan"}) { errors { code } } }'
    await ann.responds(query, {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    [event] = await audits(ann)
    assert (event["actor"], event["role"], event["traceId"]) == (ann.name, "lead", TRACE)


async def test_stranger_reads_no_events(ann, bob):
    session = await ann.creates_session("Plan")
    [event] = await audits(ann)
    assert await audits(bob) == await audits(bob, subjectId=session) == []
    assert (await bob.asks("query ($id: ID!) { node(id: $id) { id } }", id=event["id"]))["node"] is None


async def test_filters_combine_and_unknown_ids_match_nothing(user):
    ann = user("ann", roles=["lead"])
    first = await ann.creates_session("one")
    await ann.creates_session("two")
    await ann.does("archiveSession", id=first)
    created, second, archived = await audits(ann)
    assert await audits(ann, eventType="session.archived") == [archived]
    assert await audits(ann, role="lead", subjectId=first) == [created, archived]
    assert await audits(ann, since=second["at"]) == [second, archived]
    assert await audits(ann, until=second["at"]) == [created]
    for nothing in ({"role": "clerk"}, {"traceId": TRACE}, {"subjectId": "nonsense"}, {"subjectId": created["id"]}):
        assert await audits(ann, **nothing) == []


async def test_last_reads_the_newest_events(ann):
    for _ in range(5):
        await ann.creates_session()
    whole = await audits(ann)
    newest = (await ann.asks(AUDIT, last=2))["auditEvents"]
    assert (newest["nodes"], newest["totalCount"]) == (whole[3:], 5)
    older = (await ann.asks(AUDIT, last=3, before=newest["pageInfo"]["startCursor"]))["auditEvents"]
    assert (older["nodes"], older["pageInfo"]["hasPreviousPage"]) == (whole[:3], False)
    with pytest.raises(Refusal, match="BAD_USER_INPUT"):
        await ann.asks(AUDIT, last=2, before="nonsense")


@pytest.mark.parametrize(
    "change",
    [
        "update audit_events set actor = 'nobody'",
        "delete from audit_events",
        pytest.param(
            "delete from audit_events where false",
            marks=pytest.mark.plain_postgresql(
                "a statement that can find no row is sent to no node, so no trigger runs"
            ),
        ),
        "truncate audit_events",
        "insert into audit_events select * from audit_events on conflict (owner_id, id) do update set role = null",
    ],
)
async def test_database_refuses_to_change_events(ann, connection, change):
    await ann.creates_session("Plan")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"audit_events(_\d+)? is append-only"):
        await connection.execute(change)
    assert len(await audits(ann)) == 1


class Acts:
    """Runs mutations, and checks the one event that each must record, or none."""

    def __init__(self, user):
        self.user, self.count, self.done = user, 0, set()

    async def __call__(self, mutation, event, metadata=None, made="", also="", /, **fields):
        """The id of what was made, and what `also` is asked of the payload."""
        payload = await self.user.does(mutation, f"{made} {{ id }} {also}" if made else "", **fields)
        assert payload["errors"] == []
        found = [(new["eventType"], new["metadata"]) for new in (await audits(self.user))[self.count :]]
        assert found == ([(event, metadata)] if event else []), mutation
        self.count += len(found)
        self.done.add(mutation)
        id = payload[made]["id"] if made else None
        return (id, payload[also]) if also else id


def said(session, text):
    return {"sessionId": session, "message": {"role": "USER", "text": text}}


class Viewer:
    """A viewer without a token."""

    def __init__(self, subject):
        self.subject = subject
