"""Any text and any JSON value is returned unchanged, or refused with the name of its field."""

import json
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.strategies import documents, storable, texts
from tests.support.users import ERRORS, INPUTS

NAME, TEXT = 255, 1_000_000
CLEAR = ("BAD_USER_INPUT", "VALIDATION")


class TextField:
    """A mutation with one field that takes any value; `then` reads the stored value by the object's id."""

    def __init__(self, mutation, field, *, entity, inside=None, min_length=0, max_length=NAME, **rest):
        self.mutation, self.field, self.entity = mutation, field, entity
        self.inside, self.min_length, self.max_length, self.rest = inside, min_length, max_length, rest

    def __repr__(self):
        return f"{self.mutation}.{self.field}"

    @property
    def document(self):
        name = INPUTS.get(self.mutation, self.mutation[0].upper() + self.mutation[1:] + "Input")
        selection = f"{self.entity} {{ id {self.selection} }}"
        return f"mutation ($input: {name}!) {{ {self.mutation}(input: $input) {{ {selection} {ERRORS} }} }}"

    @property
    def selection(self):
        return "agent { key }" if self.field == "agentKey" else self.field

    @property
    def then(self):
        kind = self.entity[0].upper() + self.entity[1:]
        return f"query ($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {self.selection} }} }} }}"

    def input(self, value, **ids):
        fields = {**self.rest, self.field: value}
        return {**ids, self.inside: fields} if self.inside else {**ids, **fields}

    def of(self, entity):
        return entity["agent"]["key"] if self.field == "agentKey" else entity[self.field]


MESSAGE = {"inside": "message", "entity": "message"}
IN_SESSION = {"entity": "sessionAgent"}
AGENT = {"entity": "agent"}
TEXTS = [
    TextField("createSession", "title", entity="session"),
    TextField("createSession", "key", entity="session", min_length=1),
    TextField("createSession", "role", entity="session", min_length=1),
    TextField("createSession", "agentType", entity="session", min_length=1),
    TextField("updateSession", "title", entity="session"),
    TextField("appendMessage", "text", **MESSAGE, max_length=TEXT, role="USER"),
    TextField("appendMessage", "key", **MESSAGE, min_length=1, role="TOOL", text="x"),
    TextField("appendMessage", "agentKey", **MESSAGE, min_length=1, role="ASSISTANT", text="x"),
    TextField("updateMessage", "text", entity="message", max_length=TEXT),
    TextField("putSessionAgent", "key", **IN_SESSION, min_length=1),
    TextField("createAgent", "name", **AGENT, min_length=1, type="x"),
    TextField("createAgent", "type", **AGENT, min_length=1, name="x"),
    TextField("createAgent", "key", **AGENT, min_length=1, name="x", type="x"),
]
VALUES = [
    TextField("createSession", "metadata", entity="session"),
    TextField("updateSession", "metadata", entity="session"),
    TextField("appendMessage", "metadata", **MESSAGE, role="USER", text="x"),
    TextField("updateMessage", "metadata", entity="message"),
    TextField("putSessionAgent", "state", **IN_SESSION, key="k"),
    TextField("putSessionAgent", "conversationManagerState", **IN_SESSION, key="k"),
    TextField("putSessionAgent", "internalState", **IN_SESSION, key="k"),
    TextField("createAgent", "metadata", **AGENT, name="x", type="x"),
]


async def prepared(user, field_under_test):
    """The ids that the input needs besides the field."""
    if field_under_test.mutation in ("createSession", "createAgent"):
        return {}
    session = await user.creates_session()
    if field_under_test.mutation == "updateMessage":
        message = {"role": "USER", "text": "before"}
        payload = await user.does("appendMessage", "message { id }", sessionId=session, message=message)
        return {"id": payload["message"]["id"]}
    return {"id" if field_under_test.mutation == "updateSession" else "sessionId": session}


