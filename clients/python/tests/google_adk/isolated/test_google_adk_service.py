"""What ADK documents of its session services; strangers, races, lost processes, the sidebar."""

import asyncio
from datetime import UTC, datetime

import pytest
from adk_services import URL, new_owner, service, token
from colloquy import Client
from colloquy.errors import ColloquyError
from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.input_validation_error import InputValidationError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event, EventActions
from google.adk.sessions import InMemorySessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig
from google.genai.types import Content, FunctionCall, FunctionResponse, Part
from sent_operations import sent_operations

TRIP = {"app_name": "guide", "user_id": "ann", "session_id": "trip"}
ANN = {"app_name": "guide", "user_id": "ann"}


def event(text: str = "", author: str = "user", second: float = 1000.0, **delta) -> Event:
    content = Content(role="user" if author == "user" else "model", parts=[Part(text=text)]) if text else None
    return Event(author=author, content=content, timestamp=second, actions=EventActions(state_delta=delta))


def texts(session: Session) -> list[str]:
    return [each.content.parts[0].text for each in session.events]


async def test_a_session_is_its_owners(owner):
    async with service(owner) as own, service(new_owner()) as stranger:
        session = await own.create_session(**TRIP, state={"a": 1, "user:b": 2, "app:c": 3})
        await own.append_event(session, event("Hello\0"))
        assert await stranger.get_session(**TRIP) is None
        assert (await stranger.list_sessions(app_name="guide")).sessions == []
        assert await stranger.get_user_state(**ANN) == {}
        await stranger.delete_session(**TRIP)
        with pytest.raises(SessionNotFoundError):
            await stranger.append_event(session.model_copy(deep=True), event("mine"))
        theirs = await stranger.create_session(**TRIP)
        assert (theirs.state, theirs.events) == ({}, [])
        found = await own.get_session(**TRIP)
        assert texts(found) == ["Hello\0"]
        assert found.state == {"a": 1, "user:b": 2, "app:c": 3}


