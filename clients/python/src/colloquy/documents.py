"""The operations this client sends, each a fixed document; a test validates all of them against schema.graphql."""

SESSION = """
fragment SessionFields on Session {
  id key title status role agentType metadata revision messageCount unreadCount streaming lastReadSequence
  createdAt updatedAt lastActivityAt expiresAt archivedAt deletedAt eventCursor
}"""
MESSAGE = """
fragment MessageFields on Message {
  id key sequence role status text raw usage { inputTokens outputTokens totalTokens } agent { key }
  metadata revision redactedAt clientCreatedAt createdAt updatedAt
}"""
SESSION_AGENT = """
fragment SessionAgentFields on SessionAgent {
  id key kind state conversationManagerState internalState raw revision clientCreatedAt createdAt updatedAt
}"""
AGENT = """
fragment AgentFields on Agent {
  id key name description type status skills hourlyRate metadata revision createdAt updatedAt
}"""
TASK = """
fragment TaskFields on Task {
  id type fromRole toRole payload traceId status revision createdAt updatedAt
}"""
APPROVAL = """
fragment ApprovalFields on Approval {
  id toolUseId approverRole status notes decidedBy decidedAt createdAt
}"""
ERRORS = """errors {
    code message field
    ... on ConflictError { currentRevision }
    ... on IllegalTransitionError { fromStatus toStatus }
    ... on LimitError { limit }
    ... on OffsetError { expectedOffset }
  }"""
PAGE = "$first: Int, $after: String, $last: Int, $before: String"
WINDOW = "first: $first, after: $after, last: $last, before: $before"
PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


def _mutation(field: str, kind: str, selection: str, fragment: str = "") -> str:
    name = field[0].upper() + field[1:]
    body = f"{field}(input: $input) {{\n  {selection}\n  {ERRORS}\n}}"
    return f"mutation {name}($input: {kind}!) {{\n{body}\n}}{fragment}"


_IN_SESSION = "session { ...SessionFields }"
_OF_MESSAGE = "message { ...MessageFields }"

VIEWER = "query Viewer { viewer { id subject scopes roles } }"
SESSION_BY = f"query Session($id: ID, $key: String) {{ session(id: $id, key: $key) {{ ...SessionFields }} }}{SESSION}"
SESSIONS = f"""
query Sessions({PAGE}, $filter: SessionFilter, $orderBy: SessionOrder!) {{
  sessions({WINDOW}, filter: $filter, orderBy: $orderBy) {{ nodes {{ ...SessionFields }} {PAGE_INFO} }}
}}{SESSION}"""
MESSAGES = f"""
query Messages($sessionId: ID, $sessionKey: String, {PAGE}, $filter: MessageFilter) {{
  session(id: $sessionId, key: $sessionKey) {{
    messages({WINDOW}, filter: $filter) {{ nodes {{ ...MessageFields }} {PAGE_INFO} }}
  }}
}}{MESSAGE}"""
MESSAGES_COUNTED = MESSAGES.replace("query Messages", "query MessagesCounted").replace(
    PAGE_INFO, f"totalCount {PAGE_INFO}"
)
MESSAGE_BY = f"""
query Message($sessionId: ID, $sessionKey: String, $id: ID, $sequence: Int, $key: String, $agentKey: String) {{
  session(id: $sessionId, key: $sessionKey) {{
    message(id: $id, sequence: $sequence, key: $key, agentKey: $agentKey) {{ ...MessageFields }}
  }}
}}{MESSAGE}"""
SESSION_AGENT_BY = f"""
query SessionAgent($sessionId: ID, $sessionKey: String, $key: String!, $kind: SessionAgentKind!) {{
  session(id: $sessionId, key: $sessionKey) {{
    agent(key: $key, kind: $kind) {{ ...SessionAgentFields }}
  }}
}}{SESSION_AGENT}"""
AGENT_BY = f"query Agent($id: ID, $key: String) {{ agent(id: $id, key: $key) {{ ...AgentFields }} }}{AGENT}"
AGENTS = f"""
query Agents({PAGE}, $filter: AgentFilter) {{
  agents({WINDOW}, filter: $filter) {{ nodes {{ ...AgentFields }} {PAGE_INFO} }}
}}{AGENT}"""
TASK_BY = f"query Task($id: ID!) {{ task(id: $id) {{ ...TaskFields }} }}{TASK}"
TASKS = f"""
query Tasks({PAGE}, $filter: TaskFilter) {{
  tasks({WINDOW}, filter: $filter) {{ nodes {{ ...TaskFields }} {PAGE_INFO} }}
}}{TASK}"""
APPROVALS = f"""
query Approvals({PAGE}, $filter: ApprovalFilter) {{
  approvals({WINDOW}, filter: $filter) {{ nodes {{ ...ApprovalFields }} {PAGE_INFO} }}
}}{APPROVAL}"""

