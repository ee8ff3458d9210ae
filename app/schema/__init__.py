"""The GraphQL schema. A new noun adds its query and mutation classes here."""

import strawberry
from graphql_compiled.strawberry import Schema
from strawberry.tools import merge_types

from app.schema.agent import AgentQuery
from app.schema.agent_mutation import AgentMutation
from app.schema.approval import ApprovalMutation, ApprovalQuery
from app.schema.audit import AuditQuery
from app.schema.content import BLOCKS
from app.schema.event import Subscription
from app.schema.idempotency import idempotent
from app.schema.message_mutation import MessageMutation
from app.schema.node import NodeQuery
from app.schema.record import RecordMutation, RecordQuery
from app.schema.scalars import CONFIG
from app.schema.search import SearchQuery
from app.schema.session import SessionQuery
from app.schema.session_agent import SessionAgentMutation
from app.schema.session_mutation import SessionMutation
from app.schema.streaming_message import StreamingMessageMutation
from app.schema.task import TaskMutation, TaskQuery
from app.schema.user_errors import ERRORS
from app.schema.viewer import ViewerQuery

QUERIES = (
    NodeQuery,
    ViewerQuery,
    SessionQuery,
    AgentQuery,
    TaskQuery,
    ApprovalQuery,
    AuditQuery,
    SearchQuery,
    RecordQuery,
)
MUTATIONS = (
    SessionMutation,
    MessageMutation,
    StreamingMessageMutation,
    SessionAgentMutation,
    AgentMutation,
    TaskMutation,
    ApprovalMutation,
    RecordMutation,
)
Query = strawberry.type(
    merge_types("Query", QUERIES), description="Reading. All fields return objects of the viewer only."
)
Mutation = strawberry.type(
    merge_types("Mutation", MUTATIONS),
    description="Writing. Each field is one transaction, and the fields of an operation run one after another. A "
    "business failure is returned in the `errors` of the payload, and then the field changed nothing. Every field may "
    "also return IDEMPOTENCY_KEY_REUSED and IDEMPOTENCY_IN_PROGRESS if it has an idempotency key. Without a key, a "
    "retry runs the field again.",
)
schema = Schema(Query, Mutation, Subscription, types=[*ERRORS, *BLOCKS], directives=[idempotent], config=CONFIG)
