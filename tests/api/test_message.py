"""Messages: append, batches, keys, update, deletion and lookup."""

import pytest

from tests.support.ids import row_of
from tests.support.users import error, outcome

OWN = "key sequence role status text metadata clientCreatedAt agent { key kind }"


async def appends_many(user, session, *messages, **more):
    given = [{"role": "USER", **message} for message in messages]
    selection = "messages { sequence text } cursor"
    return await user.does("appendMessages", selection, sessionId=session, messages=given, **more)


async def texts(user, session, **arguments):
    document = """query ($id: ID!, $filter: MessageFilter) {
        session(id: $id) { messages(filter: $filter) { totalCount nodes { text } } } }"""
    page = (await user.asks(document, id=session, **arguments))["session"]["messages"]
    found = [node["text"] for node in page["nodes"]]
    assert page["totalCount"] == len(found)
    return found


async def id_of(user, session, sequence=1):
    document = "query ($id: ID!, $n: Int!) { session(id: $id) { message(sequence: $n) { id } } }"
    return (await user.asks(document, id=session, n=sequence))["session"]["message"]["id"]


async def test_message_is_stored_as_sent(ann, bob):
    session = await ann.creates_session()
    given = {
        "key": "m1",
        "role": "ASSISTANT",
        "text": "Grüße 👋🏽",
        "agentKey": "guide",
        "metadata": {"nul": "\0", "b": 1, "a": 2},
        "clientCreatedAt": "2026-01-31T12:00:00.123456Z",
    }
    payload = await ann.does("appendMessage", f"message {{ {OWN} }}", sessionId=session, message=given)
    shown = {name: value for name, value in given.items() if name != "agentKey"}
    stored = {**shown, "sequence": 1, "status": "COMPLETE", "agent": {"key": "guide", "kind": "AGENT"}}
    assert payload == {"message": stored, "errors": []}
    assert (await ann.sees(session, f"lastMessage {{ {OWN} }}"))["lastMessage"] == stored
    refused = await bob.does("appendMessage", "message { id } cursor", sessionId=session, message=given)
    assert (refused["message"], refused["cursor"], outcome(refused)) == (
        None,
        None,
        error("NOT_FOUND", field="sessionId"),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", None),
        ("text", "a\0b"),
        ("text", "half \udfff"),
        ("text", "t" * 1_000_001),
        ("key", ""),
        ("key", "a\0b"),
        ("agentKey", "k" * 256),
        ("agentKey", "half \ud800"),
    ],
)
async def test_invalid_message_names_the_path_of_the_field(ann, field, value):
    session = await ann.creates_session()
    message = {"role": "USER", "text": "fine", field: value}
    one = await ann.does("appendMessage", "message { id }", sessionId=session, message=message)
    assert one["errors"][0]["__typename"] == "ValidationError"
    assert outcome(one) == error("VALIDATION", field=f"message.{field}")
    many = await appends_many(ann, session, {"text": "fine"}, message)
    assert outcome(many) == error("VALIDATION", field=f"messages.1.{field}")
    assert await ann.sees(session, "messageCount status") == {"messageCount": 0, "status": "PENDING"}


async def test_message_without_text_is_refused(ann):
    session = await ann.creates_session()
    payload = await ann.does("appendMessage", sessionId=session, message={"role": "USER"})
    assert outcome(payload) == error("VALIDATION", field="message.text")


async def test_repeated_key_returns_the_stored_message(ann):
    session = await ann.creates_session()
    first = await ann.appends(session, "once", key="k")
    assert await ann.appends(session, "once", key="k") == first
    assert await ann.appends(session, "twice", key="k") == error("CONFLICT", field="message.key")
    assert await ann.appends(session, "once", key="k", role="SYSTEM") == error("CONFLICT", field="message.key")
    assert await ann.appends(session, "once", key="k", metadata={"new": 1}) == error("CONFLICT", field="message.key")
    assert await ann.appends(session, "once", key="k", agentKey="guide") == {"sequence": 2, "text": "once"}
    assert await ann.appends(await ann.creates_session(), "other", key="k") == {"sequence": 1, "text": "other"}
    assert await texts(ann, session) == ["once", "once"]