CREATE_SESSION = _mutation(
    "createSession", "CreateSessionInput", f"{_IN_SESSION} evicted {{ ...SessionFields }}", SESSION
)
UPDATE_SESSION = _mutation("updateSession", "UpdateSessionInput", _IN_SESSION, SESSION)
SET_SESSION_STATUS = _mutation("setSessionStatus", "SetSessionStatusInput", _IN_SESSION, SESSION)
ARCHIVE_SESSION = _mutation("archiveSession", "SessionIdInput", _IN_SESSION, SESSION)
RESTORE_SESSION = _mutation("restoreSession", "SessionIdInput", _IN_SESSION, SESSION)
DELETE_SESSION = _mutation("deleteSession", "DeleteSessionInput", "deletedId deletedMessageCount")
MARK_SESSION_READ = _mutation("markSessionRead", "MarkSessionReadInput", _IN_SESSION, SESSION)

APPEND_MESSAGE = _mutation("appendMessage", "AppendMessageInput", _OF_MESSAGE, MESSAGE)
APPEND_MESSAGES = _mutation("appendMessages", "AppendMessagesInput", "messages { ...MessageFields }", MESSAGE)
UPDATE_MESSAGE = _mutation("updateMessage", "UpdateMessageInput", _OF_MESSAGE, MESSAGE)
REDACT_MESSAGE = _mutation("redactMessage", "RedactMessageInput", _OF_MESSAGE, MESSAGE)
DELETE_MESSAGE = _mutation("deleteMessage", "MessageIdInput", "deletedId")

START_MESSAGE = _mutation("startMessage", "StartMessageInput", f"fence {_OF_MESSAGE}", MESSAGE)
EXTEND_MESSAGE = _mutation("extendMessage", "ExtendMessageInput", "cursor")
FINISH_MESSAGE = _mutation("finishMessage", "FinishMessageInput", _OF_MESSAGE, MESSAGE)
CANCEL_MESSAGE = _mutation("cancelMessage", "MessageIdInput", _OF_MESSAGE, MESSAGE)

PUT_SESSION_AGENT = _mutation(
    "putSessionAgent", "PutSessionAgentInput", "sessionAgent { ...SessionAgentFields }", SESSION_AGENT
)

CREATE_AGENT = _mutation("createAgent", "CreateAgentInput", "agent { ...AgentFields }", AGENT)
UPDATE_AGENT = _mutation("updateAgent", "UpdateAgentInput", "agent { ...AgentFields }", AGENT)
SET_AGENT_STATUS = _mutation("setAgentStatus", "SetAgentStatusInput", "agent { ...AgentFields }", AGENT)
DELETE_AGENT = _mutation("deleteAgent", "AgentIdInput", "deletedId")

CREATE_TASK = _mutation("createTask", "CreateTaskInput", "task { ...TaskFields }", TASK)
SET_TASK_STATUS = _mutation("setTaskStatus", "SetTaskStatusInput", "task { ...TaskFields }", TASK)
REQUEST_APPROVAL = _mutation("requestApproval", "RequestApprovalInput", "approval { ...ApprovalFields }", APPROVAL)
DECIDE_APPROVAL = _mutation("decideApproval", "DecideApprovalInput", "approval { ...ApprovalFields }", APPROVAL)

SESSION_EVENTS = f"""
subscription SessionEvents($sessionId: ID!, $after: String, $follow: Boolean!) {{
  sessionEvents(sessionId: $sessionId, after: $after, follow: $follow) {{
    __typename
    ... on Event {{ cursor }}
    ... on MessageAdded {{ message {{ ...MessageFields }} }}
    ... on MessageDelta {{ messageId offset text }}
    ... on MessageChanged {{ message {{ ...MessageFields }} }}
    ... on MessageRemoved {{ messageId }}
    ... on SessionChanged {{ session {{ ...SessionFields }} }}
    ... on SessionRemoved {{ sessionId }}
    ... on SessionAgentChanged {{ sessionAgent {{ ...SessionAgentFields }} }}
    ... on TaskChanged {{ task {{ ...TaskFields }} }}
    ... on ApprovalChanged {{ approval {{ ...ApprovalFields }} }}
    ... on StreamReset {{ reason }}
  }}
}}{MESSAGE}{SESSION}{SESSION_AGENT}{TASK}{APPROVAL}"""

VIEWER_EVENTS = f"""
subscription ViewerEvents($after: String, $follow: Boolean!) {{
  viewerEvents(after: $after, follow: $follow) {{
    __typename
    ... on Event {{ cursor }}
    ... on SessionChanged {{ session {{ ...SessionFields }} }}
    ... on SessionRemoved {{ sessionId }}
    ... on TaskChanged {{ task {{ ...TaskFields }} }}
    ... on ApprovalChanged {{ approval {{ ...ApprovalFields }} }}
    ... on StreamReset {{ reason }}
  }}
}}{SESSION}{TASK}{APPROVAL}"""

ALL = {
    name: text
    for name, text in list(globals().items())
    if name.isupper() and isinstance(text, str) and text.lstrip().startswith(("query", "mutation", "subscription"))
}
