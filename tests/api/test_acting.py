"""A token with the scope chat:act acts for the owner that a request names; without the scope it acts for nobody."""

import asyncio
import json

import pytest
from colloquy import AsyncClient, Client, errors
from colloquy.live import SessionChanged
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.users import User

ACT = ("chat:read", "chat:write", "chat:act")
VIEWER = "{ viewer { subject scopes } sessions { nodes { title } } }"
FORBIDDEN = {"code": "FORBIDDEN"}


class Acting(User):
    """A user whose requests name an owner to act for."""

    def __init__(self, user, owner):
        super().__init__(user.name, user.url, user.token, user._http)
        self.owner = owner

    async def responds(self, query, headers=None, **variables):
        return await super().responds(query, {"colloquy-owner": self.owner, **(headers or {})}, **variables)

    def socket(self, headers):
        address = self.url.replace("http", "ws", 1) + "/graphql"
        return connect(address, subprotocols=[Subprotocol("graphql-transport-ws")], additional_headers=headers)


@pytest.fixture
def service(user):
    return user("agent-server", scopes=ACT)


@pytest.fixture
def for_ann(service, ann):
    return Acting(service, ann.name)


async def test_who_may_act_reads_and_writes_as_the_owner_and_as_nobody_else(service, for_ann, ann, bob):
    await service.creates_session("the service's own")
    await bob.creates_session("bob's")
    session = await for_ann.creates_session("Ann's")
    assert (await for_ann.appends(session, "hello"))["sequence"] == 1
    for reader in (ann, for_ann):
        found = await reader.asks(VIEWER)
        assert (found["viewer"]["subject"], found["sessions"]["nodes"]) == (ann.name, [{"title": "Ann's"}])
    assert (await service.asks(VIEWER))["sessions"]["nodes"] == [{"title": "the service's own"}]
    assert await bob.sees(session, "title") is None
    assert await Acting(service, bob.name).sees(session, "title") is None
    assert await service.sees(session, "title") is None


async def test_the_audit_names_the_tokens_own_subject(service, for_ann, ann):
    session = await for_ann.creates_session("audited")
    own = await ann.creates_session("her own")
    events = "query ($id: ID) { auditEvents(filter: {subjectId: $id}) { nodes { actor eventType } } }"
    actors = [(await ann.asks(events, id=id))["auditEvents"]["nodes"][0]["actor"] for id in (session, own)]
    assert actors == [service.name, ann.name]
    assert (await service.asks(events, id=session))["auditEvents"]["nodes"] == []
    payload = await for_ann.does("requestApproval", "approval { id }", taskId=(await task_of(ann)))
    decided = await for_ann.does(
        "decideApproval", "approval { decidedBy }", id=payload["approval"]["id"], decision="APPROVE"
    )
    assert decided["approval"]["decidedBy"] == service.name


async def task_of(user):
    return (await user.does("createTask", "task { id }", type="review"))["task"]["id"]


@pytest.mark.parametrize("claims", [{}, {"scopes": ["chat:read", "chat:write"]}, {"scopes": ["chat:act"]}])
async def test_without_the_scopes_nothing_is_read_or_written_for_another_owner(user, ann, claims):
    await ann.creates_session("Ann's")
    stranger = Acting(user("stranger", **claims), ann.name)
    for query in (VIEWER, "mutation { createSession(input: {}) { session { id } } }"):
        answer = await stranger.responds(query)
        assert "data" not in answer
        assert answer["errors"][0]["extensions"] == FORBIDDEN
    assert len((await ann.asks(VIEWER))["sessions"]["nodes"]) == 1


@pytest.mark.parametrize("owner", ["", "two words", "x" * 256])
async def test_what_cannot_be_an_owner_is_refused(service, owner):
    answer = await Acting(service, owner).responds(VIEWER)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "Colloquy-Owner" in answer["errors"][0]["message"]


async def test_an_idempotency_key_belongs_to_the_owner(service, for_ann, bob):
    create = "mutation { createSession(input: {}) { session { id } } }"
    made = [
        (await user.responds(create, headers={"idempotency-key": "same"}))["data"]["createSession"]["session"]["id"]
        for user in (for_ann, Acting(service, bob.name), service, for_ann)
    ]
    assert len(set(made)) == 3
    assert made[0] == made[3]


async def test_an_event_stream_acts_for_the_owner(service, user, ann):
    session = await ann.creates_session()
    request = {
        "query": "subscription ($s: ID!) { sessionEvents(sessionId: $s, follow: false) { __typename } }",
        "variables": {"s": session},
    }
    for token, status in ((service.token, 200), (user("stranger").token, 403)):
        headers = {"authorization": f"Bearer {token}", "colloquy-owner": ann.name, "accept": "text/event-stream"}
        response = await ann._http.post(f"{ann.url}/graphql/stream", json=request, headers=headers)
        assert response.status_code == status
        assert ("CaughtUp" in response.text) == (status == 200)


@pytest.mark.parametrize("place", ["payload", "handshake"])
async def test_a_socket_acts_for_the_owner(service, user, ann, place):
    session = await ann.creates_session()
    for token, allowed in ((service.token, True), (user("stranger").token, False)):
        payload = {"Authorization": f"Bearer {token}"} | ({"Colloquy-Owner": ann.name} if place == "payload" else {})
        headers = {"colloquy-owner": ann.name} if place == "handshake" else {}
        async with Acting(ann, "").socket(headers) as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            if not allowed:
                with pytest.raises(ConnectionClosed, match=r"4403.*chat:act"):
                    await socket.recv()
                continue
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            query = f'{{ session(id: "{session}") {{ id }} viewer {{ subject }} }}'
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
            data = json.loads(await socket.recv())["payload"]["data"]
            assert data == {"session": {"id": session}, "viewer": {"subject": ann.name}}


async def test_the_python_client_acts_for_an_owner(service, ann, user):
    async with AsyncClient(ann.url, service.token, owner=ann.name) as client:
        session = (await client.create_session(title="Ann's")).session
        events = client.events(session.id, session.event_cursor)
        await client.append_message(session.id, "USER", "hello")
        assert isinstance(await anext(events), SessionChanged)
    assert await ann.sees(session.id, "title messageCount") == {"title": "Ann's", "messageCount": 1}
    async with AsyncClient(ann.url, user("stranger").token, owner=ann.name) as client:
        with pytest.raises(errors.Forbidden):
            await client.session(session.id)
    for owner in ("", "two words", 7):
        with pytest.raises(errors.BadInput, match="owner"):
            AsyncClient(ann.url, service.token, owner=owner)


async def test_one_client_acts_for_another_owner_with_each_request(service, ann, bob):
    owners = iter((ann.name, bob.name, None, "two words"))
    async with AsyncClient(ann.url, service.token, owner=lambda: next(owners)) as client:
        subjects = [(await client.viewer()).subject for _ in range(3)]
        assert subjects == [ann.name, bob.name, service.name]
        with pytest.raises(errors.BadInput, match="owner"):
            await client.viewer()
    owners = iter((ann.name, bob.name))
    with Client(ann.url, service.token, owner=lambda: next(owners)) as blocking:
        subjects = [(await asyncio.to_thread(blocking.viewer)).subject for _ in range(2)]
    assert subjects == [ann.name, bob.name]
