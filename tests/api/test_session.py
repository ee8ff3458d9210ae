"""Sessions: creation, update, status, archive, deletion and lists, for their owner only."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.ids import row_of
from tests.support.users import error, outcome

OWN = "key title status role agentType metadata expiresAt clientCreatedAt"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def revision(user, session):
    return (await user.sees(session, "revision"))["revision"]


async def listed(user, **filter):
    page = (await user.asks("query ($f: SessionFilter) { sessions(filter: $f) { nodes { id } } }", f=filter))[
        "sessions"
    ]
    return [node["id"] for node in page["nodes"]]


async def test_session_is_stored_as_sent(ann, bob):
    given = {
        "key": "trip",
        "title": "To Rome",
        "status": "ACTIVE",
        "role": "traveller",
        "agentType": "guide",
        "metadata": {"z": 1, "a": [None, 1.5]},
        "expiresAt": TOMORROW,
        "clientCreatedAt": "2026-01-31T12:00:00.000001Z",
    }
    session = await ann.creates_session(**given)
    assert await ann.sees(session, OWN) == given
    assert await bob.sees(session, OWN) is None
    counts = await ann.sees(session, "messageCount unreadCount lastReadSequence lastMessage { id } revision archivedAt")
    assert list(counts.values()) == [0, 0, 0, None, 1, None]


async def test_session_without_fields_gets_defaults(ann):
    session = await ann.creates_session(key=None, title=None, status=None, metadata=None)
    assert await ann.sees(session, OWN) == {
        "key": None,
        "title": "",
        "status": "PENDING",
        "role": None,
        "agentType": None,
        "metadata": {},
        "expiresAt": None,
        "clientCreatedAt": None,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "t" * 256),
        ("title", "a\0b"),
        ("title", "half \ud800"),
        ("key", ""),
        ("key", "k" * 256),
        ("role", "a\0b"),
        ("agentType", ""),
        ("status", "COMPLETED"),
        ("expiresAt", "2020-01-01T00:00:00Z"),
    ],
)
async def test_invalid_session_names_the_field(ann, field, value):
    payload = await ann.does("createSession", "session { id } cursor", **{field: value})
    assert payload["errors"][0]["__typename"] == "ValidationError"
    assert (payload["session"], payload["cursor"], outcome(payload)) == (None, None, error("VALIDATION", field=field))
    assert await listed(ann) == []


async def test_key_is_unique_per_owner(ann, bob):
    await ann.creates_session(key="only")
    assert outcome(await ann.does("createSession", key="only")) == error("CONFLICT", field="key")
    assert await bob.creates_session(key="only")


async def test_session_needs_exactly_one_of_id_and_key(ann, bob):
    session = await ann.creates_session(key="mine")
    by_key = '{ session(key: "mine") { id } }'
    assert (await ann.asks(by_key))["session"] == {"id": session}
    assert (await bob.asks(by_key))["session"] is None
    for arguments in ("", f'(id: "{session}", key: "mine")', "(id: null, key: null)"):
        response = await ann.responds(f"{{ session{arguments} {{ id }} }}")
        assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert response["data"] == {"session": None}


async def test_update_changes_only_the_fields_that_were_sent(ann):
    session = await ann.creates_session("Old", metadata={"a": 1}, expiresAt=TOMORROW)
    await ann.does("updateSession", id=session, title="New")
    assert await ann.sees(session, "title metadata expiresAt") == {
        "title": "New",
        "metadata": {"a": 1},
        "expiresAt": TOMORROW,
    }
    await ann.does("updateSession", id=session, expiresAt=None)
    assert await ann.sees(session, "title expiresAt") == {"title": "New", "expiresAt": None}
    await ann.does("updateSession", id=session, metadata={"b": [2]})
    assert await ann.sees(session, "title metadata") == {"title": "New", "metadata": {"b": [2]}}


@pytest.mark.parametrize("field", ["title", "metadata"])
async def test_null_is_refused_for_required_fields(ann, field):
    session = await ann.creates_session("Kept", metadata={"kept": True})
    payload = await ann.does("updateSession", "session { id }", id=session, **{field: None})
    assert outcome(payload) == error("VALIDATION", field=field)
    assert await ann.sees(session, "title metadata") == {"title": "Kept", "metadata": {"kept": True}}


async def test_update_with_a_stale_revision_returns_the_current_one(ann, bob):
    session = await ann.creates_session("One")
    seen = await revision(ann, session)
    await ann.does("updateSession", id=session, title="Two", expectedRevision=seen)
    for mutation, fields in (("updateSession", {"title": "Three"}), ("setSessionStatus", {"status": "ACTIVE"})):
        late = await ann.does(mutation, "session { id }", id=session, expectedRevision=seen, **fields)
        assert outcome(late) == error("CONFLICT", field="expectedRevision")
        assert late["errors"][0]["currentRevision"] == await revision(ann, session)
    assert outcome(await bob.does("updateSession", id=session, title="Bob's", expectedRevision=seen)) == error(
        "NOT_FOUND", field="id"
    )
    assert await ann.sees(session, "title status") == {"title": "Two", "status": "PENDING"}


async def test_append_does_not_change_the_revision_of_the_session(ann):
    session = await ann.creates_session("Named", status="ACTIVE")
    before = await ann.sees(session, "revision updatedAt")
    await ann.appends(session, "hello")
    assert await ann.sees(session, "revision updatedAt") == before


async def test_status_and_metadata_change_together(ann):
    session = await ann.creates_session(status="ACTIVE")
    payload = await ann.does(
        "setSessionStatus", "session { status metadata }", id=session, status="COMPLETED", metadata={"mark": 1}
    )
    assert payload["session"] == {"status": "COMPLETED", "metadata": {"mark": 1}}
    refused = await ann.does(
        "setSessionStatus", "session { status }", id=await ann.creates_session(), status="ACTIVE", metadata=None
    )
    assert outcome(refused) == error("VALIDATION", field="metadata")


async def test_illegal_transition_names_both_statuses(ann):
    session = await ann.creates_session()
    asked = """mutation ($id: ID!) { setSessionStatus(input: {id: $id, status: COMPLETED}) {
        session { id } errors { ... on IllegalTransitionError { code fromStatus toStatus } } } }"""
    assert (await ann.asks(asked, id=session))["setSessionStatus"] == {
        "session": None,
        "errors": [{"code": "ILLEGAL_TRANSITION", "fromStatus": "PENDING", "toStatus": "COMPLETED"}],
    }


async def test_archived_session_is_listed_only_as_archived_until_restored(ann, bob):
    session = await ann.creates_session()
    assert outcome(await bob.does("archiveSession", id=session)) == error("NOT_FOUND", field="id")
    first = await ann.does("archiveSession", "session { archivedAt revision }", id=session)
    again = await ann.does("archiveSession", "session { archivedAt revision }", id=session)
    assert first == again
    assert first["session"]["archivedAt"] is not None
    assert (await listed(ann), await listed(ann, archived=True)) == ([], [session])
    assert outcome(await bob.does("restoreSession", id=session)) == error("NOT_FOUND", field="id")
    restored = await ann.does("restoreSession", "session { archivedAt }", id=session)
    assert restored == {"session": {"archivedAt": None}, "errors": []}
    assert (await listed(ann), await listed(ann, archived=True)) == ([session], [])


@pytest.mark.parametrize("away", ["archived", "expired"])
async def test_message_reopens_an_archived_or_idle_session(ann, expires, away):
    session = await ann.creates_session("Away", status="ACTIVE")
    if away == "archived":
        await ann.does("archiveSession", id=session)
    else:
        await expires(session)
        assert (await ann.sees(session, "status"))["status"] == "EXPIRED"
    assert await ann.appends(session, "back") == {"sequence": 1, "text": "back"}
    assert await ann.sees(session, "status archivedAt") == {"status": "ACTIVE", "archivedAt": None}


async def test_session_past_its_expiry_accepts_no_messages(ann, expires):
    session = await ann.creates_session(status="ACTIVE", expiresAt=TOMORROW)
    assert await ann.appends(session, "in time") == {"sequence": 1, "text": "in time"}
    await expires(session, past_its_end=True)
    late = error("ILLEGAL_TRANSITION", field="sessionId")
    assert await ann.appends(session, "late") == late
    many = await ann.does("appendMessages", sessionId=session, messages=[{"role": "USER", "text": "late"}])
    assert outcome(many) == late
    ended = await ann.does("setSessionStatus", "session { id }", id=session, status="COMPLETED")
    assert outcome(ended) == error("ILLEGAL_TRANSITION", field="status")
    assert (await ann.sees(session, "messageCount"))["messageCount"] == 1


async def test_archived_session_past_its_expiry_stays_archived(ann, expires):
    session = await ann.creates_session(status="ACTIVE", expiresAt=TOMORROW)
    await ann.does("archiveSession", id=session)
    await expires(session, past_its_end=True)
    assert await ann.appends(session, "late") == error("ILLEGAL_TRANSITION", field="sessionId")
    assert (await ann.sees(session, "archivedAt"))["archivedAt"] is not None


async def test_soft_deleted_session_can_only_be_read_and_restored(ann, bob):
    session = await ann.creates_session("Bin", key="bin")
    await ann.appends(session, "hello")
    assert outcome(await bob.does("deleteSession", id=session)) == error("NOT_FOUND", field="id")
    deleted = await ann.does("deleteSession", "deletedId deletedMessageCount", id=session)
    assert deleted == {"deletedId": session, "deletedMessageCount": 1, "errors": []}
    assert (await listed(ann), await listed(ann, deleted=True)) == ([], [session])
    assert await listed(bob, deleted=True) == []
    assert (await ann.sees(session, "title messages { nodes { text } }"))["messages"] == {"nodes": [{"text": "hello"}]}
    assert (await ann.asks('{ session(key: "bin") { id } }'))["session"] == {"id": session}
    await refuses_writes(ann, session)
    restored = await ann.does("restoreSession", "session { deletedAt messageCount }", id=session)
    assert restored == {"session": {"deletedAt": None, "messageCount": 1}, "errors": []}
    assert await ann.appends(session, "again") == {"sequence": 2, "text": "again"}


async def refuses_writes(user, session):
    for mutation, given in {
        "updateSession": {"id": session, "title": "New"},
        "setSessionStatus": {"id": session, "status": "COMPLETED"},
        "archiveSession": {"id": session},
        "markSessionRead": {"id": session, "upToSequence": 1},
        "appendMessage": {"sessionId": session, "message": {"role": "USER", "text": "no"}},
        "appendMessages": {"sessionId": session, "messages": [{"role": "USER", "text": "no"}]},
        "updateMessage": {"id": f"msg_{row_of(session)}_1", "text": "no"},
        "deleteMessage": {"id": f"msg_{row_of(session)}_1"},
        "putSessionAgent": {"sessionId": session, "key": "no"},
    }.items():
        assert outcome(await user.does(mutation, **given))["code"] == "NOT_FOUND", mutation


async def test_second_soft_deletion_changes_nothing(ann):
    session = await ann.creates_session()
    first = await ann.does("deleteSession", "deletedId cursor", id=session)
    assert await ann.does("deleteSession", "deletedId cursor", id=session) == first


async def test_erased_session_leaves_a_tombstone_and_frees_its_key(ann, bob, sql):
    session = await ann.creates_session("Secret", key="free", role="r", agentType="t", metadata={"secret": 1})
    await ann.appends(session, "secret", agentKey="guide")
    assert outcome(await bob.does("deleteSession", id=session, mode="HARD")) == error("NOT_FOUND", field="id")
    erased = await ann.does("deleteSession", "deletedId deletedMessageCount", id=session, mode="HARD")
    assert erased == {"deletedId": session, "deletedMessageCount": 1, "errors": []}
    assert await ann.sees(session, "id") is None
    assert (await ann.asks("query ($id: ID!) { node(id: $id) { id } }", id=f"msg_{row_of(session)}_1"))["node"] is None
    for mutation in ("restoreSession", "deleteSession"):
        assert outcome(await ann.does(mutation, id=session)) == error("NOT_FOUND", field="id")
    [tombstone] = await sql("select * from sessions where id = $1", row_of(session))
    kept = {"owner_id", "id", "status", "head", "revision", "created_at", "updated_at", "last_activity_at"}
    empty = {name: value for name, value in dict(tombstone).items() if name not in kept}
    assert {name for name, value in empty.items() if value not in (None, "", "{}", 0)} == {
        "deleted_at",
        "erased_at",
        "changed_xid",
    }
    for table in ("messages", "session_agents"):
        assert await sql(f"select 1 from {table} where session_id = $1", row_of(session)) == []
    assert await ann.creates_session(key="free") != session


async def test_dry_run_counts_and_deletes_nothing(ann, bob):
    session = await ann.creates_session()
    await ann.appends(session, "one")
    await ann.appends(session, "two")
    for mode in ("SOFT", "HARD"):
        dry = await ann.does(
            "deleteSession", "deletedId deletedMessageCount cursor", id=session, mode=mode, dryRun=True
        )
        assert dry == {"deletedId": None, "deletedMessageCount": 2, "cursor": None, "errors": []}
    assert outcome(await bob.does("deleteSession", id=session, dryRun=True)) == error("NOT_FOUND", field="id")
    assert await ann.sees(session, "messageCount deletedAt") == {"messageCount": 2, "deletedAt": None}


async def test_read_position_moves_forward_up_to_the_newest_message(ann, bob):
    session = await ann.creates_session("Read", status="ACTIVE")
    for role in ("USER", "ASSISTANT", "SYSTEM", "USER", "TOOL"):
        await ann.appends(session, "said", role=role)
    assert (await ann.sees(session, "unreadCount"))["unreadCount"] == 3

    async def reads(up_to):
        payload = await ann.does(
            "markSessionRead", "session { lastReadSequence unreadCount revision }", id=session, upToSequence=up_to
        )
        return tuple(payload["session"].values())

    assert (await reads(2))[:2] == (2, 2)
    further = await reads(3)
    assert further[:2] == (3, 1)
    assert await reads(1) == further
    assert (await reads(2**31 - 1))[:2] == (5, 0)
    await ann.appends(session, "more", role="ASSISTANT")
    await ann.appends(session, "mine")
    assert await ann.sees(session, "unreadCount lastReadSequence") == {"unreadCount": 1, "lastReadSequence": 5}
    below = await ann.does("markSessionRead", id=session, upToSequence=-1)
    assert outcome(below) == error("VALIDATION", field="upToSequence")
    assert outcome(await bob.does("markSessionRead", id=session, upToSequence=1)) == error("NOT_FOUND", field="id")


@pytest.mark.parametrize("steps", [[2, 3, 9], [7], [8, 11], [4, 5, 6, 12, 50], [1, 10]])
async def test_read_up_to_any_sequence_the_later_messages_of_others_are_unread(ann, steps):
    session = await ann.creates_session()
    drafts = [{"role": role, "text": "x"} for role in ("USER", "ASSISTANT", "TOOL") * 4]
    assert (await ann.does("appendMessages", sessionId=session, messages=drafts))["errors"] == []
    page = await ann.sees(session, "messages { totalCount nodes { id sequence role } }")
    unread = {node["sequence"]: node["id"] for node in page["messages"]["nodes"] if node["role"] != "USER"}
    for sequence in (3, 8):
        assert (await ann.does("deleteMessage", id=unread.pop(sequence)))["errors"] == []
    for up_to in steps:
        marked = await ann.does("markSessionRead", "session { unreadCount }", id=session, upToSequence=up_to)
        assert marked["session"]["unreadCount"] == sum(sequence > up_to for sequence in unread), up_to
    counted = "messages { totalCount } ofUser: messages(filter: { role: [USER] }) { totalCount }"
    assert await ann.sees(session, counted) == {"messages": {"totalCount": 10}, "ofUser": {"totalCount": 4}}


async def test_deleted_message_is_not_counted(ann):
    session = await ann.creates_session("Count")
    for role in ("USER", "ASSISTANT", "ASSISTANT"):
        await ann.appends(session, "said", role=role)
    await ann.does("deleteMessage", id=f"msg_{row_of(session)}_3")
    wanted = "messageCount unreadCount lastMessage { sequence } messages { totalCount nodes { sequence } }"
    assert await ann.sees(session, wanted) == {
        "messageCount": 2,
        "unreadCount": 1,
        "lastMessage": {"sequence": 2},
        "messages": {"totalCount": 2, "nodes": [{"sequence": 1}, {"sequence": 2}]},
    }
    await ann.does("deleteMessage", id=f"msg_{row_of(session)}_1")
    assert await ann.sees(session, "messageCount unreadCount") == {"messageCount": 1, "unreadCount": 1}
    assert await ann.appends(session, "next") == {"sequence": 4, "text": "next"}


async def test_sessions_are_filtered_by_every_condition(ann, bob):
    plan = await ann.creates_session("The Plan", agentType="guide", role="traveller")
    work = await ann.creates_session("Work 100%", status="ACTIVE", role="boss")
    assert await listed(ann, status=["ACTIVE"]) == [work]
    assert await listed(ann, status=["COMPLETED", "PENDING"]) == [plan]
    assert await listed(ann, status=[]) == []
    assert await listed(ann, agentType="guide") == [plan]
    assert await listed(ann, role="boss") == [work]
    assert await listed(ann, query="the PLAN") == [plan]
    assert await listed(ann, query="%") == [work]
    assert await listed(ann, role="boss", query="plan") == []
    assert await listed(ann, status=None, archived=None, deleted=False) == [work, plan]
    assert await listed(bob) == []
