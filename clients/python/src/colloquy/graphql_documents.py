"""The GraphQL documents that this client sends. A test validates all of them against schema.graphql."""

SESSION_FIELDS = """
fragment SessionFields on Session {
  id key title status role agentType metadata revision messageCount unreadCount streaming lastReadSequence
  createdAt updatedAt lastActivityAt expiresAt archivedAt deletedAt eventCursor
}"""
MESSAGE_FIELDS = """
fragment MessageFields on Message {
  id key sequence role status text raw usage { inputTokens outputTokens totalTokens } agent { key }
  metadata revision redactedAt clientCreatedAt createdAt updatedAt
}"""
SESSION_AGENT_FIELDS = """
fragment SessionAgentFields on SessionAgent {
  id key kind state conversationManagerState internalState raw revision clientCreatedAt createdAt updatedAt
}"""
AGENT_FIELDS = """
fragment AgentFields on Agent {
  id key name description type status skills hourlyRate metadata revision createdAt updatedAt
}"""
TASK_FIELDS = """
fragment TaskFields on Task {
  id type fromRole toRole payload traceId status revision createdAt updatedAt
}"""
APPROVAL_FIELDS = """
fragment ApprovalFields on Approval {
  id toolUseId approverRole status notes decidedBy decidedAt createdAt
}"""
RECORD_FIELDS = """
fragment RecordFields on Record {
  id namespace key value bytes metadata revision session { id } expiresAt createdAt updatedAt
}"""
SELECT_ERRORS = """errors {
    code message field
    ... on ConflictError { currentRevision }
    ... on IllegalTransitionError { fromStatus toStatus }
    ... on LimitError { limit }
    ... on OffsetError { expectedOffset }
  }"""
PAGE_VARIABLES = "$first: Int, $after: String, $last: Int, $before: String"
PAGE_ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
SELECT_PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


def _mutation(field: str, kind: str, selection: str, fragment: str = "") -> str:
    name = field[0].upper() + field[1:]
    body = f"{field}(input: $input) {{\n  {selection}\n  {SELECT_ERRORS}\n}}"
    return f"mutation {name}($input: {kind}!) {{\n{body}\n}}{fragment}"


SELECT_SESSION = "session { ...SessionFields }"
SELECT_MESSAGE = "message { ...MessageFields }"
SELECT_AGENT = "agent { ...AgentFields }"
SELECT_TASK = "task { ...TaskFields }"
SELECT_APPROVAL = "approval { ...ApprovalFields }"