async def stored_and_read(user, field_under_test, value):
    """The value from the payload and from a read; None if it was refused with the name of the field."""
    response = await user.responds(
        field_under_test.document, input=field_under_test.input(value, **await prepared(user, field_under_test))
    )
    if errors := response.get("errors"):
        assert errors[0]["extensions"]["code"] in CLEAR, errors
        assert field_under_test.field in errors[0]["message"] or "nested too deeply" in errors[0]["message"], errors
        return None
    payload = response["data"][field_under_test.mutation]
    if payload["errors"]:
        [refusal] = payload["errors"]
        assert (refusal["code"], refusal["field"][-1]) == ("VALIDATION", field_under_test.field), refusal
        return None
    stored = payload[field_under_test.entity]
    again = (await user.asks(field_under_test.then, id=stored["id"]))["node"]
    assert exact(field_under_test.of(stored)) == exact(field_under_test.of(again))
    return stored


def exact(value):
    """The JSON of a value: 1, 1.0 and true differ, and so do two orders of keys."""
    return json.dumps(value)


@given(data=st.data())
async def test_text_is_returned_unchanged_or_refused_by_field(server, data):
    field_under_test = data.draw(st.sampled_from(TEXTS), "into")
    value = data.draw(texts, "text")
    stored = await stored_and_read(_new_user(server), field_under_test, value)
    fits = storable(value) and field_under_test.min_length <= len(value) <= field_under_test.max_length
    assert (stored is not None) == fits
    assert stored is None or field_under_test.of(stored) == value


@given(data=st.data())
async def test_json_is_returned_unchanged_or_refused_by_field(server, data):
    field_under_test = data.draw(st.sampled_from(VALUES), "into")
    value = data.draw(documents.filter(lambda value: value is not None), "value")
    stored = await stored_and_read(_new_user(server), field_under_test, value)
    if stored is None:
        assert not is_acceptable(value)
    else:
        assert exact(field_under_test.of(stored)) == exact(value)


def is_acceptable(value, depth=200):
    """True if the JSON scalar must accept the value."""
    match value:
        case str():
            return not any("\ud800" <= character <= "\udfff" for character in value)
        case bool():
            return True
        case int():
            return -(2**63) <= value < 2**64
        case list():
            return depth > 0 and all(is_acceptable(item, depth - 1) for item in value)
        case dict():
            return depth > 0 and all(
                is_acceptable(key) and is_acceptable(item, depth - 1) for key, item in value.items()
            )
    return True


@given(raw=texts | documents.map(json.dumps) | documents.map(lambda state: json.dumps({"state": state})))
async def test_raw_document_is_returned_character_for_character(server, raw):
    user = _new_user(server)
    field_under_test = TextField("putSessionAgent", "raw", entity="sessionAgent", key="k")
    stored = await stored_and_read(user, field_under_test, raw)
    assert (stored is not None) == storable(raw)
    assert stored is None or stored["raw"] == raw


QUESTIONS = {
    "session by key": "query ($text: String) { session(key: $text) { id } }",
    "agent by key": "query ($text: String) { agent(key: $text) { id } }",
    "node": "query ($text: ID!) { node(id: $text) { id } }",
    "sessions by query": "query ($text: String) { sessions(filter: {query: $text}) { nodes { id } totalCount } }",
    "sessions by role": "query ($text: String) { sessions(filter: {role: $text, agentType: $text}) { nodes { id } } }",
    "agents": "query ($text: String!) { agents(filter: {query: $text, skills: [$text]}) { nodes { id } } }",
    "messages": """query ($text: String!) { sessions { nodes {
        message(key: $text, agentKey: $text) { id } agent(key: $text) { id }
        messages(filter: {agentKey: $text}) { nodes { id } } } } }""",
}


@pytest.mark.parametrize("question", QUESTIONS)
@given(text=texts)
async def test_any_text_is_a_valid_lookup_key(server, asker, question, text):
    """The lookup returns nothing or is refused; it is never a server error."""
    response = await asker.responds(QUESTIONS[question], text=text)
    if errors := response.get("errors"):
        assert {error["extensions"]["code"] for error in errors} == {"BAD_USER_INPUT"}
        assert not storable(text)


@pytest.fixture(scope="module")
async def asker(server):
    """An owner with one session that matches no lookup."""
    user = _new_user(server)
    await user.appends(await user.creates_session("x"), "x", agentKey="an agent")
    return user


def _new_user(server):
    return server.user(f"somebody-{uuid4().hex[:12]}")
