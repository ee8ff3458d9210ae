"""The client's stories, told to a real server."""

import asyncio
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from colloquy import AsyncClient, errors
from colloquy.calls.message import draft


async def test_a_session_is_kept_with_what_was_said_in_it(client, stranger):
    made = (await client.create_session(key="plan", title="Plan", metadata={"colour": "red"})).session
    said = await client.append_message(made.id, "USER", "hello", key="1")
    assert (said.sequence, said.text, said.role, said.agent) == (1, "hello", "USER", None)
    found = await client.session(key="plan")
    assert (found.id, found.title, found.status, found.message_count) == (made.id, "Plan", "ACTIVE", 1)
    assert found.metadata == {"colour": "red"}
    assert found.created_at.tzinfo is not None
    with pytest.raises(FrozenInstanceError):
        found.title = "Mine"
    assert await stranger.session(made.id) is None
    assert await stranger.session(key="plan") is None


async def test_a_message_carries_its_document_and_its_agent(client):
    session = (await client.create_session()).session
    raw = '{"role": "assistant", "content": [{"text": "hi"}], "n": 1e400}'
    said = await client.append_message(session.id, "ASSISTANT", raw=raw, agent_key="guide", key="k")
    assert (said.raw, said.text, said.agent.key) == (raw, "hi", "guide")
    assert await client.message(session.id, key="k", agent_key="guide") == said
    assert await client.message(session.id, key="k") is None
    changed = await client.update_message(said.id, text="bye", expected_revision=said.revision)
    assert changed.text == "bye"
    hidden = await client.redact_message(said.id, text="[gone]")
    assert (hidden.text, hidden.raw, hidden.redacted_at is None) == ("[gone]", None, False)


async def test_pages_are_walked_to_their_end(client, blocking):
    session = (await client.create_session()).session
    texts = [str(number) for number in range(7)]
    await client.append_messages(session.id, [draft("USER", text) for text in texts])
    assert [message.text async for message in client.messages(session.id, page_size=3)] == texts
    walked = await asyncio.to_thread(lambda: [one.text for one in blocking.messages(session.id, page_size=2)])
    assert walked == texts
    assert [message async for message in client.messages("ses_nowhere")] == []
    assert [found.id async for found in client.sessions(page_size=1)] == [session.id]
    page = await client.message_page(session.id, last=2, counted=True)
    assert ([one.text for one in page.nodes], page.total, page.info.has_previous_page) == (["5", "6"], 7, True)


async def test_threads_share_a_client(blocking):
    def says(number: int) -> str:
        session = blocking.create_session(key=f"s{number}").session
        blocking.append_message(session.id, "USER", str(number))
        return blocking.session(key=f"s{number}").title

    assert await asyncio.gather(*(asyncio.to_thread(says, n) for n in range(8))) == [str(n) for n in range(8)]


async def test_what_is_not_given_stays_and_none_clears(client):
    later = datetime.now(UTC) + timedelta(days=1)
    session = (await client.create_session(title="Plan", expires_at=later)).session
    renamed = await client.update_session(session.id, title="Other")
    assert (renamed.title, renamed.expires_at) == ("Other", session.expires_at)
    assert (await client.update_session(session.id, expires_at=None)).expires_at is None


async def test_an_agent_of_the_catalogue_keeps_its_rate_exactly(client):
    agent = await client.create_agent("Ann", "coder", hourly_rate=Decimal("12.50"), skills=["python"])
    assert (await client.agent(agent.id)).hourly_rate == Decimal("12.50")
    assert [one.skills async for one in client.agents(type="coder")] == [("python",)]
    assert (await client.update_agent(agent.id, hourly_rate=None)).hourly_rate is None
    assert (await client.set_agent_status(agent.id, "BUSY")).status == "BUSY"
    assert (await client.delete_agent(agent.id)).id == agent.id