async def test_key_conflict_returns_the_current_revision(ann):
    session = await ann.creates_session()
    selection = "message { revision }"
    message = {"role": "USER", "text": "once", "key": "k"}
    first = await ann.does("appendMessage", selection, sessionId=session, message=message)
    other = await ann.does("appendMessage", selection, sessionId=session, message={**message, "text": "other"})
    assert other["errors"][0]["currentRevision"] == first["message"]["revision"]


async def test_batch_is_stored_in_order(ann, bob):
    session = await ann.creates_session()
    given = [{"text": str(n), "agentKey": f"agent {n % 3}"} for n in range(100)]
    payload = await appends_many(ann, session, *given)
    assert payload["messages"] == [{"sequence": n + 1, "text": str(n)} for n in range(100)]
    assert payload["cursor"] == (await ann.sees(session, "eventCursor"))["eventCursor"]
    refused = await appends_many(bob, session, {"text": "bob"})
    assert (refused["messages"], outcome(refused)) == ([], error("NOT_FOUND", field="sessionId"))


async def test_batch_is_stored_completely_or_not_at_all(ann):
    session = await ann.creates_session()
    await ann.appends(session, "there", key="taken")
    before = await ann.sees(session, "eventCursor")
    good = [{"text": str(n)} for n in range(4)]
    for bad, expected in {
        "text": error("VALIDATION", field="messages.4.text"),
        "key": error("CONFLICT", field="messages.4.key"),
    }.items():
        message = {"text": "a\0b"} if bad == "text" else {"text": "other", "key": "taken"}
        payload = await appends_many(ann, session, *good, message)
        assert (payload["messages"], payload["cursor"], outcome(payload)) == ([], None, expected)
    assert await ann.sees(session, "eventCursor") == before
    assert await texts(ann, session) == ["there"]


@pytest.mark.parametrize("count", [0, 101])
async def test_empty_or_too_large_batch_is_refused(ann, count):
    session = await ann.creates_session()
    payload = await appends_many(ann, session, *[{"text": "t"}] * count)
    assert outcome(payload) == error("VALIDATION", field="messages")
    assert await texts(ann, session) == []


async def test_batch_with_stored_keys_returns_the_stored_messages(ann):
    session = await ann.creates_session()
    await ann.appends(session, "b", key="b")
    payload = await appends_many(ann, session, *[{"text": key, "key": key} for key in "abc"])
    assert [message["sequence"] for message in payload["messages"]] == [2, 1, 3]
    again = await appends_many(ann, session, *[{"text": key, "key": key} for key in "abc"])
    assert again["messages"] == payload["messages"]
    twice = await appends_many(ann, session, {"text": "d", "key": "d"}, {"text": "d", "key": "d"})
    assert outcome(twice) == error("VALIDATION", field="messages.1.key")
    assert await texts(ann, session) == ["b", "a", "c"]


async def test_append_checks_the_expected_sequence(ann):
    session = await ann.creates_session("Named")
    message = {"role": "USER", "text": "t"}
    first = await ann.does("appendMessage", sessionId=session, message=message, expectedSequence=0)
    assert first["errors"] == []
    for mutation, given in (("appendMessage", {"message": message}), ("appendMessages", {"messages": [message]})):
        late = await ann.does(mutation, sessionId=session, expectedSequence=0, **given)
        assert outcome(late) == error("CONFLICT", field="expectedSequence")
        assert late["errors"][0]["currentRevision"] == (await ann.sees(session, "revision"))["revision"]
        fits = await ann.does(mutation, sessionId=session, expectedSequence=None, **given)
        assert fits["errors"] == []
    assert (await ann.sees(session, "messageCount"))["messageCount"] == 3


async def test_update_changes_only_the_fields_that_were_sent(ann, bob):
    session = await ann.creates_session()
    await ann.appends(session, "old", metadata={"a": 1})
    message = await id_of(ann, session)
    payload = await ann.does("updateMessage", "message { text metadata }", id=message, text="new")
    assert payload["message"] == {"text": "new", "metadata": {"a": 1}}
    payload = await ann.does("updateMessage", "message { text metadata }", id=message, metadata=[1])
    assert payload["message"] == {"text": "new", "metadata": [1]}
    for field in ("text", "metadata"):
        assert outcome(await ann.does("updateMessage", id=message, **{field: None})) == error("VALIDATION", field=field)
    assert outcome(await bob.does("updateMessage", id=message, text="bob's")) == error("NOT_FOUND", field="id")
    assert await texts(ann, session) == ["new"]


