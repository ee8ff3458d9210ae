"""Any text and any JSON value: what went in comes out, or it is refused with the name of its field."""

import json
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.strategies import documents, plain, texts
from tests.support.users import ERRORS, INPUTS

NAME, TEXT = 255, 1_000_000
CLEAR = ("BAD_USER_INPUT", "VALIDATION")


class Face:
    """A mutation with one field that takes anything; `then` reads what was stored, by the entity's id."""

    def __init__(self, mutation, field, *, entity, inside=None, least=0, most=NAME, **rest):
        self.mutation, self.field, self.entity = mutation, field, entity
        self.inside, self.least, self.most, self.rest = inside, least, most, rest

    def __repr__(self):
        return f"{self.mutation}.{self.field}"

    @property
    def document(self):
        name = INPUTS.get(self.mutation, self.mutation[0].upper() + self.mutation[1:] + "Input")
        selection = f"{self.entity} {{ id {self.shown} }}"
        return f"mutation ($input: {name}!) {{ {self.mutation}(input: $input) {{ {selection} {ERRORS} }} }}"

    @property
    def shown(self):
        return "agent { key }" if self.field == "agentKey" else self.field

    @property
    def then(self):
        kind = self.entity[0].upper() + self.entity[1:]
        return f"query ($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {self.shown} }} }} }}"

    def input(self, value, **ids):
        given = {**self.rest, self.field: value}
        return {**ids, self.inside: given} if self.inside else {**ids, **given}

    def of(self, entity):
        return entity["agent"]["key"] if self.field == "agentKey" else entity[self.field]


MESSAGE = {"inside": "message", "entity": "message"}
IN_SESSION = {"entity": "sessionAgent"}
AGENT = {"entity": "agent"}
TEXTS = [
    Face("createSession", "title", entity="session"),
    Face("createSession", "key", entity="session", least=1),
    Face("createSession", "role", entity="session", least=1),
    Face("createSession", "agentType", entity="session", least=1),
    Face("updateSession", "title", entity="session"),
    Face("appendMessage", "text", **MESSAGE, most=TEXT, role="USER"),
    Face("appendMessage", "key", **MESSAGE, least=1, role="TOOL", text="x"),
    Face("appendMessage", "agentKey", **MESSAGE, least=1, role="ASSISTANT", text="x"),
    Face("updateMessage", "text", entity="message", most=TEXT),
    Face("putSessionAgent", "key", **IN_SESSION, least=1),
    Face("createAgent", "name", **AGENT, least=1, type="x"),
    Face("createAgent", "type", **AGENT, least=1, name="x"),
    Face("createAgent", "key", **AGENT, least=1, name="x", type="x"),
]
VALUES = [
    Face("createSession", "metadata", entity="session"),
    Face("updateSession", "metadata", entity="session"),
    Face("appendMessage", "metadata", **MESSAGE, role="USER", text="x"),
    Face("updateMessage", "metadata", entity="message"),
    Face("putSessionAgent", "state", **IN_SESSION, key="k"),
    Face("putSessionAgent", "conversationManagerState", **IN_SESSION, key="k"),
    Face("putSessionAgent", "internalState", **IN_SESSION, key="k"),
    Face("createAgent", "metadata", **AGENT, name="x", type="x"),
]


async def prepared(user, face):
    """The ids that the mutation's input needs beside its field."""
    if face.mutation in ("createSession", "createAgent"):
        return {}
    session = await user.creates_session()
    if face.mutation == "updateMessage":
        message = {"role": "USER", "text": "before"}
        payload = await user.does("appendMessage", "message { id }", sessionId=session, message=message)
        return {"id": payload["message"]["id"]}
    return {"id" if face.mutation == "updateSession" else "sessionId": session}


async def goes_in_and_out(user, face, value):
    """The value as it came out, twice; None when it was refused, with the field's name."""
    response = await user.responds(face.document, input=face.input(value, **await prepared(user, face)))
    if errors := response.get("errors"):
        assert errors[0]["extensions"]["code"] in CLEAR, errors
        assert face.field in errors[0]["message"] or "nested too deeply" in errors[0]["message"], errors
        return None
    payload = response["data"][face.mutation]
    if payload["errors"]:
        [refusal] = payload["errors"]
        assert (refusal["code"], refusal["field"][-1]) == ("VALIDATION", face.field), refusal
        return None
    stored = payload[face.entity]
    again = (await user.asks(face.then, id=stored["id"]))["node"]
    assert exact(face.of(stored)) == exact(face.of(again))
    return stored


def exact(value):
    """A value's JSON: 1, 1.0 and true differ, and so do two orders of keys."""
    return json.dumps(value)


@given(data=st.data())
async def test_a_text_comes_out_as_it_went_in_or_is_refused_by_name(server, data):
    face = data.draw(st.sampled_from(TEXTS), "into")
    value = data.draw(texts, "text")
    stored = await goes_in_and_out(_somebody(server), face, value)
    fits = plain(value) and face.least <= len(value) <= face.most
    assert (stored is not None) == fits
    assert stored is None or face.of(stored) == value


@given(data=st.data())
async def test_a_json_value_comes_out_as_it_went_in_or_is_refused_by_name(server, data):
    face = data.draw(st.sampled_from(VALUES), "into")
    value = data.draw(documents.filter(lambda value: value is not None), "value")
    stored = await goes_in_and_out(_somebody(server), face, value)
    if stored is None:
        assert not keepable(value)
    else:
        assert exact(face.of(stored)) == exact(value)


def keepable(value, depth=200):
    """What JSON must keep: beyond it the scalar may refuse."""
    match value:
        case str():
            return not any("\ud800" <= character <= "\udfff" for character in value)
        case bool():
            return True
        case int():
            return -(2**63) <= value < 2**64
        case list():
            return depth > 0 and all(keepable(item, depth - 1) for item in value)
        case dict():
            return depth > 0 and all(keepable(key) and keepable(item, depth - 1) for key, item in value.items())
    return True


@given(raw=texts | documents.map(json.dumps) | documents.map(lambda state: json.dumps({"state": state})))
async def test_a_raw_document_comes_out_character_for_character(server, raw):
    user = _somebody(server)
    face = Face("putSessionAgent", "raw", entity="sessionAgent", key="k")
    stored = await goes_in_and_out(user, face, raw)
    assert (stored is not None) == plain(raw)
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
async def test_any_text_can_be_asked_for(server, asker, question, text):
    """Nothing is found by it, or it is refused; it is nobody's fault but the asker's."""
    response = await asker.responds(QUESTIONS[question], text=text)
    if errors := response.get("errors"):
        assert {error["extensions"]["code"] for error in errors} == {"BAD_USER_INPUT"}
        assert not plain(text)


@pytest.fixture(scope="module")
async def asker(server):
    """Somebody with one session, that nothing is found in."""
    user = _somebody(server)
    await user.appends(await user.creates_session("x"), "x", agentKey="an agent")
    return user


def _somebody(server):
    return server.user(f"somebody-{uuid4().hex[:12]}")
