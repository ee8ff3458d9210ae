"""The operations that are measured: every root field of the schema, connections with filters, both replays.

What each may grow with is said here; whatever else it grows with is a fault.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.growth.ids import Ids

MATCHES, SESSION, CATALOGUE, RECORDS = "its matches", "the session", "the catalogue", "the records"


@dataclass(frozen=True)
class Operation:
    """A document for an owner; `may_grow` is what its cost may depend on."""

    name: str
    owner: str
    document: str
    variables: dict[str, Any] = field(default_factory=dict)
    may_grow: str = ""
    idempotency_key: str | None = None


MESSAGE = """
id key sequence role status text revision createdAt agent { key agent { name } } content { __typename position }
"""
SIDEBAR = """
id title status messageCount unreadCount streaming pendingApprovalCount lastReadSequence lastActivityAt archivedAt
deletedAt lastMessage { id role status text }
"""
STATS = """
sessionCount activeSessionCount archivedSessionCount messageCount agentCount
sessionsByAgentType { agentType count activeCount } lastActivityAt
"""
METRICS = "sessionCount activeSessionCount messageCount failedSessionCount meanResponseSeconds lastActiveAt"
FOUND = "edges { node { id session { title } } rank snippet { text matched } }"
SESSION_EVENTS = """
subscription ($id: ID!, $after: String) { sessionEvents(sessionId: $id, after: $after, follow: false) {
  __typename ... on Event { cursor } ... on MessageAdded { message { id } } ... on MessageChanged { message { id } }
} }
"""
VIEWER_EVENTS = """
subscription ($after: String) { viewerEvents(after: $after, follow: false) { __typename ... on Event { cursor } } }
"""


def reads(ids: Ids) -> Iterator[Operation]:
    """All that changes nothing."""
    for part in (_nodes, _viewer, _session, _messages, _sessions, _agents, _work, _audit, _records, _search, _replays):
        yield from part(ids)


def _node(name: str, owner: str, of: str, selection: str = "id") -> Operation:
    return Operation(name, owner, f"query ($id: ID!) {{ node(id: $id) {{ {selection} }} }}", {"id": of})


def _nodes(ids: Ids) -> Iterator[Operation]:
    yield _node("node: session", "team", ids.focus["team"])
    yield _node("node: message in the middle", "long", ids.middle("long"), "... on Message { text session { title } }")
    yield _node("node: agent", "team", ids.agents["team", 1])
    yield _node("node: task", "team", ids.task)
    yield _node("node: approval", "team", ids.approval)
    yield _node("node: auditEvent", "team", ids.event, "id ... on AuditEvent { subject { id } }")
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    yield Operation("nodes: 50 sessions", "team", document, {"ids": ids.sessions})


def _viewer(ids: Ids) -> Iterator[Operation]:
    for owner in ("user", "team"):
        # Agents are counted when the number is read.
        yield Operation("viewer.stats", owner, f"{{ viewer {{ stats {{ {STATS} }} }} }}", may_grow=CATALOGUE)
        yield Operation("viewer.unreadSessionCount", owner, "{ viewer { unreadSessionCount } }")
        yield Operation("viewer.eventCursor", owner, "{ viewer { eventCursor } }")


def _connection(
    name: str, owner: str, connection: str, page: str, given: dict[str, str], may_grow: str
) -> Iterator[Operation]:
    """A page of a connection at the root under each filter, and its total."""
    for filter_name, filter_text in given.items():
        page_document = f"{{ {connection}({page}, filter: {{{filter_text}}}) {{ nodes {{ id }} }} }}"
        yield Operation(f"{name}: {filter_name}", owner, page_document, {}, may_grow)
        total = f"{{ {connection}(first: 1, filter: {{{filter_text}}}) {{ totalCount }} }}"
        yield Operation(f"{name}: totalCount, {filter_name}", owner, total, {}, may_grow)


def _themselves(*filters: str) -> dict[str, str]:
    return {text: text for text in filters}


def _of_session(ids: Ids, name: str, owner: str, selection: str, may_grow: str = "") -> Operation:
    document = f"query ($id: ID!) {{ session(id: $id) {{ {selection} }} }}"
    return Operation(name, owner, document, {"id": ids.focus[owner]}, may_grow)


def _session(ids: Ids) -> Iterator[Operation]:
    yield _of_session(ids, "session by id", "team", "id title")
    yield Operation("session by key", "team", '{ session(key: "session-5") { id title } }')
    yield Operation("session.task", "team", '{ session(key: "session-1") { task { id } } }')
    agents = "agents(first: 50) { totalCount nodes { key agent { name } } }"
    for owner in ("team", "long", "hidden"):
        yield _of_session(ids, "session.lastMessage", owner, "lastMessage { text }")
        yield _of_session(ids, "session.agents", owner, agents)
    tasks = "tasks(first: 50) { totalCount nodes { id approvals(first: 5) { nodes { id } } } }"
    yield _of_session(ids, "session.tasks", "team", tasks)
    filtered = "tasks(first: 50, filter: {status: [CANCELLED]}) { totalCount nodes { id } }"
    yield _of_session(ids, "session.tasks: status: [CANCELLED]", "team", filtered)
    approvals = "approvals(last: 50) { totalCount nodes { id message { id } } } pendingApprovalCount"
    yield _of_session(ids, "session.approvals", "team", approvals)
    of_message = "message(sequence: 26) { approvals(first: 5) { totalCount nodes { id } } }"
    yield _of_session(ids, "message.approvals", "team", of_message)


def _messages(ids: Ids) -> Iterator[Operation]:
    for owner in ("team", "long", "hidden"):
        for end in ("first", "last"):
            selection = f"messages({end}: 50) {{ nodes {{ {MESSAGE} }} pageInfo {{ hasNextPage startCursor }} }}"
            yield _of_session(ids, f"session.messages: {end} 50", owner, selection)
        yield _of_session(ids, "session.messages: totalCount", owner, "messages(last: 1) { totalCount }")
    rare = ("role: [SYSTEM]", "status: [FAILED]", "status: [STREAMING]", 'agentKey: "part-2"', 'agentKey: "nobody"')
    for given in rare:
        page = f"messages(last: 50, filter: {{{given}}}) {{ nodes {{ id }} }}"
        yield _of_session(ids, f"session.messages: {given}", "long", page)
    total = "messages(last: 1, filter: {role: [USER]}) { totalCount }"
    yield _of_session(ids, "session.messages: totalCount, role: [USER]", "long", total, MATCHES)
    for key in ("part-0", "part-2"):
        page = f'agent(key: "{key}") {{ messages(last: 50) {{ nodes {{ id }} }} }}'
        yield _of_session(ids, f'session.agent(key: "{key}").messages', "long", page)
    total = 'agent(key: "part-0") { messages(last: 1) { totalCount } }'
    yield _of_session(ids, "session.agent.messages: totalCount", "long", total, MATCHES)
    yield _of_session(ids, "session.message by sequence", "long", "message(sequence: 500) { text }")
    yield _of_session(ids, "session.message by key", "long", 'message(key: "none") { text }')


def _sessions(ids: Ids) -> Iterator[Operation]:
    page = f"sessions(first: 30) {{ nodes {{ {SIDEBAR} }} pageInfo {{ endCursor }} }}"
    for owner in ("user", "team", "hidden"):
        yield Operation("sessions: sidebar", owner, f"{{ viewer {{ subject eventCursor }} {page} }}")
        yield Operation("sessions: totalCount", owner, "{ sessions(first: 1) { totalCount } }")
    for order in ("CREATED_AT, direction: DESC", "LAST_ACTIVITY, direction: ASC"):
        document = f"{{ sessions(first: 30, orderBy: {{field: {order}}}) {{ nodes {{ id }} }} }}"
        yield Operation(f"sessions: by {order.replace(', direction:', '')}", "hidden", document)
    rare = _themselves("status: [PENDING]", 'agentType: "rare"', 'role: "rare"', 'query: "rare"', 'query: "absent"')
    rare |= {"taskId": f'taskId: "{ids.rare_task}"', "deleted: true": "deleted: true"}
    common = _themselves("status: [ACTIVE]", 'agentType: "common"', 'query: "conversation"', "archived: true")
    yield from _connection("sessions", "team", "sessions", "first: 30", rare, "")
    yield from _connection("sessions", "team", "sessions", "first: 30", common, MATCHES)


def _agents(ids: Ids) -> Iterator[Operation]:
    by_id = "query ($id: ID!) {{ agent(id: $id) {{ {selection} }} }}"
    yield Operation("agent by id", "team", by_id.format(selection="name"), {"id": ids.agents["team", 1]})
    yield Operation("agent by key", "team", '{ agent(key: "agent-7") { name } }')
    for owner, number in (("team", 1), ("team", 2), ("long", 1), ("user", 1)):
        variables, where = {"id": ids.agents[owner, number]}, "all sessions" if number == 1 else "four sessions"
        metrics, page = by_id.format(selection=f"metrics {{ {METRICS} }}"), "sessions(first: 20) { nodes { id } }"
        yield Operation(f"agent.metrics: of {where}", owner, metrics, variables)
        yield Operation(f"agent.sessions: {where}", owner, by_id.format(selection=page), variables)
        total = by_id.format(selection="sessions(first: 1) { totalCount }")
        yield Operation(f"agent.sessions: totalCount, {where}", owner, total, variables, MATCHES)
    for order in ("NAME", "CREATED_AT", "HOURLY_RATE"):
        document = f"{{ agents(first: 50, orderBy: {{field: {order}, direction: ASC}}) {{ nodes {{ id }} }} }}"
        yield Operation(f"agents: by {order}", "team", document, {}, CATALOGUE if order == "HOURLY_RATE" else "")
    yield Operation("agents: totalCount", "team", "{ agents(first: 1) { totalCount } }", {}, CATALOGUE)
    given = _themselves("status: [OFFLINE]", 'type: "rare"', 'skills: ["rare"]', 'maxHourlyRate: "1"', 'query: "rare"')
    yield from _connection("agents", "team", "agents", "first: 50", given, CATALOGUE)


def _work(ids: Ids) -> Iterator[Operation]:
    selection = "id session { id } approvals(first: 3) { nodes { id } }"
    yield Operation("task", "team", f"query ($id: ID!) {{ task(id: $id) {{ {selection} }} }}", {"id": ids.task})
    for noun in ("tasks", "approvals"):
        yield Operation(noun, "team", f"{{ {noun}(last: 50) {{ nodes {{ id }} }} }}")
        yield Operation(f"{noun}: totalCount", "team", f"{{ {noun}(first: 1) {{ totalCount }} }}")
    rare = _themselves("status: [CANCELLED]", 'type: "rare"', 'toRole: "rare"', 'fromRole: "none"', 'traceId: "none"')
    yield from _connection("tasks", "team", "tasks", "last: 50", rare, "")
    yield from _connection("tasks", "team", "tasks", "last: 50", _themselves("status: [PENDING]"), MATCHES)
    rare, common = _themselves("status: [PENDING]", 'approverRole: "rare"'), _themselves("status: [REJECTED]")
    yield from _connection("approvals", "team", "approvals", "last: 50", rare, "")
    yield from _connection("approvals", "team", "approvals", "last: 50", common, MATCHES)


def _audit(ids: Ids) -> Iterator[Operation]:
    for end in ("first", "last"):
        page = f"{{ auditEvents({end}: 50) {{ nodes {{ id eventType subject {{ id }} }} }} }}"
        yield Operation(f"auditEvents: {end} 50", "team", page)
    yield Operation("auditEvents: totalCount", "team", "{ auditEvents(first: 1) { totalCount } }")
    rare = _themselves('eventType: "rare"', 'role: "rare"', 'traceId: "none"')
    common = _themselves('eventType: "session.updated"', 'since: "2026-11-04T00:00:00Z"')
    subject = {"subjectId": f'subjectId: "{ids.focus["team"]}"'}
    yield from _connection("auditEvents", "team", "auditEvents", "last: 50", rare | subject, "")
    yield from _connection("auditEvents", "team", "auditEvents", "last: 50", common, MATCHES)


def _records(_: Ids) -> Iterator[Operation]:
    yield Operation("record", "team", '{ record(namespace: ["notes"], key: "record-8") { value revision } }')
    for namespace, may_grow in (("rare", ""), ("notes", MATCHES)):
        page = f'{{ records(namespacePrefix: ["{namespace}"], first: 50) {{ nodes {{ key value }} }} }}'
        yield Operation(f"records: of {namespace}", "team", page)
        total = f'{{ records(namespacePrefix: ["{namespace}"], first: 1) {{ totalCount }} }}'
        yield Operation(f"records: totalCount, of {namespace}", "team", total, {}, may_grow)
    tagged = '{ records(first: 50, filter: {metadataContains: {kind: "rare"}}) { nodes { key } } }'
    yield Operation("records: metadataContains", "team", tagged, {}, RECORDS)
    namespaces = "{ recordNamespaces(first: 50) { totalCount nodes { namespace } } }"
    yield Operation("recordNamespaces", "team", namespaces)


def _search(ids: Ids) -> Iterator[Operation]:
    rare = {"rare word": "rare", "absent word": "xylophone"}
    words = {"common word": "quick", "word of one message in 50": "seldom"}
    words |= {"beginning of a common word": "q", "beginning of many words": "a"}
    for owner in ("user", "team", "long"):
        for name, word in (rare | words | {"three common words": "fox quick jumps"}).items():
            may_grow = "" if name in rare or owner == "user" else MATCHES
            document = f'{{ searchMessages(query: "{word}", first: 20) {{ {FOUND} }} }}'
            yield Operation(f"search: {name}", owner, document, {}, may_grow)
        total = '{ searchMessages(query: "quick", first: 1) { totalCount } }'
        yield Operation("search: totalCount", owner, total, {}, "" if owner == "user" else MATCHES)
    found = f'searchMessages(query: "quick", first: 20, filter: $f) {{ {FOUND} }}'
    document = f"query ($f: MessageSearchFilter) {{ {found} }}"
    for owner, may_grow in (("team", ""), ("long", MATCHES)):
        one_session = {"f": {"sessionId": ids.focus[owner]}}
        yield Operation("search: in one session", owner, document, one_session, may_grow)
    yield Operation("search: agentType", "team", document, {"f": {"agentType": "rare"}})
    yield Operation("search: since", "long", document, {"f": {"since": "2026-11-04T23:00:00Z"}})


def _replays(ids: Ids) -> Iterator[Operation]:
    for owner in ("team", "long", "hidden"):
        yield Operation("sessionEvents: up to date", owner, SESSION_EVENTS, {"id": ids.focus[owner]})
    after = f"{ids.focus['long'].replace('ses_', 'e.')}.{ids.heads['long'] - 300}"
    yield Operation("sessionEvents: 300 behind", "long", SESSION_EVENTS, {"id": ids.focus["long"], "after": after})
    yield Operation("viewerEvents: up to date", "team", VIEWER_EVENTS)
    yield Operation("viewerEvents: 300 behind", "team", VIEWER_EVENTS, {"after": ids.viewer_cursor})
