"""What the peer's tests leave out: steps, feedback, lists, strangers, races, files, the sidebar."""

import asyncio
from contextlib import contextmanager
from unittest.mock import Mock

import pytest
from chainlit.context import ChainlitContext, context_var
from chainlit.data.storage_clients.base import BaseStorageClient
from chainlit.element import Text
from chainlit.session import HTTPSession
from chainlit.types import Feedback, Pagination, ThreadFilter
from chainlit.user import User
from colloquy import Client
from colloquy.errors import ColloquyError, Invalid, NotFound
from data_layers import URL, data_layer, new_owner, token
from sent_operations import sent_operations


@pytest.fixture(autouse=True)
def context():
    """The context of a request: a data layer's methods look for one."""
    session = Mock(spec=HTTPSession)
    session.thread_id = "trip"
    mark = context_var.set(Mock(spec=ChainlitContext, session=session))
    yield
    context_var.reset(mark)


class Files(BaseStorageClient):
    """A storage of files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | str] = {}

    async def upload_file(self, object_key, data, mime="", overwrite=True, content_disposition=None):
        self.files[object_key] = data
        return {"object_key": object_key, "url": f"https://files.test/{object_key}"}

    async def delete_file(self, object_key):
        return self.files.pop(object_key, None) is not None

    async def get_read_url(self, object_key):
        return f"https://files.test/signed/{object_key}"

    async def close(self):
        self.files = {}


@contextmanager
def client_of(owner):
    with Client(URL, token(owner)) as client:
        yield client


def step(id: str, output: str = "", type: str = "user_message", second: int = 0, **fields) -> dict:
    created = f"2026-01-02T03:04:{second:02}Z"
    base = {"id": id, "threadId": "trip", "name": "Ann", "type": type, "input": "", "output": output}
    return {**base, "createdAt": created, "metadata": {}, **fields}


async def outputs(own, thread: str = "trip") -> list[tuple[str, str]]:
    return [(each["id"], each["output"]) for each in (await own.get_thread(thread))["steps"]]


async def test_a_thread_is_its_owners(owner):
    own, stranger = data_layer(owner), data_layer(new_owner())
    user = await own.create_user(User(identifier="ann"))
    await own.update_thread("trip", name="Lisbon", user_id=user.id)
    await own.create_step(step("one", "Hello\0"))
    await own.upsert_feedback(Feedback(forId="one", value=1))
    assert await stranger.get_user("ann") is None
    assert await stranger.get_thread("trip") is None
    assert (await stranger.list_threads(Pagination(first=5), ThreadFilter(userId=user.id))).data == []
    with pytest.raises(ValueError, match="Author"):
        await stranger.get_thread_author("trip")
    with pytest.raises(ValueError, match="User"):
        await stranger.update_thread("trip", user_id=user.id)
    with pytest.raises(ValueError, match="Thread"):
        await stranger.upsert_feedback(Feedback(forId="one", threadId="trip", value=0))
    assert not await stranger.delete_feedback("one")
    await stranger.delete_step("one")
    await stranger.delete_thread("trip")
    await stranger.create_step(step("one", "mine"))
    assert await outputs(own) == [("one", "Hello\0")]
    assert await outputs(stranger) == [("one", "mine")]
    for each in (own, stranger):
        await each.close()


async def test_the_sidebar_shows_the_thread(owner):
    own = data_layer(owner)
    await own.create_step(step("run", type="run", name="on_message"))
    await own.create_step(step("one", "When does the train leave?", second=1))
    await own.create_step(step("two", "At", "assistant_message", 2, streaming=True))
    await own.update_step(step("two", "At nine.", "assistant_message", 2))
    with client_of(owner) as client:
        found = client.session(key="trip")
        assert (found.title, found.message_count) == ("When does the train leave?", 2)
        messages = [(message.role, message.text) for message in client.messages(found.id)]
        assert messages == [("USER", "When does the train leave?"), ("ASSISTANT", "At nine.")]
        await own.update_thread("trip", name="Lisbon")
        assert client.session(key="trip").title == "Lisbon"
        client.append_message(found.id, "USER", "And back?")
        await own.delete_thread("trip")
        assert list(client.sessions()) == []
        assert list(client.records(("chainlit",))) == []
    await own.close()


async def test_messages_of_other_programs_are_steps(owner):
    own = data_layer(owner)
    await own.create_step(step("one", "Hello"))
    with client_of(owner) as client:
        client.append_message(client.session(key="trip").id, "ASSISTANT", "At ten.", key="back")
        client.append_message(client.session(key="trip").id, "TOOL", raw="[1]")
    found = (await own.get_thread("trip"))["steps"]
    assert [(each["type"], each["output"]) for each in found] == [
        ("user_message", "Hello"),
        ("assistant_message", "At ten."),
        ("tool", "[1]"),
    ]
    await own.close()


async def test_steps_come_back_as_they_were(owner):
    own = data_layer(owner)
    sent = [
        step("one", "Hello", tags=["a"], metadata={"b": [1, None]}, language="en"),
        step("tool", "nine", "tool", 1, parentId="one", input="trains", isError=False, generation={"m": 1}),
    ]
    for each in sent:
        await own.create_step(each)
    assert (await own.get_thread("trip"))["steps"] == [{**each, "feedback": None} for each in sent]
    await own.update_step({"id": "tool", "threadId": "trip", "type": "tool", "output": "ten"})
    await own.update_step({"id": "one", "threadId": "trip", "type": "user_message", "output": "Hi"})
    found = (await own.get_thread("trip"))["steps"]
    assert found == [{**sent[0], "output": "Hi", "feedback": None}, {**sent[1], "output": "ten", "feedback": None}]
    await own.close()


async def test_a_deleted_step_takes_its_elements_and_its_feedback_along(owner):
    files = Files()
    own = data_layer(owner, storage_provider=files)
    for kind, name in (("user_message", "one"), ("tool", "two")):
        await own.create_step(step(name, "x", kind))
        await own.create_element(Text(id=f"of-{name}", name="a.txt", content="text", for_id=name, thread_id="trip"))
        await own.upsert_feedback(Feedback(forId=name, value=1))
    assert len(files.files) == 2
    for name in ("one", "two", "absent"):
        await own.delete_step(name)
    found = await own.get_thread("trip")
    assert (found["steps"], found["elements"], files.files) == ([], [], {})
    await own.create_step(step("one", "again"))
    [again] = (await own.get_thread("trip"))["steps"]
    assert (again["output"], again["feedback"]) == ("again", None)
    await own.close()


async def test_elements_are_descriptions_and_files(owner):
    files = Files()
    own = data_layer(owner, storage_provider=files)
    await own.create_element(Text(id="file", name="a.txt", content="text", for_id="one", thread_id="trip"))
    await own.create_element(Text(id="lost", name="a.txt", content="text", thread_id="trip"))
    found = await own.get_element("trip", "file")
    assert (found["url"], found["forId"]) == ("https://files.test/signed/trip/file/a.txt", "one")
    assert await own.get_element("trip", "lost") is None
    assert await own.get_element("other", "file") is None
    await own.delete_element("file")
    await own.delete_element("file")
    assert (await own.get_element("trip", "file"), files.files) == (None, {})
    await own.create_element(Text(id="file", name="a.txt", content="text", for_id="one", thread_id="trip"))
    await own.delete_thread("trip")
    assert files.files == {}
    await own.close()
    without = data_layer(owner)
    await without.create_element(Text(id="lost", name="a", content="text", for_id="one", thread_id="trip"))
    await without.create_element(Text(id="far", name="a", url="https://x.test/a", for_id="one", thread_id="trip"))
    assert [each["id"] for each in (await without.get_thread("trip"))["elements"]] == ["far"]
    await without.close()


async def test_feedback_is_kept_with_its_step(owner):
    own = data_layer(owner)
    await own.create_step(step("one", "Hello"))
    id = await own.upsert_feedback(Feedback(forId="one", value=0, comment="no"))
    assert await own.upsert_feedback(Feedback(forId="one", value=1, threadId="trip", id=id)) == id
    [found] = (await own.get_thread("trip"))["steps"]
    assert found["feedback"] == {"id": id, "forId": "one", "value": 1, "comment": None}
    assert await own.delete_feedback(id)
    assert not await own.delete_feedback(id)
    assert not await own.delete_feedback("absent")
    assert (await own.get_thread("trip"))["steps"][0]["feedback"] is None
    await own.close()


async def test_threads_are_listed_page_by_page(owner):
    own = data_layer(owner)
    user, other = [await own.create_user(User(identifier=name)) for name in ("ann", "bob")]
    for number in range(5):
        await own.update_thread(f"t{number}", user_id=user.id, tags=["a"])
        await own.create_step(step(f"s{number}", f"Number {number}", threadId=f"t{number}"))
    await own.update_thread("theirs", user_id=other.id)
    await own.upsert_feedback(Feedback(forId="s3", value=0))

    async def page(first: int, cursor: str | None = None, **filters) -> tuple[list[str], bool]:
        filters = ThreadFilter(userId=user.id, **filters)
        found = await own.list_threads(Pagination(first=first, cursor=cursor), filters)
        assert found.pageInfo.endCursor == (found.data[-1]["id"] if found.data else None)
        return [each["id"] for each in found.data], found.pageInfo.hasNextPage

    assert await page(2) == (["t4", "t3"], True)
    assert await page(2, "t3") == (["t2", "t1"], True)
    assert await page(2, "t1") == (["t0"], False)
    assert await page(9, search="number 2") == (["t2"], False)
    assert await page(9, feedback=0) == (["t3"], False)
    assert await page(9, feedback=1) == ([], False)
    await own.update_thread("t4", user_id=other.id)
    assert await page(1) == (["t3"], True)
    assert await own.get_thread_author("t4") == "bob"
    with pytest.raises(ValueError, match="userId"):
        await own.list_threads(Pagination(first=1), ThreadFilter())
    await own.close()


async def test_users_are_created_once(owner):
    layers = [data_layer(owner) for _ in range(4)]
    created = await asyncio.gather(
        *(own.create_user(User(identifier="ann", metadata={"n": number})) for number, own in enumerate(layers))
    )
    assert len({user.id for user in created}) == 1
    changed = await layers[0].create_user(User(identifier="ann", metadata={"role": "admin"}, display_name="Ann"))
    assert (await layers[1].get_user("ann")) == changed
    assert (changed.createdAt, changed.metadata) == (created[0].createdAt, {"role": "admin"})
    for own in layers:
        await own.close()


async def test_concurrent_changes_of_a_thread_are_all_kept(owner):
    own = data_layer(owner)
    await asyncio.gather(*(own.update_thread("trip", metadata={str(number): number}) for number in range(6)))
    assert (await own.get_thread("trip"))["metadata"] == {str(number): number for number in range(6)}
    await asyncio.gather(*(own.create_step(step(f"s{number}", "x", second=number)) for number in range(6)))
    assert len((await own.get_thread("trip"))["steps"]) == 6
    with client_of(owner) as client:
        assert [found.message_count for found in client.sessions()] == [6]
    await own.close()


@pytest.mark.parametrize("type", ["assistant_message", "tool"])
async def test_a_step_that_is_created_and_updated_at_once_has_the_values_of_the_update(owner, type):
    own = data_layer(owner)
    for number in range(8):
        id = f"s{number}"
        tasks = [own.create_step(step(id, "", type, number, tags=["a"])), own.update_step(step(id, "x", type, number))]
        await asyncio.gather(*(tasks if number % 2 else tasks[::-1]))
    found = (await own.get_thread("trip"))["steps"]
    assert [(each["output"], each["tags"]) for each in found] == [("x", ["a"])] * 8
    await asyncio.gather(own.update_step(step("s0", "y", type)), own.delete_step("s0"))
    assert "s0" not in [id for id, _ in await outputs(own)]
    await own.close()


async def test_a_step_is_stored_though_its_key_was_taken_and_free_again(owner):
    """Between its requests, another process appends the message and a third one deletes it."""
    own = data_layer(owner)
    await own.create_step(step("one", "Hello"))
    with client_of(owner) as client:
        session = client.session(key="trip").id
        theirs = []

        async def take() -> None:
            theirs.append(client.append_message(session, "ASSISTANT", "theirs", key="two"))

        async def free() -> None:
            client.delete_message(theirs.pop().id)

        names = sent_operations(own, ("AppendMessage", take), ("Message", free))
        await own.create_step(step("two", "At nine.", "assistant_message", 1))
        assert names[-5:] == ["PutRecords", "AppendMessage", "Message", "PutRecords", "AppendMessage"]
        assert theirs == []
    assert await outputs(own) == [("one", "Hello"), ("two", "At nine.")]
    await own.close()


async def test_a_step_that_another_process_stores_first_is_completed(owner):
    own, other = data_layer(owner), data_layer(owner)
    await own.create_step(step("one", "Hello"))

    async def store() -> None:
        await other.create_step(step("two", "At nine.", "assistant_message", 1))

    names = sent_operations(own, ("AppendMessage", store))
    await own.create_step(step("two", "", "assistant_message", 1, tags=["a"]))
    assert names[-3:] == ["AppendMessage", "Message", "UpdateMessage"]
    _, found = (await own.get_thread("trip"))["steps"]
    assert (found["output"], found["tags"]) == ("At nine.", ["a"])
    for each in (own, other):
        await each.close()


async def test_marked_steps_are_listed(owner):
    own = data_layer(owner)
    user = await own.create_user(User(identifier="ann"))
    await own.update_thread("trip", user_id=user.id)
    for number, kind in enumerate(("user_message", "tool")):
        each = step(f"s{number}", "x", kind, number)
        await own.create_step(each)
        await own.set_step_favorite(each, True)
    assert [each["id"] for each in await own.get_favorite_steps(user.id)] == ["s1", "s0"]
    await own.set_step_favorite(step("s1", "x", "tool", 1), False)
    assert [each["id"] for each in await own.get_favorite_steps(user.id)] == ["s0"]
    assert await own.get_favorite_steps("nobody") == []
    await own.close()


@pytest.mark.parametrize("name", ["a/b", "100%", "\0\n", "x" * 300])
async def test_every_id_has_a_thread_of_its_own(owner, name):
    own = data_layer(owner)
    for each in (name, name + "-"):
        await own.create_step(step(each, each, threadId=each))
        assert await outputs(own, each) == [(each, each)]
    await own.close()


async def test_a_failure_names_its_reason(owner):
    own = data_layer(owner)
    with pytest.raises(Invalid):
        await own.create_step(step("one", "x" * 2_000_000))
    with client_of(owner) as client:
        client.delete_session(client.session(key="trip").id, "SOFT")
    with pytest.raises(NotFound):
        await own.create_step(step("two", "hello"))
    await own.close()
    unreachable = data_layer(owner, "http://127.0.0.1:9", attempts=1)
    with pytest.raises(ColloquyError):
        await unreachable.get_thread("trip")
    await unreachable.close()


async def test_the_end_of_a_block_closes_everything(owner):
    files = Files()
    async with data_layer(owner, storage_provider=files) as own:
        await own.create_element(Text(id="file", name="a.txt", content="text", for_id="one", thread_id="trip"))
        assert files.files
    assert files.files == {}  # its `close` was called
    with pytest.raises(RuntimeError, match="closed"):
        own.client.session(key="trip")


def test_the_end_of_a_block_without_an_event_loop_closes_the_blocking_client(owner):
    with data_layer(owner) as own:
        assert own.client.session(key="trip") is None
    with pytest.raises(RuntimeError, match="closed"):
        own.client.session(key="trip")


def test_a_data_layer_serves_several_event_loops(owner):
    own = data_layer(owner)

    async def count(number: int) -> int:
        await own.create_step(step(f"s{number}", "x", second=number))
        found = await own.get_thread("trip")
        await own.aclose()
        return len(found["steps"])

    assert [asyncio.run(count(number)) for number in range(3)] == [1, 2, 3]