VIEWER = "query Viewer { viewer { id subject scopes roles } }"
SESSION_BY = (
    f"query Session($id: ID, $key: String) {{ session(id: $id, key: $key) {{ ...SessionFields }} }}{SESSION_FIELDS}"
)
SESSIONS = f"""
query Sessions({PAGE_VARIABLES}, $filter: SessionFilter, $orderBy: SessionOrder!) {{
  sessions({PAGE_ARGUMENTS}, filter: $filter, orderBy: $orderBy) {{ nodes {{ ...SessionFields }} {SELECT_PAGE_INFO} }}
}}{SESSION_FIELDS}"""
MESSAGES = f"""
query Messages($sessionId: ID, $sessionKey: String, {PAGE_VARIABLES}, $filter: MessageFilter) {{
  session(id: $sessionId, key: $sessionKey) {{
    messages({PAGE_ARGUMENTS}, filter: $filter) {{ nodes {{ ...MessageFields }} {SELECT_PAGE_INFO} }}
  }}
}}{MESSAGE_FIELDS}"""
MESSAGES_WITH_TOTAL = MESSAGES.replace("query Messages", "query MessagesWithTotal").replace(
    SELECT_PAGE_INFO, f"totalCount {SELECT_PAGE_INFO}"
)
MESSAGE_CURSORS = f"""
query MessageCursors($sessionKey: String!, {PAGE_VARIABLES}) {{
  session(key: $sessionKey) {{
    messages({PAGE_ARGUMENTS}) {{ edges {{ cursor node {{ id key }} }} {SELECT_PAGE_INFO} }}
  }}
}}"""
MESSAGE_BY = f"""
query Message($sessionId: ID, $sessionKey: String, $id: ID, $sequence: Int, $key: String, $agentKey: String) {{
  session(id: $sessionId, key: $sessionKey) {{
    message(id: $id, sequence: $sequence, key: $key, agentKey: $agentKey) {{ ...MessageFields }}
  }}
}}{MESSAGE_FIELDS}"""
SESSION_AGENT_BY = f"""
query SessionAgent($sessionId: ID, $sessionKey: String, $key: String!, $kind: SessionAgentKind!) {{
  session(id: $sessionId, key: $sessionKey) {{
    agent(key: $key, kind: $kind) {{ ...SessionAgentFields }}
  }}
}}{SESSION_AGENT_FIELDS}"""
AGENT_BY = f"query Agent($id: ID, $key: String) {{ agent(id: $id, key: $key) {{ ...AgentFields }} }}{AGENT_FIELDS}"
AGENTS = f"""
query Agents({PAGE_VARIABLES}, $filter: AgentFilter) {{
  agents({PAGE_ARGUMENTS}, filter: $filter) {{ nodes {{ ...AgentFields }} {SELECT_PAGE_INFO} }}
}}{AGENT_FIELDS}"""
TASK_BY = f"query Task($id: ID!) {{ task(id: $id) {{ ...TaskFields }} }}{TASK_FIELDS}"
TASKS = f"""
query Tasks({PAGE_VARIABLES}, $filter: TaskFilter) {{
  tasks({PAGE_ARGUMENTS}, filter: $filter) {{ nodes {{ ...TaskFields }} {SELECT_PAGE_INFO} }}
}}{TASK_FIELDS}"""
APPROVALS = f"""
query Approvals({PAGE_VARIABLES}, $filter: ApprovalFilter) {{
  approvals({PAGE_ARGUMENTS}, filter: $filter) {{ nodes {{ ...ApprovalFields }} {SELECT_PAGE_INFO} }}
}}{APPROVAL_FIELDS}"""
RECORD_BY = f"""
query Record($namespace: [String!]!, $key: String!) {{
  record(namespace: $namespace, key: $key) {{ ...RecordFields }}
}}{RECORD_FIELDS}"""
THREE_RECORDS = f"""
query ThreeRecords(
  $sessionNamespace: [String!]!, $sessionKey: String!, $userNamespace: [String!]!, $userKey: String!,
  $appNamespace: [String!]!, $appKey: String!
) {{
  session: record(namespace: $sessionNamespace, key: $sessionKey) {{ ...RecordFields }}
  user: record(namespace: $userNamespace, key: $userKey) {{ ...RecordFields }}
  app: record(namespace: $appNamespace, key: $appKey) {{ ...RecordFields }}
}}{RECORD_FIELDS}"""
RECORDS = f"""
query Records($namespacePrefix: [String!], {PAGE_VARIABLES}, $filter: RecordFilter, $orderBy: RecordOrder!) {{
  records(namespacePrefix: $namespacePrefix, {PAGE_ARGUMENTS}, filter: $filter, orderBy: $orderBy) {{
    nodes {{ ...RecordFields }} {SELECT_PAGE_INFO}
  }}
}}{RECORD_FIELDS}"""
RECORD_NAMESPACES = f"""
query RecordNamespaces($prefix: [String!], $suffix: [String!], $maxDepth: Int, {PAGE_VARIABLES}) {{
  recordNamespaces(prefix: $prefix, suffix: $suffix, maxDepth: $maxDepth, {PAGE_ARGUMENTS}) {{
    nodes {{ namespace }} {SELECT_PAGE_INFO}
  }}
}}"""

CREATE_SESSION = _mutation(
    "createSession", "CreateSessionInput", f"{SELECT_SESSION} evicted {{ ...SessionFields }}", SESSION_FIELDS
)
UPDATE_SESSION = _mutation("updateSession", "UpdateSessionInput", SELECT_SESSION, SESSION_FIELDS)
SET_SESSION_STATUS = _mutation("setSessionStatus", "SetSessionStatusInput", SELECT_SESSION, SESSION_FIELDS)
ARCHIVE_SESSION = _mutation("archiveSession", "SessionIdInput", SELECT_SESSION, SESSION_FIELDS)
RESTORE_SESSION = _mutation("restoreSession", "SessionIdInput", SELECT_SESSION, SESSION_FIELDS)
DELETE_SESSION = _mutation("deleteSession", "DeleteSessionInput", "deletedId deletedMessageCount")
MARK_SESSION_READ = _mutation("markSessionRead", "MarkSessionReadInput", SELECT_SESSION, SESSION_FIELDS)

APPEND_MESSAGE = _mutation("appendMessage", "AppendMessageInput", SELECT_MESSAGE, MESSAGE_FIELDS)
APPEND_MESSAGES = _mutation("appendMessages", "AppendMessagesInput", "messages { ...MessageFields }", MESSAGE_FIELDS)
UPDATE_MESSAGE = _mutation("updateMessage", "UpdateMessageInput", SELECT_MESSAGE, MESSAGE_FIELDS)
REDACT_MESSAGE = _mutation("redactMessage", "RedactMessageInput", SELECT_MESSAGE, MESSAGE_FIELDS)
DELETE_MESSAGE = _mutation("deleteMessage", "MessageIdInput", "deletedId")

