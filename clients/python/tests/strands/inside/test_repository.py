"""The repository's own stories: what the peer's tests do not ask."""

import pytest
from colloquy.calls.message import draft
from owners import repository
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType


def said(number: int, text: str = "") -> SessionMessage:
    return SessionMessage({"role": "user", "content": [{"text": text or str(number)}]}, number)


def begun(mine, session="s") -> str:
    """The server's id of a new session with an agent in it."""
    mine.create_session(Session(session, SessionType.AGENT))
    mine.create_agent(session, SessionAgent("a", {}, {}))
    return mine.client.session(key=session).id


def requests(mine) -> list:
    """The requests sent from now on."""
    sent = []
    mine.client._http.event_hooks = {"request": [sent.append]}
    return sent


def test_people_see_what_the_agent_says(mine):
    session = begun(mine)
    mine.create_message("s", "a", said(0, "What is in my calendar?"))
    use = {"toolUse": {"toolUseId": "1", "name": "calendar", "input": {}}}
    mine.create_message("s", "a", SessionMessage({"role": "assistant", "content": [{"text": "Let me see."}, use]}, 1))
    result = {"toolResult": {"toolUseId": "1", "status": "success", "content": [{"text": "nothing"}]}}
    mine.create_message("s", "a", SessionMessage({"role": "user", "content": [result]}, 2))
    shown = [(one.role, one.text, one.agent.key) for one in mine.client.messages(session)]
    assert shown[:2] == [("USER", "What is in my calendar?", "a"), ("ASSISTANT", "Let me see.", "a")]
    assert shown[2][0] == "TOOL"
    assert mine.client.session(key="s").title == "What is in my calendar?"


def test_any_window_is_a_slice_of_the_whole(mine):
    session = begun(mine)
    for start in range(0, 230, 100):
        drafts = [draft("USER", f"{n}", key=str(n), agent_key="a") for n in range(start, min(start + 100, 230))]
        mine.client.append_messages(session, drafts)
    mine.client.append_message(session, "USER", "another's", agent_key="b")
    whole = [str(number) for number in range(230)]
    for limit, offset in [(None, 0), (None, 5), (None, 130), (None, 229), (None, 230), (None, 500), (0, 0), (3, 0)]:
        found = mine.list_messages("s", "a", limit, offset)
        assert [one.message["content"][0]["text"] for one in found] == whole[offset:][:limit], (limit, offset)
        assert [one.message_id for one in found] == list(range(230))[offset:][:limit]
    for limit, offset in [(100, 0), (50, 60), (10, 95), (200, 20), (300, 229), (5, 300)]:
        found = mine.list_messages("s", "a", limit, offset)
        assert [one.message["content"][0]["text"] for one in found] == whole[offset:][:limit], (limit, offset)


def test_the_end_of_a_long_conversation_costs_one_request(mine):
    session = begun(mine)
    for _hundred in range(3):
        mine.client.append_messages(session, [draft("USER", "x", agent_key="a") for _ in range(100)])
    sent = requests(mine)
    assert len(mine.list_messages("s", "a", offset=250)) == 50
    assert len(sent) == 1
    assert len(mine.list_messages("s", "a", limit=10, offset=20)) == 10
    assert len(sent) == 2
    assert len(mine.list_messages("s", "a")) == 300
    assert len(sent) == 5


def test_a_message_costs_one_request(mine):
    begun(mine)
    sent = requests(mine)
    mine.create_message("s", "a", said(0))
    mine.update_agent("s", SessionAgent("a", {"n": 1}, {}))
    assert len(sent) == 2


def test_a_session_that_was_erased_and_begun_again_elsewhere_is_found(mine, owner):
    begun(mine)
    mine.create_message("s", "a", said(0))
    with repository(owner) as elsewhere:
        elsewhere.delete_session("s")
        with pytest.raises(SessionException, match="does not exist"):
            mine.create_message("s", "a", said(1))
        begun(elsewhere)
        mine.create_message("s", "a", said(0, "again"))
        assert [one.message["content"] for one in elsewhere.list_messages("s", "a")] == [[{"text": "again"}]]


def test_a_stranger_finds_nothing(mine):
    begun(mine)
    mine.create_message("s", "a", said(0))
    with repository() as stranger:
        assert stranger.read_session("s") is None
        assert stranger.read_agent("s", "a") is None
        assert stranger.read_message("s", "a", 0) is None
        for act in (
            lambda: stranger.list_messages("s", "a"),
            lambda: stranger.create_message("s", "a", said(1)),
            lambda: stranger.update_message("s", "a", said(0)),
            lambda: stranger.delete_session("s"),
        ):
            with pytest.raises(SessionException, match="does not exist"):
                act()


def test_the_time_of_creation_stays(mine, owner):
    begun(mine)
    born = mine.read_agent("s", "a").created_at
    with repository(owner) as later:
        later.update_agent("s", SessionAgent("a", {"n": 1}, {}))
        assert (later.read_agent("s", "a").created_at, later.read_agent("s", "a").state) == (born, {"n": 1})
    mine.create_message("s", "a", said(0))
    first = mine.read_message("s", "a", 0)
    mine.update_message("s", "a", said(0, "other"))
    assert mine.read_message("s", "a", 0).created_at == first.created_at


def test_what_another_program_said_is_part_of_the_conversation(mine):
    session = mine.client.create_session(key="chat").session
    mine.client.append_message(session.id, "USER", "hello from the page", agent_key="a")
    assert mine.read_session("chat").session_id == "chat"
    assert mine.read_agent("chat", "a").state == {}
    [found] = mine.list_messages("chat", "a")
    assert (found.message_id, found.message) == (0, {"role": "user", "content": [{"text": "hello from the page"}]})


def test_the_same_message_twice_is_one_and_another_under_its_id_is_refused(mine):
    begun(mine)
    message = said(0)
    mine.create_message("s", "a", message)
    mine.create_message("s", "a", message)
    assert len(mine.list_messages("s", "a")) == 1
    with pytest.raises(SessionException, match="CONFLICT"):
        mine.create_message("s", "a", said(0, "other"))


def test_what_json_cannot_carry_and_what_the_server_refuses_are_session_exceptions(mine):
    begun(mine)
    with pytest.raises(SessionException, match="JSON cannot carry this"):
        mine.create_message("s", "a", SessionMessage({"role": "user", "content": [{"text": object()}]}, 0))
    with pytest.raises(SessionException, match="VALIDATION"):
        mine.create_session(Session("x" * 300, SessionType.AGENT))
    with repository() as closed:
        closed.client._token = "nonsense"
        with pytest.raises(SessionException, match="UNAUTHENTICATED"):
            closed.read_session("s")


async def test_it_works_inside_a_running_loop(mine):
    begun(mine)
    mine.create_message("s", "a", said(0))
    assert len(mine.list_messages("s", "a")) == 1
