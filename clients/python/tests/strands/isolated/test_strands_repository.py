"""What the suite of strands-agents does not test: requests, windows, strangers, sessions of other programs."""

import pytest
from colloquy.operations.message import draft
from repositories import repository
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType


def user_message(number: int, text: str = "") -> SessionMessage:
    return SessionMessage({"role": "user", "content": [{"text": text or str(number)}]}, number)


def create_session(own_repository, session="s") -> str:
    """Creates a session with an agent; returns the server's id of the session."""
    own_repository.create_session(Session(session, SessionType.AGENT))
    own_repository.create_agent(session, SessionAgent("a", {}, {}))
    return own_repository.client.session(key=session).id


def record_requests(own_repository) -> list:
    """A list to which every following request is appended."""
    sent = []
    own_repository.client._http.event_hooks = {"request": [sent.append]}
    return sent


def test_messages_have_roles_texts_and_agents(own_repository):
    session = create_session(own_repository)
    own_repository.create_message("s", "a", user_message(0, "What is in my calendar?"))
    use = {"toolUse": {"toolUseId": "1", "name": "calendar", "input": {}}}
    own_repository.create_message(
        "s", "a", SessionMessage({"role": "assistant", "content": [{"text": "Let me see."}, use]}, 1)
    )
    result = {"toolResult": {"toolUseId": "1", "status": "success", "content": [{"text": "nothing"}]}}
    own_repository.create_message("s", "a", SessionMessage({"role": "user", "content": [result]}, 2))
    stored = [(node.role, node.text, node.agent.key) for node in own_repository.client.messages(session)]
    assert stored[:2] == [("USER", "What is in my calendar?", "a"), ("ASSISTANT", "Let me see.", "a")]
    assert stored[2][0] == "TOOL"
    assert own_repository.client.session(key="s").title == "What is in my calendar?"


def test_a_window_is_a_slice_of_all_messages(own_repository):
    session = create_session(own_repository)
    for start in range(0, 230, 100):
        drafts = [draft("USER", f"{n}", key=str(n), agent_key="a") for n in range(start, min(start + 100, 230))]
        own_repository.client.append_messages(session, drafts)
    own_repository.client.append_message(session, "USER", "of another agent", agent_key="b")
    texts = [str(number) for number in range(230)]
    for limit, offset in [(None, 0), (None, 5), (None, 130), (None, 229), (None, 230), (None, 500), (0, 0), (3, 0)]:
        found = own_repository.list_messages("s", "a", limit, offset)
        assert [one.message["content"][0]["text"] for one in found] == texts[offset:][:limit], (limit, offset)
        assert [one.message_id for one in found] == list(range(230))[offset:][:limit]
    for limit, offset in [(100, 0), (50, 60), (10, 95), (200, 20), (300, 229), (5, 300)]:
        found = own_repository.list_messages("s", "a", limit, offset)
        assert [one.message["content"][0]["text"] for one in found] == texts[offset:][:limit], (limit, offset)


def test_the_end_of_a_long_conversation_takes_one_request(own_repository):
    session = create_session(own_repository)
    for _page in range(3):
        own_repository.client.append_messages(session, [draft("USER", "x", agent_key="a") for _ in range(100)])
    sent = record_requests(own_repository)
    assert len(own_repository.list_messages("s", "a", offset=250)) == 50
    assert len(sent) == 1
    assert len(own_repository.list_messages("s", "a", limit=10, offset=20)) == 10
    assert len(sent) == 2
    assert len(own_repository.list_messages("s", "a")) == 300
    assert len(sent) == 5


def test_a_message_takes_one_request(own_repository):
    create_session(own_repository)
    sent = record_requests(own_repository)
    own_repository.create_message("s", "a", user_message(0))
    own_repository.update_agent("s", SessionAgent("a", {"n": 1}, {}))
    assert len(sent) == 2


def test_a_session_that_another_process_recreated_is_found(own_repository, owner):
    create_session(own_repository)
    own_repository.create_message("s", "a", user_message(0))
    with repository(owner) as other_process:
        other_process.delete_session("s")
        with pytest.raises(SessionException, match="does not exist"):
            own_repository.create_message("s", "a", user_message(1))
        create_session(other_process)
        own_repository.create_message("s", "a", user_message(0, "again"))
        assert [one.message["content"] for one in other_process.list_messages("s", "a")] == [[{"text": "again"}]]


def test_a_stranger_reads_and_writes_nothing(own_repository):
    create_session(own_repository)
    own_repository.create_message("s", "a", user_message(0))
    with repository() as stranger:
        assert stranger.read_session("s") is None
        assert stranger.read_agent("s", "a") is None
        assert stranger.read_message("s", "a", 0) is None
        for request in (
            lambda: stranger.list_messages("s", "a"),
            lambda: stranger.create_message("s", "a", user_message(1)),
            lambda: stranger.update_message("s", "a", user_message(0)),
            lambda: stranger.delete_session("s"),
        ):
            with pytest.raises(SessionException, match="does not exist"):
                request()


def test_an_update_keeps_the_time_of_creation(own_repository, owner):
    create_session(own_repository)
    created_at = own_repository.read_agent("s", "a").created_at
    with repository(owner) as later:
        later.update_agent("s", SessionAgent("a", {"n": 1}, {}))
        assert (later.read_agent("s", "a").created_at, later.read_agent("s", "a").state) == (created_at, {"n": 1})
    own_repository.create_message("s", "a", user_message(0))
    first = own_repository.read_message("s", "a", 0)
    own_repository.update_message("s", "a", user_message(0, "other"))
    assert own_repository.read_message("s", "a", 0).created_at == first.created_at


def test_messages_of_another_program_are_part_of_the_conversation(own_repository):
    session = own_repository.client.create_session(key="chat").session
    own_repository.client.append_message(session.id, "USER", "hello from the page", agent_key="a")
    assert own_repository.read_session("chat").session_id == "chat"
    assert own_repository.read_agent("chat", "a").state == {}
    [found] = own_repository.list_messages("chat", "a")
    assert (found.message_id, found.message) == (0, {"role": "user", "content": [{"text": "hello from the page"}]})


def test_a_repeated_message_is_stored_once_and_a_different_one_is_refused(own_repository):
    create_session(own_repository)
    message = user_message(0)
    own_repository.create_message("s", "a", message)
    own_repository.create_message("s", "a", message)
    assert len(own_repository.list_messages("s", "a")) == 1
    with pytest.raises(SessionException, match="CONFLICT"):
        own_repository.create_message("s", "a", user_message(0, "other"))


def test_every_failure_is_a_session_exception(own_repository):
    create_session(own_repository)
    with pytest.raises(SessionException, match="JSON cannot represent this"):
        own_repository.create_message("s", "a", SessionMessage({"role": "user", "content": [{"text": object()}]}, 0))
    with pytest.raises(SessionException, match="VALIDATION"):
        own_repository.create_session(Session("x" * 300, SessionType.AGENT))
    with repository() as unauthenticated:
        unauthenticated.client._token = "invalid"
        with pytest.raises(SessionException, match="UNAUTHENTICATED"):
            unauthenticated.read_session("s")


async def test_it_works_inside_a_running_loop(own_repository):
    create_session(own_repository)
    own_repository.create_message("s", "a", user_message(0))
    assert len(own_repository.list_messages("s", "a")) == 1
