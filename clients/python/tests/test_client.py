"""The methods of both clients against a real server."""

import asyncio
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from colloquy import AsyncClient, errors
from colloquy.operations.message import draft


async def test_a_session_and_its_messages_are_stored_for_their_owner(client, stranger):
    created = (await client.create_session(key="plan", title="Plan", metadata={"colour": "red"})).session
    message = await client.append_message(created.id, "USER", "hello", key="1")
    assert (message.sequence, message.text, message.role, message.agent) == (1, "hello", "USER", None)
    found = await client.session(key="plan")
    assert (found.id, found.title, found.status, found.message_count) == (created.id, "Plan", "ACTIVE", 1)
    assert found.metadata == {"colour": "red"}
    assert found.created_at.tzinfo is not None
    with pytest.raises(FrozenInstanceError):
        found.title = "Mine"
    assert await stranger.session(created.id) is None
    assert await stranger.session(key="plan") is None


async def test_a_message_returns_its_raw_document_and_its_agent(client):
    session = (await client.create_session()).session
    raw = '{"role": "assistant", "content": [{"text": "hi"}], "n": 1e400}'
    message = await client.append_message(session.id, "ASSISTANT", raw=raw, agent_key="guide", key="k")
    assert (message.raw, message.text, message.agent.key) == (raw, "hi", "guide")
    assert await client.message(session.id, key="k", agent_key="guide") == message
    assert await client.message(session.id, key="k") is None
    changed = await client.update_message(message.id, text="bye", expected_revision=message.revision)
    assert changed.text == "bye"
    redacted = await client.redact_message(message.id, text="[gone]")
    assert (redacted.text, redacted.raw, redacted.redacted_at is None) == ("[gone]", None, False)


async def test_an_iteration_reads_all_pages(client, sync_client):
    session = (await client.create_session()).session
    texts = [str(number) for number in range(7)]
    await client.append_messages(session.id, [draft("USER", text) for text in texts])
    assert [message.text async for message in client.messages(session.id, page_size=3)] == texts
    in_thread = await asyncio.to_thread(lambda: [node.text for node in sync_client.messages(session.id, page_size=2)])
    assert in_thread == texts
    assert [message async for message in client.messages("ses_nowhere")] == []
    assert [found.id async for found in client.sessions(page_size=1)] == [session.id]
    page = await client.message_page(session.id, last=2, with_total=True)
    assert ([node.text for node in page.nodes], page.total, page.info.has_previous_page) == (["5", "6"], 7, True)


async def test_threads_share_a_client(sync_client):
    def append(number: int) -> str:
        session = sync_client.create_session(key=f"s{number}").session
        sync_client.append_message(session.id, "USER", str(number))
        return sync_client.session(key=f"s{number}").title

    assert await asyncio.gather(*(asyncio.to_thread(append, n) for n in range(8))) == [str(n) for n in range(8)]


async def test_an_argument_that_is_not_passed_changes_nothing_and_none_clears(client):
    later = datetime.now(UTC) + timedelta(days=1)
    session = (await client.create_session(title="Plan", expires_at=later)).session
    renamed = await client.update_session(session.id, title="Other")
    assert (renamed.title, renamed.expires_at) == ("Other", session.expires_at)
    assert (await client.update_session(session.id, expires_at=None)).expires_at is None


async def test_an_hourly_rate_is_an_exact_decimal(client):
    agent = await client.create_agent("Ann", "coder", hourly_rate=Decimal("12.50"), skills=["python"])
    assert (await client.agent(agent.id)).hourly_rate == Decimal("12.50")
    assert [node.skills async for node in client.agents(type="coder")] == [("python",)]
    assert (await client.update_agent(agent.id, hourly_rate=None)).hourly_rate is None
    assert (await client.set_agent_status(agent.id, "BUSY")).status == "BUSY"
    assert (await client.delete_agent(agent.id)).id == agent.id