async def test_the_sidebar_shows_the_conversation(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        await own.append_event(session, event("When does the train leave?"))
        call = Content(role="model", parts=[Part(function_call=FunctionCall(id="1", name="trains", args={}))])
        await own.append_event(session, Event(author="guide", content=call))
        answer = FunctionResponse(id="1", name="trains", response={"at": "nine"})
        await own.append_event(
            session, Event(author="guide", content=Content(role="user", parts=[Part(function_response=answer)]))
        )
        await own.append_event(session, event("At nine.", "guide"))
    with Client(URL, token(owner)) as client:
        [found] = list(client.sessions())
        assert (found.title, found.message_count, found.key) == ("When does the train leave?", 4, "guide/ann/trip")
        messages = list(client.messages(found.id))
        assert [message.role for message in messages] == ["USER", "ASSISTANT", "TOOL", "ASSISTANT"]
        assert messages[3].text == "At nine."


@pytest.mark.parametrize("name", ["memory", "colloquy"])
async def test_the_prefix_of_a_key_decides_who_has_its_state(owner, name):
    """The service of ADK in memory, which documents the behaviour, passes too."""
    own = InMemorySessionService() if name == "memory" else service(owner)
    session = await own.create_session(**TRIP, state={"temp:x": 0, "kept": None})
    await own.append_event(session, event("one", a={"list": [1]}, **{"user:b": 2, "app:c": 3, "temp:d": 4}))
    assert session.state["temp:d"] == 4
    assert "temp:d" not in session.events[0].actions.state_delta
    await own.append_event(session, event("two", a=5, gone=None))
    assert (await own.get_session(**TRIP)).state == {"kept": None, "a": 5, "gone": None, "user:b": 2, "app:c": 3}
    assert (await own.create_session(**ANN, session_id="back")).state == {"user:b": 2, "app:c": 3}
    assert (await own.create_session(app_name="guide", user_id="bob")).state == {"app:c": 3}
    assert (await own.create_session(app_name="other", user_id="ann")).state == {}
    assert await own.get_user_state(**ANN) == {"b": 2}
    assert await own.get_user_state(app_name="guide", user_id="nobody") == {}
    if name == "colloquy":
        await own.aclose()
        own.close()


async def test_a_partial_event_is_not_stored(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        await own.append_event(session, Event(author="guide", partial=True))
        assert session.events == []
        assert (await own.get_session(**TRIP)).events == []


async def test_an_event_comes_back_as_it_was(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        sent = Event(
            author="guide",
            invocation_id="i",
            branch="a.b",
            long_running_tool_ids={"t"},
            content=Content(role="model", parts=[Part.from_bytes(data=b"\0\xff", mime_type="image/png")]),
            actions=EventActions(state_delta={"none": None}, transfer_to_agent="x"),
            turn_complete=True,
        )
        await own.append_event(session, sent)
        assert (await own.get_session(**TRIP)).events == [sent]


async def test_a_part_of_the_events_is_read(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        for number in range(7):
            await own.append_event(session, event(str(number), second=float(number)))

        async def read(**config) -> list[str]:
            return texts(await own.get_session(**TRIP, config=GetSessionConfig(**config)))

        assert await read() == list("0123456")
        assert await read(num_recent_events=2) == list("56")
        assert await read(num_recent_events=0) == []
        assert await read(after_timestamp=4.0) == list("456")
        assert await read(after_timestamp=4.0, num_recent_events=1) == list("6")
        part = await own.get_session(**TRIP, config=GetSessionConfig(num_recent_events=0))
        await own.append_event(part, event("7"))
        assert await read(num_recent_events=2) == list("67")


async def test_events_reach_beyond_one_page(owner):
    async with service(owner) as own:
        await own.create_session(**TRIP)
        with Client(URL, token(owner)) as client:
            server_id = client.session(key="guide/ann/trip").id
            for start in (0, 60):
                drafts = [
                    {"role": "USER", "raw": event(str(number), n=number).model_dump_json(by_alias=True)}
                    for number in range(start, start + 60)
                ]
                client.append_messages(server_id, drafts)
        found = await own.get_session(**TRIP)
        assert texts(found) == [str(number) for number in range(120)]
        assert found.state == {"n": 119}
        few = await own.get_session(**TRIP, config=GetSessionConfig(num_recent_events=70))
        assert texts(few) == [str(number) for number in range(50, 120)]


async def test_a_stale_session_is_refused(owner):
    async with service(owner) as own:
        first = await own.create_session(**TRIP)
        second = await own.get_session(**TRIP)
        await own.append_event(first, event("one", "guide"))
        with pytest.raises(StaleSessionError):
            await own.append_event(second, event("two"))
        assert second.events == []
        with Client(URL, token(owner)) as client:
            assert client.session(key="guide/ann/trip").unread_count == 1
        again = await own.get_session(**TRIP)
        await own.append_event(again, event("three"))
        assert texts(await own.get_session(**TRIP)) == ["one", "three"]


async def test_a_session_without_a_marker_is_compared_by_its_events(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        one = await own.append_event(session, event("one"))
        made = Session(id="trip", app_name="guide", user_id="ann", events=[one])
        await own.append_event(made, event("two"))
        with pytest.raises(StaleSessionError):
            await own.append_event(Session(id="trip", app_name="guide", user_id="ann"), event("three"))


async def test_of_events_at_the_same_time_one_is_appended(owner):
    services = [service(owner) for _ in range(4)]
    await services[0].create_session(**TRIP)
    sessions = [await own.get_session(**TRIP) for own in services]
    results = await asyncio.gather(
        *(
            own.append_event(session, event(str(number), **{"app:n": number, str(number): True}))
            for number, (own, session) in enumerate(zip(services, sessions, strict=True))
        ),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Event", *["StaleSessionError"] * 3]
    [winner] = [number for number, result in enumerate(results) if isinstance(result, Event)]
    found = await services[0].get_session(**TRIP)
    assert (texts(found), found.state) == ([str(winner)], {"app:n": winner, str(winner): True})
    for own in services:
        await own.aclose()
        own.close()


async def test_sessions_change_the_states_of_user_and_app_at_the_same_time(owner):
    async with service(owner) as own:
        sessions = [await own.create_session(**ANN, session_id=str(number)) for number in range(6)]
        await asyncio.gather(
            *(
                own.append_event(each, event("x", **{f"user:{number}": number, f"app:{number}": number}))
                for number, each in enumerate(sessions)
            )
        )
        expected = {f"{scope}:{number}": number for scope in ("user", "app") for number in range(6)}
        assert (await own.get_session(**ANN, session_id="0")).state == expected


async def test_a_session_is_created_once_by_concurrent_calls(owner):
    async with service(owner) as own:
        results = await asyncio.gather(*(own.create_session(**TRIP) for _ in range(5)), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == [*["AlreadyExistsError"] * 4, "Session"]
        with pytest.raises(AlreadyExistsError):
            await own.create_session(**TRIP)


@pytest.mark.parametrize("name", ["CreateSession", "PutRecords"])
async def test_a_session_that_another_service_creates_first_exists(owner, name):
    async with service(owner) as own, service(owner) as other:

        async def create() -> None:
            await other.create_session(**TRIP, state={"theirs": True})

        names = sent_operations(own, (name, create))
        with pytest.raises(AlreadyExistsError):
            await own.create_session(**TRIP, state={"mine": True})
        assert name in names
        assert (await own.get_session(**TRIP)).state == {"theirs": True}


async def test_a_state_that_another_session_changes_first_has_both_changes(owner):
    async with service(owner) as own, service(owner) as other:
        mine, theirs = [await own.create_session(**ANN, session_id=name) for name in ("mine", "theirs")]

        async def append() -> None:
            await other.append_event(theirs, event("x", **{"user:theirs": 1}))

        names = sent_operations(own, ("PutRecords", append))
        await own.append_event(mine, event("y", **{"user:mine": 2}))
        assert names.count("PutRecords") == 2
        assert await own.get_user_state(**ANN) == {"theirs": 1, "mine": 2}


@pytest.mark.parametrize("name", ["MarkSessionRead", "AppendMessage"])
async def test_a_session_is_stale_if_an_event_comes_first_after_a_deleted_message(owner, name):
    async with service(owner) as own:
        await own.append_event(await own.create_session(**TRIP), event("one"))
        with Client(URL, token(owner)) as client:
            server_id = client.session(key="guide/ann/trip").id
            client.delete_message(client.append_message(server_id, "USER", "gone").id)
            session = await own.get_session(**TRIP)

            async def append() -> None:
                client.append_message(server_id, "USER", "theirs")

            # The deleted message refuses the first attempt.
            names = sent_operations(own, ("AppendMessage", lambda: asyncio.sleep(0)), (name, append))
            with pytest.raises(StaleSessionError):
                await own.append_event(session, event("two"))
            assert name in names[1 + names.index("AppendMessage") :]
        assert texts(await own.get_session(**TRIP)) == ["one", "theirs"]


async def test_the_states_of_an_event_count_after_its_process_ended(owner):
    """The process ended after the event and before the states: the event is the truth."""
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        with Client(URL, token(owner)) as client:
            server_id = client.session(key="guide/ann/trip").id
            raw = event("one", a=1, **{"app:b": 2}).model_dump_json(by_alias=True)
            client.append_message(server_id, "USER", raw=raw)
        with pytest.raises(StaleSessionError):
            await own.append_event(session, event("two"))
        found = await own.get_session(**TRIP)
        assert (texts(found), found.state) == (["one"], {"a": 1, "app:b": 2})


async def test_an_event_is_stored_once_when_it_is_sent_again(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        sent = await own.append_event(session, event("one"))
        await own.append_event(session, sent)
        assert texts(session) == texts(await own.get_session(**TRIP)) == ["one"]
        with pytest.raises(AlreadyExistsError):
            await own.append_event(session, event("other").model_copy(update={"id": sent.id}))


async def test_messages_of_other_programs_are_events(owner):
    async with service(owner) as own:
        await own.create_session(**TRIP)
        with Client(URL, token(owner)) as client:
            server_id = client.session(key="guide/ann/trip").id
            client.append_message(server_id, "USER", "And back?")
            client.append_message(server_id, "ASSISTANT", raw="[1]")
        found = await own.get_session(**TRIP)
        assert [(each.author, each.content.parts[0].text) for each in found.events] == [
            ("user", "And back?"),
            ("model", "[1]"),
        ]
        await own.append_event(found, event("At ten.", "guide"))


async def test_a_session_goes_on_after_its_newest_message_was_deleted(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        await own.append_event(session, event("one"))
        with Client(URL, token(owner)) as client:
            server_id = client.session(key="guide/ann/trip").id
            for _ in range(2):
                client.delete_message(client.append_message(server_id, "USER", "gone").id)
        await own.append_event(await own.get_session(**TRIP), event("two"))
        assert texts(await own.get_session(**TRIP)) == ["one", "two"]


async def test_sessions_are_listed_by_their_last_event(owner):
    async with service(owner) as own:
        for user, name, second in (("ann", "a", 30.0), ("bob", "b", 10.0), ("ann", "c", 20.0)):
            session = await own.create_session(app_name="guide", user_id=user, session_id=name, state={"user:n": user})
            await own.append_event(session, event("x", second=second, own=name))
        found = (await own.list_sessions(app_name="guide")).sessions
        assert [(each.id, each.last_update_time, each.events) for each in found] == [
            ("b", 10.0, []),
            ("c", 20.0, []),
            ("a", 30.0, []),
        ]
        assert found[0].state == {"own": "b", "user:n": "bob"}
        hers = (await own.list_sessions(**ANN)).sessions
        assert [(each.id, each.state["user:n"]) for each in hers] == [("c", "ann"), ("a", "ann")]
        assert (await own.list_sessions(app_name="gui")).sessions == []


async def test_a_list_takes_three_requests_however_many_sessions_there_are(owner):
    async with service(owner) as own:
        for number in range(12):
            await own.create_session(app_name="guide", user_id=f"user {number % 4}")
        for user, sessions in ((None, 12), ("user 1", 3), ("nobody", 0)):
            names = sent_operations(own)
            found = await own.list_sessions(app_name="guide", user_id=user)
            assert (len(found.sessions), len(names)) == (sessions, 3)


async def test_a_deleted_session_is_gone_and_the_users_state_stays(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP, state={"user:a": 1, "b": 2})
        await own.append_event(session, event("one"))
        await own.delete_session(**TRIP)
        await own.delete_session(**TRIP)
        assert await own.get_session(**TRIP) is None
        with pytest.raises(SessionNotFoundError):
            await own.append_event(session, event("two"))
        with Client(URL, token(owner)) as client:
            assert list(client.sessions()) == []
        again = await own.create_session(**TRIP)
        assert (again.state, again.events) == ({"user:a": 1}, [])


@pytest.mark.parametrize("name", ["", "a/b", "100%", "\0\n", "x" * 300])
async def test_every_name_has_a_session_of_its_own(owner, name):
    async with service(owner) as own:
        for each in ((name, "b", "c"), ("a", name, "c"), ("a", "b", name), (name, name, name)):
            names = dict(zip(("app_name", "user_id", "session_id"), each, strict=True))
            session = await own.create_session(**names)
            await own.append_event(session, event("hello"))
            found = await own.get_session(**names)
            assert (found.app_name, found.user_id, found.id, texts(found)) == (*each, ["hello"])


async def test_a_failure_is_the_frameworks_error(owner):
    async with service(owner) as own:
        session = await own.create_session(**TRIP)
        with pytest.raises(InputValidationError):
            await own.append_event(session, event("x" * 2_000_000))
        with Client(URL, token(owner)) as client:
            client.delete_session(client.session(key="guide/ann/trip").id, "SOFT")
        with pytest.raises(SessionNotFoundError):
            await own.append_event(session, event("hello"))
    async with service(owner, "http://127.0.0.1:9", attempts=1) as unreachable:
        with pytest.raises(ColloquyError):
            await unreachable.get_session(**TRIP)


async def test_what_is_no_json_is_stored_as_text(owner):
    async with service(owner) as own:
        when = datetime(2026, 1, 2, tzinfo=UTC)
        await own.create_session(**TRIP, state={"when": when, "what": object})
        state = (await own.get_session(**TRIP)).state
        assert state["when"] == "2026-01-02T00:00:00Z"
        assert "object" in state["what"]


def test_a_service_serves_several_event_loops(owner):
    own = service(owner)

    async def count(number: int) -> int:
        session = await own.get_session(**TRIP) or await own.create_session(**TRIP)
        await own.append_event(session, event(str(number)))
        await own.aclose()
        return len(session.events)

    assert [asyncio.run(count(number)) for number in range(3)] == [1, 2, 3]
    own.close()
