"""What the peer's tests leave out: strangers, races, lost sessions, long threads, the sidebar."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from chatkit.errors import StreamError
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    FileAttachment,
    HiddenContextItem,
    InferenceOptions,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
)
from chatkit_stores import URL, new_owner, store, token
from colloquy import Client

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def thread(name: str = "trip", second: int = 0, **fields) -> ThreadMetadata:
    return ThreadMetadata(id=name, created_at=START + timedelta(seconds=second), **fields)


def user(name: str, text: str, of: str = "trip") -> UserMessageItem:
    content = [UserMessageTextContent(text=text)]
    return UserMessageItem(
        id=name, thread_id=of, created_at=START, content=content, inference_options=InferenceOptions()
    )


def assistant(name: str, text: str, of: str = "trip") -> AssistantMessageItem:
    return AssistantMessageItem(id=name, thread_id=of, created_at=START, content=[AssistantMessageContent(text=text)])


async def ids(own, owner, after=None, limit=500, order="asc", of="trip") -> list[str]:
    return [item.id for item in (await own.load_thread_items(of, after, limit, order, owner)).data]


async def test_a_thread_is_its_owners(owner):
    stranger = new_owner()
    async with store() as own:
        await own.save_thread(thread(title="Lisbon"), owner)
        await own.add_thread_item("trip", user("one", "Hello\0"), owner)
        await own.save_attachment(FileAttachment(id="file", mime_type="text/plain", name="a.txt"), owner)
        for call in (
            own.load_thread("trip", stranger),
            own.add_thread_item("trip", user("two", "mine"), stranger),
            own.save_item("trip", user("one", "mine"), stranger),
            own.load_item("trip", "one", stranger),
            own.load_attachment("file", stranger),
        ):
            with pytest.raises(NotFoundError):
                await call
        await own.delete_thread_item("trip", "one", stranger)
        await own.delete_thread("trip", stranger)
        await own.delete_attachment("file", stranger)
        assert (await own.load_threads(10, None, "desc", stranger)).data == []
        assert await ids(own, stranger) == []
        await own.save_thread(thread(title="of the stranger"), stranger)
        await own.add_thread_item("trip", user("one", "of the stranger"), stranger)
        assert await own.load_thread("trip", owner) == thread(title="Lisbon")
        assert await own.load_item("trip", "one", owner) == user("one", "Hello\0")
        assert (await own.load_attachment("file", owner)).name == "a.txt"


async def test_the_sidebar_shows_the_thread(owner):
    async with store() as own:
        await own.save_thread(thread(), owner)
        await own.add_thread_item("trip", user("one", "When does the train leave?"), owner)
        await own.add_thread_item("trip", assistant("two", "At nine."), owner)
        hidden = HiddenContextItem(id="three", thread_id="trip", created_at=START, content="clicked")
        await own.add_thread_item("trip", hidden, owner)
        with Client(URL, token(owner)) as client:
            found = client.session(key="trip")
            assert (found.title, found.message_count, found.status) == ("When does the train leave?", 3, "ACTIVE")
            messages = [(message.role, message.text) for message in client.messages(found.id)]
            assert messages[:2] == [("USER", "When does the train leave?"), ("ASSISTANT", "At nine.")]
            assert messages[2][0] == "SYSTEM"
            await own.save_thread(thread(title="Lisbon"), owner)
            assert client.session(key="trip").title == "Lisbon"
            client.update_session(found.id, title="Porto")
            await own.save_thread(thread(title="Lisbon", metadata={"a": 1}), owner)
            assert client.session(key="trip").title == "Porto"


async def test_messages_of_other_programs_are_items(owner):
    async with store() as own:
        await own.save_thread(thread(), owner)
        await own.add_thread_item("trip", user("one", "hello"), owner)
        with Client(URL, token(owner)) as client:
            session = client.session(key="trip")
            client.append_message(session.id, "USER", "And back?")
            client.append_message(session.id, "ASSISTANT", "At ten.", key="back")
            client.append_message(session.id, "TOOL", raw="[1]")
        found = (await own.load_thread_items("trip", None, 10, "asc", owner)).data
        assert [item.type for item in found] == [
            "user_message",
            "user_message",
            "assistant_message",
            "hidden_context_item",
        ]
        assert found[1].content[0].text == "And back?"
        assert await own.load_item("trip", found[1].id, owner) == found[1]
        assert await ids(own, owner, after=found[1].id) == ["back", found[3].id]
        await own.delete_thread_item("trip", found[1].id, owner)
        assert await ids(own, owner) == ["one", "back", found[3].id]


async def test_pages_reach_beyond_one_request(owner):
    async with store() as own:
        await own.save_thread(thread(), owner)
        names = [f"m{number}" for number in range(230)]
        with Client(URL, token(owner)) as client:
            session = client.session(key="trip").id
            for start in range(0, 230, 100):
                drafts = [
                    {"role": "USER", "key": name, "raw": user(name, name).model_dump_json()}
                    for name in names[start : start + 100]
                ]
                client.append_messages(session, drafts)
        assert await ids(own, owner) == names
        assert await ids(own, owner, order="desc") == names[::-1]
        assert await ids(own, owner, after="m150", limit=3) == ["m151", "m152", "m153"]
        assert await ids(own, owner, after="m50", limit=2, order="desc") == ["m49", "m48"]
        page = await own.load_thread_items("trip", "m226", 3, "asc", owner)
        assert (page.has_more, page.after) == (False, None)
        page = await own.load_thread_items("trip", "m225", 3, "asc", owner)
        assert (page.has_more, page.after) == (True, "m228")
        with pytest.raises(NotFoundError):
            await ids(own, owner, after="absent")


async def test_more_threads_than_the_cap_on_active_sessions_go_on(owner):
    async with store() as own:
        for number in range(8):
            await own.save_thread(thread(f"t{number}", number), owner)
        listed: list[str] = []
        after = None
        while True:
            page = await own.load_threads(3, after, "desc", owner)
            listed += (each.id for each in page.data)
            after = page.after
            if not page.has_more:
                break
        assert listed == [f"t{number}" for number in range(7, -1, -1)]
        await own.add_thread_item("t0", user("one", "hello", "t0"), owner)
        assert await ids(own, owner, of="t0") == ["one"]
        with pytest.raises(NotFoundError):
            await own.load_threads(3, "absent", "desc", owner)


async def test_concurrent_saves_make_one_thread(owner):
    stores = [store() for _ in range(5)]
    await asyncio.gather(*(own.save_thread(thread(), owner) for own in stores))
    assert [each.id for each in (await stores[0].load_threads(10, None, "asc", owner)).data] == ["trip"]
    await asyncio.gather(*(own.save_item("trip", user("one", str(n)), owner) for n, own in enumerate(stores)))
    await asyncio.gather(*(own.add_thread_item("trip", user(f"m{n}", "x"), owner) for n, own in enumerate(stores)))
    assert sorted(await ids(stores[0], owner)) == ["m0", "m1", "m2", "m3", "m4", "one"]
    for own in stores:
        await own.aclose()


async def test_one_store_serves_many_owners_at_the_same_time():
    owners = [new_owner() for _ in range(8)]
    async with store() as own:

        async def talk(each: str) -> str:
            await own.save_thread(thread(), each)
            await own.add_thread_item("trip", user("one", each), each)
            return (await own.load_item("trip", "one", each)).content[0].text

        assert await asyncio.gather(*map(talk, owners)) == owners


async def test_one_identity_acts_for_owners(owner):
    async with store() as own:
        acting = own.__class__(URL, lambda _: token("agents", scope="chat:read chat:write chat:act"), owner=str)
        await acting.save_thread(thread(title="Lisbon"), owner)
        await acting.add_thread_item("trip", user("one", "hello"), owner)
        assert await own.load_thread("trip", owner) == thread(title="Lisbon")
        assert await ids(own, owner) == ["one"]
        with pytest.raises(NotFoundError):
            await acting.load_thread("trip", new_owner())
        await acting.aclose()


async def test_an_erased_thread_leaves_nothing(owner):
    async with store() as own, store() as other:
        await own.save_thread(thread(), owner)
        await own.add_thread_item("trip", user("one", "hello"), owner)
        attached = FileAttachment(id="file", mime_type="text/plain", name="a.txt", thread_id="trip")
        await own.save_attachment(attached, owner)
        assert await own.load_attachment("file", owner) == attached
        await other.delete_thread("trip", owner)
        await other.delete_thread("trip", owner)
        with pytest.raises(NotFoundError):
            await own.load_thread("trip", owner)
        with pytest.raises(NotFoundError):
            await own.add_thread_item("trip", user("two", "hello"), owner)
        with pytest.raises(NotFoundError):
            await own.load_attachment("file", owner)
        assert (await own.load_threads(10, None, "asc", owner)).data == []
        await own.save_thread(thread(), owner)
        await own.add_thread_item("trip", user("one", "again"), owner)
        assert await ids(other, owner) == ["one"]


async def test_a_thread_whose_session_is_in_the_trash_is_absent(owner):
    async with store() as own:
        await own.save_thread(thread(), owner)
        await own.add_thread_item("trip", user("one", "hello"), owner)
        with Client(URL, token(owner)) as client:
            session = client.session(key="trip").id
            client.delete_session(session, "SOFT")
            with pytest.raises(NotFoundError):
                await own.add_thread_item("trip", user("two", "hello"), owner)
            client.restore_session(session)
        assert await ids(own, owner) == ["one"]


async def test_a_deleted_item_can_be_saved_again(owner):
    async with store() as own:
        await own.save_thread(thread(), owner)
        await own.add_thread_item("trip", user("one", "hello"), owner)
        await own.delete_thread_item("trip", "one", owner)
        await own.delete_thread_item("trip", "one", owner)
        await own.save_item("trip", user("one", "again"), owner)
        assert await own.load_item("trip", "one", owner) == user("one", "again")


@pytest.mark.parametrize("name", ["", "a/b", "100%", "\0\n", "x" * 300])
async def test_every_id_has_a_thread_and_an_item_of_its_own(owner, name):
    async with store() as own:
        for each in (name, name + "-"):
            await own.save_thread(thread(each), owner)
            await own.add_thread_item(each, user(each, "hello", each), owner)
            assert await ids(own, owner, of=each) == [each]
        assert len((await own.load_threads(10, None, "asc", owner)).data) == 2


async def test_a_failure_is_the_frameworks_error(owner):
    async with store() as own:
        await own.save_thread(thread(), owner)
        with pytest.raises(StreamError) as refused:
            await own.add_thread_item("trip", user("one", "x" * 2_000_000), owner)
        assert not refused.value.allow_retry
    async with store("http://127.0.0.1:9", attempts=1) as unreachable:
        with pytest.raises(StreamError) as failed:
            await unreachable.load_thread("trip", owner)
        assert failed.value.allow_retry


def test_a_store_serves_several_event_loops(owner):
    own = store()

    async def count(number: int) -> int:
        await own.save_thread(thread(f"t{number}", number), owner)
        found = await own.load_threads(10, None, "asc", owner)
        await own.aclose()
        return len(found.data)

    assert [asyncio.run(count(number)) for number in range(3)] == [1, 2, 3]
    own.close()