async def test_a_session_agent_returns_its_raw_document(client):
    session = (await client.create_session(key="s")).session
    raw = '{"state": {"a": "\\u0000\\ud800"}}'
    put = await client.put_session_agent(session.id, "guide", raw=raw, mode="CREATE")
    assert await client.session_agent("guide", session_key="s") == put
    assert put.raw == raw
    assert await client.session_agent("guide", session_key="nowhere") is None
    with pytest.raises(errors.Conflict):
        await client.put_session_agent(session.id, "guide", raw=raw, mode="CREATE")


async def test_an_exception_has_code_field_and_details(client):
    session = (await client.create_session(key="one")).session
    with pytest.raises(errors.Conflict) as conflict:
        await client.create_session(key="one")
    assert (conflict.value.code, conflict.value.field) == ("CONFLICT", ("key",))
    with pytest.raises(errors.Conflict) as stale:
        await client.update_session(session.id, title="x", expected_revision=999)
    assert stale.value.current_revision == session.revision
    with pytest.raises(errors.IllegalTransition) as transition:
        await client.set_session_status(session.id, "COMPLETED")
    assert (transition.value.from_status, transition.value.to_status) == ("PENDING", "COMPLETED")
    with pytest.raises(errors.Invalid) as invalid:
        await client.create_session(title="x" * 256)
    assert invalid.value.field == ("title",)
    with pytest.raises(errors.NotFound):
        await client.append_message("ses_nowhere", "USER", "hi")
    with pytest.raises(errors.BadInput):
        await client.session()
    with pytest.raises(errors.BadInput, match="JSON cannot represent the variables"):
        await client.create_session(title="\ud800")


async def test_an_invalid_token_and_a_missing_scope_are_refused(ann, user):
    async with AsyncClient(ann.url, "invalid") as unauthenticated:
        with pytest.raises(errors.Unauthenticated):
            await unauthenticated.viewer()
    reader = user("reader", scopes=["chat:read"])
    async with AsyncClient(reader.url, lambda: reader.token) as reading:
        assert (await reading.viewer()).scopes == ("chat:read",)
        with pytest.raises(errors.Forbidden):
            await reading.create_session()


async def test_a_token_function_is_called_for_each_request(ann):
    calls = []

    async def token() -> str:
        calls.append(None)
        return ann.token

    async with AsyncClient(ann.url, token) as client:
        assert (await client.viewer()).subject == ann.name
        await client.viewer()
    assert len(calls) == 2


async def test_a_task_and_its_approval_change_their_status(client, stranger):
    task = await client.create_task("review", to_role="reviewer", payload={"n": 1})
    assert (task.status, task.payload, task.to_role) == ("PENDING", {"n": 1}, "reviewer")
    approval = await client.request_approval(task_id=task.id, notes="please")
    decided = await client.decide_approval(approval.id, "APPROVE")
    assert (approval.status, decided.status) == ("PENDING", "APPROVED")
    with pytest.raises(errors.Conflict):
        await client.decide_approval(approval.id, "REJECT")
    assert (await client.set_task_status(task.id, "ACTIVE")).status == "ACTIVE"
    assert [node.id async for node in client.tasks(type="review")] == [task.id]
    assert [node.id async for node in client.approvals(status=["APPROVED"])] == [approval.id]
    assert await stranger.task(task.id) is None


async def test_execute_returns_the_data_of_a_custom_document(client):
    assert await client.execute("query { viewer { subject } }") == {
        "viewer": {"subject": (await client.viewer()).subject}
    }


async def test_a_dry_run_counts_and_deletes_nothing(client):
    session = (await client.create_session(key="s")).session
    await client.append_message(session.id, "USER", "hi")
    counted = await client.delete_session(session.id, "HARD", dry_run=True)
    assert (counted.id, counted.message_count) == (None, 1)
    assert (await client.delete_session(session.id, "HARD")).id == session.id
    assert await client.session(key="s") is None
