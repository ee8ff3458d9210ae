"""Documents come back equal, for every value that Python's json module represents."""

import json
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repositories import repository
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType

ANY_TEXT = st.text(st.characters())  # NUL and lone surrogates too
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**18, 10**400)
    | st.floats()
    | ANY_TEXT
    | st.binary()
    | st.sampled_from(["\0", "\ud800", "\udfff\ud800", "\\u0000", 2**63, -(2**64), -0.0, 5e-324, "__bytes_encoded__"])
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=12)
NUMBERS = count()
EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def stored():
    """A repository with a session and an agent in it."""
    with repository() as own:
        own.create_session(Session("s", SessionType.AGENT))
        own.create_agent("s", SessionAgent("a", {}, {}))
        yield own


def same(one, other) -> bool:
    """True if both are equal, key order and the spelling of numbers included; NaN equals itself."""
    return json.dumps(one.to_dict()) == json.dumps(other.to_dict())


@EXAMPLES
@given(VALUES)
def test_a_message_comes_back_equal(stored, value):
    number = next(NUMBERS)
    message = SessionMessage({"role": "user", "content": [{"toolUse": {"input": value}}]}, number)
    stored.create_message("s", "a", message)
    assert same(stored.read_message("s", "a", number), message)
    assert same(stored.list_messages("s", "a", offset=number)[0], message)
    message.redact_message = {"role": "user", "content": [{"json": value}]}
    stored.update_message("s", "a", message)
    assert same(stored.read_message("s", "a", number), message)


@EXAMPLES
@given(VALUES, VALUES, VALUES)
def test_an_agent_comes_back_equal(stored, state, manager, internal):
    agent = SessionAgent("a", {"v": state}, {"v": manager}, {"v": internal})
    stored.update_agent("s", agent)
    assert same(stored.read_agent("s", "a"), agent)


@EXAMPLES
@given(st.dictionaries(ANY_TEXT, VALUES))
def test_an_orchestrator_comes_back_equal(stored, state):
    class Orchestrator:
        id = "graph"

        def serialize_state(self):
            return state

    if stored.read_multi_agent("s", "graph") is None:
        stored.create_multi_agent("s", Orchestrator())
    stored.update_multi_agent("s", Orchestrator())
    found = SessionAgent("a", stored.read_multi_agent("s", "graph"), {})
    assert json.dumps(found.to_dict()["state"]) == json.dumps(SessionAgent("a", state, {}).to_dict()["state"])
