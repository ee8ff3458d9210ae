"""A model of one owner's sessions, and a state machine that applies the same steps to the model and to the API."""

import json
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import httpx2
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from app.documents.title import title_of
from tests.support.users import ERRORS, EVENTS, INPUTS

STATE = """
id title status archivedAt deletedAt revision messageCount unreadCount lastReadSequence eventCursor
messages(last: 100) { totalCount nodes { sequence key text role revision agent { key } } }
agents(first: 100) { nodes { key state revision } }
"""
PLACES = {"here": (False, False), "kept": (True, False), "gone": (False, True), "both": (True, True)}
LISTS = " ".join(
    f"{name}: sessions(first: 100, filter: {{archived: {a}, deleted: {d}}}) {{ totalCount nodes {{ id }} }}".lower()
    for name, (a, d) in PLACES.items()
).replace("totalcount", "totalCount")
TOTALS = "viewer { unreadSessionCount stats { sessionCount activeSessionCount archivedSessionCount messageCount } }"
WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=6)
KEYS = st.none() | st.sampled_from(["k1", "k2", "k3"])
AGENTS = st.none() | st.sampled_from(["guide", "judge"])
ROLES = st.sampled_from(["USER", "ASSISTANT", "TOOL"])
PLACE = st.integers(0, 9)
DRAFTS = st.fixed_dictionaries({"role": ROLES, "text": WORDS, "key": KEYS, "agentKey": AGENTS})


@dataclass
class Model:
    """The expected state of a session."""

    id: str
    title: str
    status: str = "PENDING"
    archived: bool = False
    deleted: bool = False
    last: int = 0
    read: int = 0
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    agents: dict[str, Any] = field(default_factory=dict)

    @property
    def unread(self):
        return sum(sequence > self.read and said["role"] != "USER" for sequence, said in self.messages.items())

    def stored(self, draft):
        """The message that has the draft's key already."""
        if draft["key"] is None:
            return None
        same = (draft["agentKey"], draft["key"])
        return next((m for m in self.messages.values() if (m["agentKey"], m["key"]) == same), None)

    def append(self, drafts):
        """The code that it must be refused with, or None; then it is done."""
        if self.deleted:
            return "NOT_FOUND"
        keys = [(draft["agentKey"], draft["key"]) for draft in drafts if draft["key"] is not None]
        if len(set(keys)) < len(keys):
            return "VALIDATION"
        stored = [self.stored(draft) for draft in drafts]
        if any(there and said(there) != said(draft) for there, draft in zip(stored, drafts, strict=True)):
            return "CONFLICT"
        fresh = [draft for there, draft in zip(stored, drafts, strict=True) if there is None]
        for draft in fresh:
            self.last += 1
            self.messages[self.last] = dict(draft)
            if draft["agentKey"]:
                self.agents.setdefault(draft["agentKey"], {})
        if fresh:
            self.status, self.archived = "ACTIVE", False
            first = next(filter(None, (title_of(d["text"]) for d in fresh if d["role"] == "USER")), "")
            self.title = self.title or first
        return None

    def update(self, place, text):
        """A title that was taken from the message changes with it."""
        message = self.messages[place]
        if message["role"] == "USER" and self.title == title_of(message["text"]) != "":
            self.title = title_of(text)
        message["text"] = text


def said(message):
    return message["role"], message["text"]