START_MESSAGE = _mutation("startMessage", "StartMessageInput", f"fence {SELECT_MESSAGE}", MESSAGE_FIELDS)
SELECT_MESSAGE_IN_PARTS = "message { ...MessageFields parts }"
START_MESSAGE_IN_PARTS = _mutation(
    "startMessage", "StartMessageInput", f"fence {SELECT_MESSAGE_IN_PARTS}", MESSAGE_FIELDS
)
EXTEND_MESSAGE = _mutation("extendMessage", "ExtendMessageInput", "cursor")
FINISH_MESSAGE = _mutation("finishMessage", "FinishMessageInput", SELECT_MESSAGE, MESSAGE_FIELDS)
CANCEL_MESSAGE = _mutation("cancelMessage", "MessageIdInput", SELECT_MESSAGE, MESSAGE_FIELDS)

PUT_SESSION_AGENT = _mutation(
    "putSessionAgent", "PutSessionAgentInput", "sessionAgent { ...SessionAgentFields }", SESSION_AGENT_FIELDS
)

CREATE_AGENT = _mutation("createAgent", "CreateAgentInput", SELECT_AGENT, AGENT_FIELDS)
UPDATE_AGENT = _mutation("updateAgent", "UpdateAgentInput", SELECT_AGENT, AGENT_FIELDS)
SET_AGENT_STATUS = _mutation("setAgentStatus", "SetAgentStatusInput", SELECT_AGENT, AGENT_FIELDS)
DELETE_AGENT = _mutation("deleteAgent", "AgentIdInput", "deletedId")

CREATE_TASK = _mutation("createTask", "CreateTaskInput", SELECT_TASK, TASK_FIELDS)
SET_TASK_STATUS = _mutation("setTaskStatus", "SetTaskStatusInput", SELECT_TASK, TASK_FIELDS)
REQUEST_APPROVAL = _mutation("requestApproval", "RequestApprovalInput", SELECT_APPROVAL, APPROVAL_FIELDS)
DECIDE_APPROVAL = _mutation("decideApproval", "DecideApprovalInput", SELECT_APPROVAL, APPROVAL_FIELDS)
PUT_RECORDS = _mutation("putRecords", "PutRecordsInput", "records { ...RecordFields }", RECORD_FIELDS)
DELETE_RECORDS = _mutation("deleteRecords", "DeleteRecordsInput", "deletedCount")

SESSION_EVENTS = f"""
subscription SessionEvents($sessionId: ID!, $after: String, $follow: Boolean!) {{
  sessionEvents(sessionId: $sessionId, after: $after, follow: $follow) {{
    __typename
    ... on Event {{ cursor }}
    ... on MessageAdded {{ {SELECT_MESSAGE_IN_PARTS} }}
    ... on MessageDelta {{ messageId offset text }}
    ... on MessagePartsDelta {{ messageId offset parts }}
    ... on MessageChanged {{ {SELECT_MESSAGE_IN_PARTS} }}
    ... on MessageRemoved {{ messageId }}
    ... on SessionChanged {{ session {{ ...SessionFields }} }}
    ... on SessionRemoved {{ sessionId }}
    ... on SessionAgentChanged {{ sessionAgent {{ ...SessionAgentFields }} }}
    ... on TaskChanged {{ task {{ ...TaskFields }} }}
    ... on ApprovalChanged {{ approval {{ ...ApprovalFields }} }}
    ... on StreamReset {{ reason }}
  }}
}}{MESSAGE_FIELDS}{SESSION_FIELDS}{SESSION_AGENT_FIELDS}{TASK_FIELDS}{APPROVAL_FIELDS}"""

VIEWER_EVENTS = f"""
subscription ViewerEvents($after: String, $follow: Boolean!) {{
  viewerEvents(after: $after, follow: $follow) {{
    __typename
    ... on Event {{ cursor }}
    ... on SessionChanged {{ session {{ ...SessionFields }} }}
    ... on SessionRemoved {{ sessionId }}
    ... on TaskChanged {{ task {{ ...TaskFields }} }}
    ... on ApprovalChanged {{ approval {{ ...ApprovalFields }} }}
    ... on RecordChanged {{ namespace key record {{ ...RecordFields }} }}
    ... on StreamReset {{ reason }}
  }}
}}{SESSION_FIELDS}{TASK_FIELDS}{APPROVAL_FIELDS}{RECORD_FIELDS}"""

OPERATIONS = {
    name: text
    for name, text in list(globals().items())
    if name.isupper() and isinstance(text, str) and text.lstrip().startswith(("query", "mutation", "subscription"))
}
