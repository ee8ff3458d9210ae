"""A state machine that applies the same steps to the records of two owners and to their models."""

import asyncio
import json
from base64 import b64encode
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from app import sweeper
from app.record_path import is_live, name_of, path_of
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.properties.record_model import Model
from tests.support.databases import open_database
from tests.support.users import ERRORS, VIEWER_EVENTS

FIELDS = "namespace key value bytes metadata revision session { id } expiresAt"
PUT = f"mutation ($i: PutRecordsInput!) {{ putRecords(input: $i) {{ records {{ {FIELDS} }} {ERRORS} }} }}"
DELETE = f"mutation ($i: DeleteRecordsInput!) {{ deleteRecords(input: $i) {{ deletedCount {ERRORS} }} }}"
CREATE = "mutation { createSession(input: {}) { session { id } } }"
END = f"mutation ($i: DeleteSessionInput!) {{ deleteSession(input: $i) {{ {ERRORS} }} }}"
ONE = f"query ($n: [String!]!, $k: String!) {{ record(namespace: $n, key: $k) {{ {FIELDS} }} }}"
PAGE = f"""
query ($p: [String!], $f: RecordFilter, $o: RecordOrder, $n: Int, $a: String, $l: Int, $b: String) {{
  page: records(namespacePrefix: $p, filter: $f, orderBy: $o, first: $n, after: $a, last: $l, before: $b) {{
    totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} nodes {{ {FIELDS} }}
  }}
}}"""
SPACES = """
query ($p: [String!], $s: [String!], $d: Int, $n: Int, $a: String, $l: Int, $b: String) {
  page: recordNamespaces(prefix: $p, suffix: $s, maxDepth: $d, first: $n, after: $a, last: $l, before: $b) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { namespace }
  }
}"""
STATE = f"{{ viewer {{ eventCursor }} records(first: 100) {{ nodes {{ {FIELDS} }} }} }}"
AGE = "update records set expires_at = now() - interval '1 second' where owner_id = $1 and path = $2"

OWNER, PLACE = st.integers(0, 1), st.integers(0, 9)
LABELS = st.sampled_from(["live", "a", "ab", "é"])
SPACE = st.just(["live"]) | st.lists(LABELS, max_size=3)
KEY = st.sampled_from(["1", "10", "2", "k k", "é"])
NAME = st.fixed_dictionaries({"namespace": SPACE, "key": KEY})
VALUE = st.sampled_from(
    [0, -1.5, True, "Plan B", "x", {"note": "Berge", "n": [1, "Täler\0"]}, [], {}, ["b", {"c": "d"}]]
)
METADATA = st.fixed_dictionaries(
    {}, optional={"kind": st.sampled_from(["a", "b"]), "n": st.integers(2, 3), "tags": st.lists(st.sampled_from("xyz"))}
)
CONTENT = st.fixed_dictionaries({"value": VALUE}) | st.fixed_dictionaries({"bytes": st.binary(max_size=4)})
# Seldom neither of them, or both.
ANY_CONTENT = st.one_of(*[CONTENT] * 9, st.just({}), st.just({"value": 1, "bytes": b""}))
DRAFT = st.builds(
    lambda *parts: {name: value for part in parts for name, value in part.items()},
    NAME,
    ANY_CONTENT,
    st.fixed_dictionaries({}, optional={"metadata": METADATA}),
    st.just({}) | st.just({"ttlSeconds": 3600}),
    st.fixed_dictionaries({}, optional={"expected": st.sampled_from(["found", "found", "none", "other"])}),
    st.fixed_dictionaries({}, optional={"session": PLACE}),
)
FILTER = st.fixed_dictionaries(
    {},
    optional={
        "metadataContains": METADATA,
        "keyFrom": KEY,
        "keyTo": KEY,
        "text": st.sampled_from(["berge", "plan", "ä", "x", "b"]),
    },
)
ORDER = st.fixed_dictionaries(
    {"field": st.sampled_from(["KEY", "UPDATED_AT"]), "direction": st.sampled_from(["ASC", "DESC"])}
)