async def test_update_with_a_stale_revision_conflicts(ann):
    session = await ann.creates_session()
    await ann.appends(session, "one")
    message, selection = await id_of(ann, session), "message { revision }"
    seen = (await ann.sees(session, "lastMessage { revision }"))["lastMessage"]["revision"]
    changed = await ann.does("updateMessage", selection, id=message, text="two", expectedRevision=seen)
    late = await ann.does("updateMessage", selection, id=message, text="three", expectedRevision=seen)
    assert outcome(late) == error("CONFLICT", field="expectedRevision")
    assert late["errors"][0]["currentRevision"] == changed["message"]["revision"]
    assert await texts(ann, session) == ["two"]


async def test_deleted_message_is_gone_and_its_number_is_not_reused(ann, bob):
    session = await ann.creates_session()
    await ann.appends(session, "one", key="k")
    message = await id_of(ann, session)
    assert outcome(await bob.does("deleteMessage", id=message)) == error("NOT_FOUND", field="id")
    assert await ann.does("deleteMessage", "deletedId", id=message) == {"deletedId": message, "errors": []}
    for mutation, fields in (("deleteMessage", {}), ("updateMessage", {"text": "t"})):
        assert outcome(await ann.does(mutation, id=message, **fields)) == error("NOT_FOUND", field="id")
    document = """query ($id: ID!, $m: ID!) { node(id: $m) { id } session(id: $id) {
        id: message(id: $m) { id } sequence: message(sequence: 1) { id } key: message(key: "k") { id } } }"""
    found = await ann.asks(document, id=session, m=message)
    assert found == {"node": None, "session": {"id": None, "sequence": None, "key": None}}
    assert await ann.appends(session, "two", key="k") == {"sequence": 2, "text": "two"}


async def test_message_needs_exactly_one_of_id_sequence_and_key(ann, bob):
    session, other = await ann.creates_session(), await ann.creates_session()
    await ann.appends(session, "mine", key="k")
    await ann.appends(session, "the agent's", key="k", agentKey="guide")
    message = await id_of(ann, session)

    async def finds(arguments, where=session, user=ann):
        return await user.responds(f'{{ session(id: "{where}") {{ message{arguments} {{ text }} }} }}')

    for arguments, text in {
        f'(id: "{message}")': "mine",
        "(sequence: 2)": "the agent's",
        '(key: "k")': "mine",
        '(key: "k", agentKey: "guide")': "the agent's",
    }.items():
        assert (await finds(arguments))["data"]["session"]["message"] == {"text": text}
        assert (await finds(arguments, where=other))["data"]["session"]["message"] is None
        assert (await finds(arguments, user=bob))["data"]["session"] is None
    for arguments in ("(sequence: 0)", "(sequence: -1)", "(sequence: 3)", '(key: "no")', '(id: "msg_nonsense")'):
        assert (await finds(arguments))["data"]["session"]["message"] is None
    for arguments in ("", '(agentKey: "guide")', '(sequence: 1, key: "k")', f'(id: "{message}", sequence: 1)'):
        [refused] = (await finds(arguments))["errors"]
        assert (refused["extensions"]["code"], refused["path"]) == ("BAD_USER_INPUT", ["session", "message"])


async def test_messages_are_filtered_by_every_condition(ann):
    session = await ann.creates_session()
    await ann.appends(session, "u")
    await ann.appends(session, "a", role="ASSISTANT", agentKey="guide")
    await ann.appends(session, "t", role="TOOL", agentKey="guide")
    assert await texts(ann, session, filter={"role": ["USER", "TOOL"]}) == ["u", "t"]
    assert await texts(ann, session, filter={"agentKey": "guide"}) == ["a", "t"]
    assert await texts(ann, session, filter={"role": ["TOOL"], "agentKey": "guide"}) == ["t"]
    assert await texts(ann, session, filter={"status": ["COMPLETE"]}) == ["u", "a", "t"]
    assert await texts(ann, session, filter={"status": ["STREAMING", "FAILED"]}) == []
    await ann.does("startMessage", sessionId=session, role="ASSISTANT", agentKey="guide")
    for status in (["STREAMING"], ["STREAMING", "FAILED", "STREAMING"]):
        assert await texts(ann, session, filter={"status": status}) == [""]
    assert await texts(ann, session, filter={"status": ["STREAMING"], "role": ["TOOL"]}) == []
    assert await texts(ann, session, filter={"status": ["COMPLETE"], "agentKey": "guide"}) == ["a", "t"]
    assert await texts(ann, session, filter={"status": ["STREAMING", "COMPLETE"]}) == ["u", "a", "t", ""]
    assert await texts(ann, session, filter={"role": []}) == []
    assert await texts(ann, session, filter={"role": None, "agentKey": None, "status": None}) == ["u", "a", "t", ""]