async def test_an_agents_part_comes_back_as_it_was_put(client):
    session = (await client.create_session(key="s")).session
    raw = '{"state": {"a": "\\u0000\\ud800"}}'
    put = await client.put_session_agent(session.id, "guide", raw=raw, mode="CREATE")
    assert await client.session_agent("guide", session_key="s") == put
    assert put.raw == raw
    assert await client.session_agent("guide", session_key="nowhere") is None
    with pytest.raises(errors.Conflict):
        await client.put_session_agent(session.id, "guide", raw=raw, mode="CREATE")


async def test_a_refusal_has_its_code_its_field_and_what_belongs_to_it(client):
    session = (await client.create_session(key="one")).session
    with pytest.raises(errors.Conflict) as taken:
        await client.create_session(key="one")
    assert (taken.value.code, taken.value.field) == ("CONFLICT", ("key",))
    with pytest.raises(errors.Conflict) as moved:
        await client.update_session(session.id, title="x", expected_revision=999)
    assert moved.value.current_revision == session.revision
    with pytest.raises(errors.IllegalTransition) as skipped:
        await client.set_session_status(session.id, "COMPLETED")
    assert (skipped.value.from_status, skipped.value.to_status) == ("PENDING", "COMPLETED")
    with pytest.raises(errors.Invalid) as long:
        await client.create_session(title="x" * 256)
    assert long.value.field == ("title",)
    with pytest.raises(errors.NotFound):
        await client.append_message("ses_nowhere", "USER", "hi")
    with pytest.raises(errors.BadInput):
        await client.session()
    with pytest.raises(errors.BadInput, match="JSON cannot carry this"):
        await client.create_session(title="\ud800")


async def test_only_a_token_opens_the_door_and_scopes_what_is_behind(ann, user):
    async with AsyncClient(ann.url, "nonsense") as nobody:
        with pytest.raises(errors.Unauthenticated):
            await nobody.viewer()
    reader = user("reader", scopes=["chat:read"])
    async with AsyncClient(reader.url, lambda: reader.token) as reading:
        assert (await reading.viewer()).scopes == ("chat:read",)
        with pytest.raises(errors.Forbidden):
            await reading.create_session()


async def test_a_token_may_be_asked_for_each_time(ann):
    asked = []

    async def token() -> str:
        asked.append(None)
        return ann.token

    async with AsyncClient(ann.url, token) as hers:
        assert (await hers.viewer()).subject == ann.name
        await hers.viewer()
    assert len(asked) == 2


async def test_work_is_handed_on_and_waited_for(client, stranger):
    task = await client.create_task("review", to_role="reviewer", payload={"n": 1})
    assert (task.status, task.payload, task.to_role) == ("PENDING", {"n": 1}, "reviewer")
    asked = await client.request_approval(task_id=task.id, notes="please")
    decided = await client.decide_approval(asked.id, "APPROVE")
    assert (asked.status, decided.status) == ("PENDING", "APPROVED")
    with pytest.raises(errors.Conflict):
        await client.decide_approval(asked.id, "REJECT")
    assert (await client.set_task_status(task.id, "ACTIVE")).status == "ACTIVE"
    assert [one.id async for one in client.tasks(type="review")] == [task.id]
    assert [one.id async for one in client.approvals(status=["APPROVED"])] == [asked.id]
    assert await stranger.task(task.id) is None


async def test_an_operation_of_ones_own_is_answered_with_its_data(client):
    assert await client.execute("query { viewer { subject } }") == {
        "viewer": {"subject": (await client.viewer()).subject}
    }


async def test_deletion_counts_before_it_erases(client):
    session = (await client.create_session(key="s")).session
    await client.append_message(session.id, "USER", "hi")
    counted = await client.delete_session(session.id, "HARD", dry_run=True)
    assert (counted.id, counted.message_count) == (None, 1)
    assert (await client.delete_session(session.id, "HARD")).id == session.id
    assert await client.session(key="s") is None