class Owner:
    """The API as one owner uses it, and the model of what the owner has."""

    def __init__(self, url: str, user: Any, open: ExitStack) -> None:
        self.name, self.url, self.model = user.name, url, Model()
        token = f"Bearer {user.token}"
        self.http = open.enter_context(httpx2.Client(timeout=30, headers={"authorization": token}))
        address = url.replace("http", "ws") + "/graphql"
        self.socket = open.enter_context(connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]))
        self.socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": token}}))
        assert json.loads(self.socket.recv())["type"] == "connection_ack"
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def responds(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        return self.http.post(f"{self.url}/graphql", json=body, headers=headers or {}).json()

    def asks(self, query: str, **variables: Any) -> Any:
        answer = self.responds(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    def replays(self, cursor: str) -> Any:
        """All events after a cursor."""
        operation = {"query": VIEWER_EVENTS, "variables": {"after": cursor, "follow": False}}
        self.socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": operation}))
        while (frame := json.loads(self.socket.recv()))["type"] == "next":
            yield frame["payload"]["data"]["viewerEvents"]
        assert frame["type"] == "complete", frame

    def expected(self, path: str) -> dict[str, Any]:
        """The record as the API must return it, with True for a time at which it expires."""
        each, name = self.model.records[path], name_of(path)
        return {
            "namespace": list(name.namespace),
            "key": name.key,
            **each.content,
            "metadata": each.metadata,
            "revision": each.revision,
            "session": each.session and {"id": each.session},
            "expiresAt": each.expires,
        }


def known(node: Any) -> Any:
    """A record without the exact time at which it expires."""
    return node and node | {"expiresAt": node["expiresAt"] is not None}


class RecordMachine(RuleBasedStateMachine):
    """All steps on records, by two new owners in each run."""

    url = database_url = ""

    def __init__(self):
        super().__init__()
        self.open = ExitStack()
        self.owners = [Owner(self.url, self.user(), self.open) for _ in range(2)]
        self.steps = 0
        self.loop = self.open.enter_context(asyncio.Runner())

    def user(self):
        """A user nobody has met."""
        raise NotImplementedError

    def teardown(self):
        self.open.close()

    # Steps

    @initialize()
    def begin(self):
        """Something that can expire, and something that goes with a session, live and not."""
        for of in range(2):
            self.create_session(of)
            names = [
                {"namespace": space, "key": key} for space in (["live"], ["live", "a"], ["a"]) for key in ("1", "2")
            ]
            self.put(of, [name | {"value": "x", "ttlSeconds": 3600} for name in names[::2]])
            self.put(of, [name | {"value": "b", "session": 0} for name in names[1::2]])

    @rule(of=OWNER, drafts=st.lists(DRAFT, min_size=1, max_size=4))
    def put(self, of, drafts):
        owner, new = self.owners[of], [self.filled(of, draft) for draft in drafts]
        self.stores(owner, new, owner.asks(PUT, i={"records": new})["putRecords"])

    @rule(of=OWNER, draft=DRAFT, other=DRAFT)
    def put_with_an_idempotency_key(self, of, draft, other):
        """The second call returns the first result, and stores nothing; another input is refused."""
        owner, new, headers = self.owners[of], [self.filled(of, draft)], {"idempotency-key": uuid4().hex}
        first = owner.responds(PUT, headers, i={"records": new})
        self.stores(owner, new, first["data"]["putRecords"])
        if not first["data"]["putRecords"]["errors"]:
            assert owner.responds(PUT, headers, i={"records": new})["data"] == first["data"]
            if (changed := [self.filled(of, other)]) != new:
                refused = owner.responds(PUT, headers, i={"records": changed})
                assert "IDEMPOTENCY_KEY_REUSED" in json.dumps(refused)

    @rule(of=OWNER, names=st.lists(NAME, min_size=1, max_size=5))
    def delete(self, of, names):
        paths = {path_of(**name) for name in names}
        self.deletes(self.owners[of], paths, keys=names)

    @rule(of=OWNER, prefix=SPACE, key_to=st.none() | KEY)
    def delete_below(self, of, prefix, key_to):
        paths = self.owners[of].model.below(prefix, key_to=key_to)
        self.deletes(self.owners[of], paths, namespacePrefix=prefix, keyTo=key_to)

    @rule(of=OWNER)
    def create_session(self, of):
        self.owners[of].model.sessions[self.owners[of].asks(CREATE)["createSession"]["session"]["id"]] = True

    @precondition(lambda self: any(owner.model.sessions for owner in self.owners))
    @rule(place=PLACE, hard=st.booleans())
    def end_session(self, place, hard):
        owner = next(owner for owner in self.owners if owner.model.sessions)
        session = list(owner.model.sessions)[place % len(owner.model.sessions)]
        payload = owner.asks(END, i={"id": session, "mode": "HARD" if hard else "SOFT"})["deleteSession"]
        assert payload["errors"] == []
        owner.model.end_session(session, erased=hard)

    @rule(of=OWNER, place=PLACE, sweeps=st.booleans())
    def time_passes(self, of, place, sweeps):
        owner = self.owners[of]
        if expiring := [path for path, each in owner.model.records.items() if each.expires]:
            path = expiring[place % len(expiring)]
            self.loop.run(self.age(owner.name, path))
            owner.model.pass_time(path)
            if sweeps:
                self.sweep()

    @precondition(lambda self: any(owner.model.unswept for owner in self.owners))
    @rule()
    def sweep(self):
        self.loop.run(self.swept())
        for owner in self.owners:
            owner.model.unswept.clear()

    # Reads

    @rule(of=OWNER, name=NAME)
    def read_one(self, of, name):
        owner, path = self.owners[of], path_of(**name)
        expected = owner.expected(path) if path in owner.model.records else None
        assert known(owner.asks(ONE, n=name["namespace"], k=name["key"])["record"]) == expected

    @rule(of=OWNER, prefix=SPACE, filter=FILTER, order=ORDER, size=st.integers(1, 3), backward=st.booleans())
    def read_pages(self, of, prefix, filter, order, size, backward):
        owner = self.owners[of]
        expected = [owner.expected(path) for path in owner.model.found(prefix, filter, order)]
        found = self.pages(owner, PAGE, size, backward, len(expected), p=prefix, f=filter, o=order)
        assert list(map(known, found)) == expected

    @rule(of=OWNER, prefix=SPACE, suffix=SPACE, depth=st.none() | st.integers(1, 3), backward=st.booleans())
    def read_namespaces(self, of, prefix, suffix, depth, backward):
        owner = self.owners[of]
        expected = owner.model.namespaces(prefix, suffix, depth)
        found = self.pages(owner, SPACES, 2, backward, len(expected), p=prefix, s=suffix, d=depth)
        assert [node["namespace"] for node in found] == expected

    # Invariants after each step

    @invariant()
    def server_agrees_with_the_models(self):
        for owner in self.owners:
            state = owner.asks(STATE)
            nodes = state["records"]["nodes"]
            assert list(map(known, nodes)) == [owner.expected(path) for path in sorted(owner.model.records)]
            self.events_lead_to_the_present(owner, state["viewer"]["eventCursor"], nodes)

    def events_lead_to_the_present(self, owner, cursor, nodes):
        """What was seen earlier, with the events after it, are the live records of now; what has aged may be there."""
        now = live(nodes)
        for earlier, state in owner.seen:
            replayed = dict(state)
            for event in owner.replays(earlier):
                if event["__typename"] == "SessionRemoved":  # its records are read again
                    replayed = {path: each for path, each in replayed.items() if path in now}
                elif event["__typename"] == "RecordChanged":
                    path = path_of(event["namespace"], event["key"])
                    assert is_live(path)
                    replayed[path] = event["record"]
            present = {path: each["value"] for path, each in replayed.items() if each}
            assert without(present, owner.model.unswept) == {path: each["value"] for path, each in now.items()}
        self.steps += 1
        if not owner.seen or self.steps % 5 == 0:  # of both owners in turn, up to 30 steps old
            owner.seen = [*owner.seen[-5:], (cursor, now)]

    # Requests

    def filled(self, of, draft):
        """The input of a draft: with a session of some owner, and with a revision."""
        owner, new = (
            self.owners[of],
            {name: value for name, value in draft.items() if name not in ("session", "expected")},
        )
        sessions = [session for each in (owner, *self.owners) for session in each.model.sessions]
        if "session" in draft and sessions:
            new["sessionId"] = sessions[draft["session"] % len(sessions)]
        if "bytes" in new:
            new["bytes"] = b64encode(new["bytes"]).decode()
        if "expected" in draft:
            stored = owner.model.records.get(path_of(draft["namespace"], draft["key"]))
            revision = stored.revision if stored else 0
            new["expectedRevision"] = {"found": revision, "none": 0, "other": revision + 1}[draft["expected"]]
        return new

    def stores(self, owner, new, payload):
        expected = owner.model.put(new)
        errors = [(error["code"], error["field"][-1]) for error in payload["errors"]]
        assert errors == ([expected] if expected else []), payload
        paths = [] if expected else [path_of(each["namespace"], each["key"]) for each in new]
        assert list(map(known, payload["records"])) == list(map(owner.expected, paths))

    def deletes(self, owner, paths, **input):
        payload = owner.asks(DELETE, i=input)["deleteRecords"]
        assert payload == {"deletedCount": owner.model.delete(paths), "errors": []}

    def pages(self, owner, query, size, backward, total, **variables):
        """All nodes, page by page from either end."""
        found, position = [], None
        window, cursor, more = ("l", "b", "hasPreviousPage") if backward else ("n", "a", "hasNextPage")
        while True:
            page = owner.asks(query, **variables, **{window: size, cursor: position})["page"]
            assert page["totalCount"] == total
            found = page["nodes"] + found if backward else found + page["nodes"]
            if not page["pageInfo"][more]:
                return found
            assert len(page["nodes"]) == size
            position = page["pageInfo"]["startCursor" if backward else "endCursor"]

    async def age(self, owner, path):
        """Lets the time of a record pass, which is no change: without its trigger."""
        connection = await asyncpg.connect(dsn(self.database_url))
        await connection.execute("set session_replication_role = replica")
        assert await connection.execute(AGE, owner, path) == "UPDATE 1"
        await connection.close()

    async def swept(self):
        db = open_database(self.database_url, pool_size=2)
        await sweeper.sweep_once(db, sweeper.retention(settings_for(self.database_url)))
        await db.close()


def live(nodes):
    """The live records among nodes, by path."""
    paths = {path_of(node["namespace"], node["key"]): node for node in nodes}
    return {path: node for path, node in paths.items() if is_live(path)}


def without(states, paths):
    return {path: state for path, state in states.items() if path not in paths}