async def test_default_page_of_messages_is_the_newest_fifty(ann):
    session = await ann.creates_session()
    await appends_many(ann, session, *[{"text": str(n)} for n in range(1, 61)])
    selection = "{ nodes { sequence } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
    page = (await ann.sees(session, f"messages {selection}"))["messages"]
    assert [node["sequence"] for node in page["nodes"]] == list(range(11, 61))
    assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (False, True)
    before = page["pageInfo"]["startCursor"]
    older = (await ann.sees(session, f'messages(last: 100, before: "{before}") {selection}'))["messages"]
    assert [node["sequence"] for node in older["nodes"]] == list(range(1, 11))
    assert (older["pageInfo"]["hasNextPage"], older["pageInfo"]["hasPreviousPage"]) == (True, False)
    newer = (await ann.sees(session, f'messages(first: 7, after: "{before}") {selection}'))["messages"]
    assert [node["sequence"] for node in newer["nodes"]] == list(range(12, 19))
    first = (await ann.sees(session, f"messages(first: 2) {selection}"))["messages"]
    assert [node["sequence"] for node in first["nodes"]] == [1, 2]
    between = (
        f'messages(first: 5, after: "{older["pageInfo"]["endCursor"]}", before: "{newer["pageInfo"]["startCursor"]}")'
    )
    assert (await ann.sees(session, f"{between} {selection}"))["messages"]["nodes"] == [{"sequence": 11}]


async def test_message_returns_its_session_and_agent(ann, bob):
    session = await ann.creates_session("Up")
    await ann.appends(session, "hello", agentKey="guide")
    document = """query ($id: ID!) { node(id: $id) { ... on Message {
        session { id title } agent { key session { id } messages { nodes { text } } } } } }"""
    message = f"msg_{row_of(session)}_1"
    assert (await ann.asks(document, id=message))["node"] == {
        "session": {"id": session, "title": "Up"},
        "agent": {"key": "guide", "session": {"id": session}, "messages": {"nodes": [{"text": "hello"}]}},
    }
    assert (await bob.asks(document, id=message))["node"] is None


async def test_messages_of_rare_roles_come_in_their_order(ann, bob):
    """They are read from an index of these roles, alone or for many sessions, and merged by sequence."""
    roles = ["SYSTEM", "USER", "TOOL", "TOOL", "ASSISTANT", "SYSTEM", "USER", "TOOL"]
    sessions = [await ann.creates_session(f"{number}") for number in range(2)]
    for role in roles:
        await ann.appends(sessions[0], "said", role=role)
    for wanted in (["SYSTEM"], ["TOOL"], ["TOOL", "SYSTEM"], ["TOOL", "USER"], []):
        expected = [number for number, role in enumerate(roles, 1) if role in wanted]
        for size, page in (("first: 3", expected[:3]), ("last: 3", expected[-3:])):
            messages = f"messages({size}, filter: {{role: $roles}}) {{ totalCount nodes {{ sequence }} }}"
            one = f"query ($id: ID!, $roles: [MessageRole!]) {{ session(id: $id) {{ {messages} }} }}"
            found = (await ann.asks(one, id=sessions[0], roles=wanted))["session"]["messages"]
            assert found == {"totalCount": len(expected), "nodes": [{"sequence": number} for number in page]}
            both = f"query ($roles: [MessageRole!]) {{ sessions(first: 2) {{ nodes {{ {messages} }} }} }}"
            lists = [node["messages"] for node in (await ann.asks(both, roles=wanted))["sessions"]["nodes"]]
            assert lists == [found, {"totalCount": 0, "nodes": []}]
            assert (await bob.asks(one, id=sessions[0], roles=wanted))["session"] is None