class Machine(RuleBasedStateMachine):
    """All steps on sessions, by a new owner in each run."""

    url = ""
    sessions = Bundle("sessions")

    def __init__(self):
        super().__init__()
        self.open = ExitStack()
        token = f"Bearer {self.user()}"
        self.http = self.open.enter_context(httpx2.Client(timeout=30, headers={"authorization": token}))
        address = self.url.replace("http", "ws") + "/graphql"
        self.socket = self.open.enter_context(connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]))
        self.socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": token}}))
        assert json.loads(self.socket.recv())["type"] == "connection_ack"
        self.models: dict[str, Model] = {}
        self.seen: dict[str, list[Any]] = {}
        self.touched: str | None = None

    def user(self):
        """The token of somebody nobody has met."""
        raise NotImplementedError

    def teardown(self):
        self.open.close()

    # Steps

    @initialize(target=sessions, drafts=st.lists(DRAFTS, min_size=2, max_size=4, unique_by=str))
    def begin(self, drafts):
        session = self.create("")
        self.append_many(session, drafts)
        return session

    @precondition(lambda self: len(self.models) < 3)
    @rule(target=sessions, title=st.just("") | WORDS)
    def create(self, title):
        payload = self.does("createSession", "session { id }", title=title)
        model = Model(payload["session"]["id"], title)
        self.models[model.id], self.seen[model.id], self.touched = model, [], model.id
        return model.id

    @rule(id=sessions, draft=DRAFTS)
    def append(self, id, draft):
        expected = self.on(id).append([draft])
        payload = self.does("appendMessage", "message { sequence }", sessionId=id, message=draft)
        self.answers(payload, expected)

    @rule(id=sessions, drafts=st.lists(DRAFTS, min_size=1, max_size=4))
    def append_many(self, id, drafts):
        expected = self.on(id).append(drafts)
        payload = self.does("appendMessages", "messages { sequence }", sessionId=id, messages=drafts)
        self.answers(payload, expected)

    @rule(id=sessions, place=PLACE, text=WORDS)
    def update_message(self, id, place, text):
        model = self.on(id)
        place = 1 + place % (model.last + 1)  # seldom one that was never given
        there = not model.deleted and place in model.messages
        self.answers(self.does("updateMessage", id=self.message(id, place), text=text), None if there else "NOT_FOUND")
        if there:
            model.update(place, text)

    @rule(id=sessions, place=PLACE)
    def delete_message(self, id, place):
        model = self.on(id)
        place = 1 + place % (model.last + 1)  # seldom one that was never given
        there = not model.deleted and place in model.messages
        self.answers(self.does("deleteMessage", id=self.message(id, place)), None if there else "NOT_FOUND")
        if there:
            del model.messages[place]

    @rule(id=sessions, title=WORDS)
    def rename(self, id, title):
        model = self.on(id)
        self.answers(self.does("updateSession", id=id, title=title), "NOT_FOUND" if model.deleted else None)
        if not model.deleted:
            model.title = title

    @rule(id=sessions)
    def archive(self, id):
        model = self.on(id)
        self.answers(self.does("archiveSession", id=id), "NOT_FOUND" if model.deleted else None)
        model.archived |= not model.deleted

    @rule(id=sessions)
    def restore(self, id):
        model = self.on(id)
        self.answers(self.does("restoreSession", id=id), None)
        model.archived = model.deleted = False

    @rule(id=sessions)
    def delete(self, id):
        self.answers(self.does("deleteSession", id=id), None)
        self.on(id).deleted = True

    @rule(id=consumes(sessions))
    def erase(self, id):
        payload = self.does("deleteSession", "deletedMessageCount", id=id, mode="HARD")
        assert payload["deletedMessageCount"] == len(self.models.pop(id).messages)
        self.touched = None
        for cursor, _ in self.seen.pop(id):
            assert [event["__typename"] for event in self.replay(id, cursor)][-1:] == ["SessionRemoved"]
        assert self.asks("query ($id: ID!) { session(id: $id) { id } }", id=id) == {"session": None}
        self.answers(self.does("restoreSession", id=id), "NOT_FOUND")

    @rule(id=sessions, up_to=st.integers(0, 9))
    def mark_read(self, id, up_to):
        model = self.on(id)
        payload = self.does("markSessionRead", id=id, upToSequence=up_to)
        self.answers(payload, "NOT_FOUND" if model.deleted else None)
        if not model.deleted:
            model.read = max(model.read, min(up_to, model.last))

    @rule(id=sessions, key=st.sampled_from(["guide", "judge", "tool"]), state=WORDS)
    def put_agent(self, id, key, state):
        model = self.on(id)
        payload = self.does("putSessionAgent", sessionId=id, key=key, state={"is": state})
        self.answers(payload, "NOT_FOUND" if model.deleted else None)
        if not model.deleted:
            model.agents[key] = {"is": state}

    # Invariants after each step

    @precondition(lambda self: self.touched)
    @invariant()
    def server_agrees_with_the_model(self):
        found = self.asks(f"query ($id: ID!) {{ session(id: $id) {{ {STATE} }} {LISTS} {TOTALS} }}", id=self.touched)
        now, model = found["session"], self.models[self.touched]
        shown = [now[name] for name in ("title", "status", "messageCount", "unreadCount", "lastReadSequence")]
        assert shown == [model.title, model.status, len(model.messages), model.unread, model.read]
        assert (now["archivedAt"] is not None, now["deletedAt"] is not None) == (model.archived, model.deleted)
        assert now["messages"]["totalCount"] == len(model.messages)
        assert [
            {"sequence": m["sequence"], "key": m["key"], "text": m["text"], "role": m["role"]}
            | {"agentKey": m["agent"] and m["agent"]["key"]}
            for m in now["messages"]["nodes"]
        ] == [{"sequence": sequence, **model.messages[sequence]} for sequence in sorted(model.messages)]
        assert {part["key"]: part["state"] for part in now["agents"]["nodes"]} == model.agents
        self.the_lists_hold_each_session_once(found)
        self.the_totals_are_those_of_the_models(found["viewer"])
        self.what_was_seen_and_its_replay_make(now)

    def what_was_seen_and_its_replay_make(self, now):
        """Every earlier state, with the events after its cursor applied, equals the present one."""
        earlier = self.seen[now["id"]]
        if earlier and earlier[-1][0] == now["eventCursor"]:
            assert known(earlier[-1][1]) == known(now)
            return
        for cursor, state in earlier:
            assert number(cursor) < number(now["eventCursor"])
            assert known(self.replayed(deepcopy(state), cursor)) == known(now)
        earlier.append((now["eventCursor"], now))
        del earlier[1:-1]  # the first state and the newest one

    def the_totals_are_those_of_the_models(self, viewer):
        there = [model for model in self.models.values() if not model.deleted]
        listed = [model for model in there if not model.archived]
        assert viewer["unreadSessionCount"] == sum(model.unread > 0 for model in listed)
        assert viewer["stats"] == {
            "sessionCount": len(there),
            "activeSessionCount": sum(model.status in ("PENDING", "ACTIVE") for model in listed),
            "archivedSessionCount": len(there) - len(listed),
            "messageCount": sum(len(model.messages) for model in there),
        }

    def the_lists_hold_each_session_once(self, found):
        for name, (archived, deleted) in PLACES.items():
            wanted = [m.id for m in self.models.values() if (m.archived, m.deleted) == (archived, deleted)]
            assert sorted(node["id"] for node in found[name]["nodes"]) == sorted(wanted)
            assert found[name]["totalCount"] == len(wanted)

    # Requests

    def on(self, id):
        self.touched = id
        return self.models[id]

    def message(self, session, place):
        return f"msg_{session.removeprefix('ses_')}_{place}"

    def asks(self, query, **variables):
        answer = self.http.post(f"{self.url}/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def does(self, mutation, selection="", **given):
        named = INPUTS.get(mutation, mutation[0].upper() + mutation[1:] + "Input")
        query = f"mutation ($input: {named}!) {{ {mutation}(input: $input) {{ {selection} {ERRORS} }} }}"
        return self.asks(query, input=given)[mutation]

    def answers(self, payload, code):
        assert [error["code"] for error in payload["errors"]] == ([code] if code else []), payload

    def replay(self, id, cursor):
        """All events after a cursor, on the one socket."""
        variables = {"session": id, "after": cursor, "follow": False}
        operation = {"query": EVENTS, "variables": variables}
        self.socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": operation}))
        events = []
        while (frame := json.loads(self.socket.recv()))["type"] == "next":
            events.append(frame["payload"]["data"]["sessionEvents"])
        assert frame["type"] == "complete", frame
        return events

    def replayed(self, state, cursor):
        """An earlier state with the events after its cursor applied; each changed thing comes once, in order."""
        events = self.replay(state["id"], cursor)
        assert events.pop()["__typename"] == "CaughtUp"
        numbers = [number(event["cursor"]) for event in events]
        assert numbers == sorted(set(numbers))
        for event in events:
            apply_event(state, event)
        return state


def number(cursor):
    """The change number of an event cursor."""
    return int(cursor.split(".")[2])


def known(state):
    """The state of a session as far as events contain it."""
    return {
        "session": [state[name] for name in ("title", "status", "revision", "archivedAt", "deletedAt")],
        "messages": sorted((m["sequence"], m["text"], m["role"], m["revision"]) for m in state["messages"]["nodes"]),
        "agents": sorted((p["key"], json.dumps(p["state"]), p["revision"]) for p in state["agents"]["nodes"]),
    }


def apply_event(state, event):
    messages, agents = state["messages"]["nodes"], state["agents"]["nodes"]
    match event["__typename"]:
        case "MessageAdded" | "MessageChanged" as kind:
            there = [m for m in messages if m["sequence"] == event["message"]["sequence"]]
            assert len(there) == (kind == "MessageChanged")
            _replace(messages, there, event["message"])
        case "MessageRemoved":
            messages[:] = [m for m in messages if not event["messageId"].endswith(f"_{m['sequence']}")]
        case "SessionAgentChanged":
            _replace(agents, [p for p in agents if p["key"] == event["sessionAgent"]["key"]], event["sessionAgent"])
        case kind:
            assert kind == "SessionChanged"
            state |= event["session"]


def _replace(things, old, new):
    things[:] = [thing for thing in things if thing not in old] + [new]
