"""Checks that all servers return the same data: each answer in the shape of Colloquy's, and the first difference."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2

from bench.load import body
from bench.servers import RunningPeer
from bench.workloads import Session
from harness.server_settings import token

SAMPLES = 20
UTC = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00:00")
# A cursor's text differs between servers; only its presence is compared.
CURSORS = {"cursor", "startCursor", "endCursor"}
# Every append creates another message.
NEW = {"id", "sequence", "createdAt"}


class Different(Exception):
    """Two servers do not return the same data."""


def compare(servers: list[RunningPeer], document: str, sessions: list[Session]) -> None:
    """Sends the same requests to all servers. Raises `Different` where one returns other data than the first."""
    first, *others = servers
    with httpx2.Client(timeout=30) as client:
        for owner, session in sessions[:SAMPLES]:
            expected = comparable(answer_of(client, first, document, owner, session), document)
            for server in others:
                found = comparable(answer_of(client, server, document, owner, session), document)
                if found != expected:
                    where = next(differences(expected, found), "types")
                    raise Different(f"{document}: {server.name} is not {first.name} at {where}")


def answer_of(client: httpx2.Client, server: RunningPeer, document: str, owner: str, session: str) -> Any:
    """The data that one server returns, in the shape of Colloquy's."""
    headers = {"authorization": f"Bearer {token(owner)}", "content-type": "application/json"}
    response = client.post(server.url, content=body(server.peer, document, owner, session), headers=headers)
    answer = response.json() if response.status_code == 200 else {}
    if "errors" in answer or not any((answer.get("data") or {}).values()):
        raise Different(f"{document}: {server.name} answers {response.status_code} {response.text[:1000]}")
    data = answer["data"]
    return OURS[document](data, session) if server.name == "postgraphile" else data


def comparable(value: Any, document: str) -> Any:
    """Without what may differ: the spelling of a time zone, the text of a cursor, the ids and numbers of an append."""
    if isinstance(value, dict):
        masked = CURSORS | NEW if document == "W3" else CURSORS
        return {
            name: type(found).__name__ if name in masked else comparable(found, document)
            for name, found in value.items()
        }
    if isinstance(value, list):
        return [comparable(found, document) for found in value]
    return UTC.sub(_moment, value) if isinstance(value, str) else value


def _moment(found: re.Match[str]) -> str:
    """PostgreSQL's own JSON leaves the last zeros of the microseconds out."""
    return f"{found[1]}.{found[2] or '':0<6}Z"


def differences(expected: Any, found: Any, path: str = "data") -> Iterator[str]:
    """The paths at which two answers differ, with both values."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        for name in expected:
            yield from differences(expected[name], found[name], f"{path}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, pair in enumerate(zip(expected, found, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
    elif expected != found:
        yield f"{path}: {str(expected)[:300]!r} is {str(found)[:300]!r}"


def our_message(row: dict[str, Any], session: str) -> dict[str, Any]:
    """PostGraphile's message in the shape of Colloquy's."""
    ours = {"id": f"msg_{session}_{row['sequence']}", **row}
    if row.get("agent"):
        agent = row["agent"]["agent"]
        own = {"id": f"agt_{agent['rowId']}", **{name: agent[name] for name in agent if name != "rowId"}}
        ours["agent"] = {"key": row["agent"]["key"], "agent": own}
    return ours


def without_sequence(row: dict[str, Any], session: str) -> dict[str, Any]:
    return {name: value for name, value in our_message(row, session).items() if name != "sequence"}


def our_w1(data: Any, session: str) -> Any:
    found = data["session"]
    edges = [{**edge, "node": without_sequence(edge["node"], session)} for edge in found["messages"]["edges"]]
    messages = {**found["messages"], "edges": edges}
    return {"session": {"id": f"ses_{found['rowId']}", "title": found["title"], "messages": messages}}


def our_w2(data: Any, _session: str) -> Any:
    edges = []
    for edge in data["sessions"]["edges"]:
        node = dict(edge["node"])
        session, [last] = node.pop("rowId"), node.pop("messages")["nodes"]
        node |= {"id": f"ses_{session}", "lastMessage": without_sequence(last, session)}
        edges.append({**edge, "node": node})
    return {"sessions": {**data["sessions"], "edges": edges}}


def our_w3(data: Any, session: str) -> Any:
    row = dict(data["appendMessage"]["result"])
    cursor = f"e.{row.pop('sessionId')}.{row.pop('revision')}"
    return {"appendMessage": {"message": our_message(row, session), "cursor": cursor, "errors": []}}


def our_w4(data: Any, session: str) -> Any:
    messages = data["session"]["messages"]
    nodes = [{**our_message(row, session), "revision": int(row["revision"])} for row in messages["nodes"]]
    return {"session": {"messages": {**messages, "nodes": nodes}}}


def our_w5(data: Any, session: str) -> Any:
    row = without_sequence(data["node"], session)
    return {"node": {**row, "session": {"id": f"ses_{row['session']['rowId']}", "title": row["session"]["title"]}}}


OURS = {"W1": our_w1, "W2": our_w2, "W3": our_w3, "W4": our_w4, "W5": our_w5}
