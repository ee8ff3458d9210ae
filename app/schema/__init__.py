"""The public face. A new noun adds its mutations here, and its types where others reach them."""

import strawberry
from graphql_compiled.strawberry import Schema
from strawberry.tools import merge_types

from app.schema.agent import AgentMutation
from app.schema.approval import ApprovalMutation, ApprovalQuery
from app.schema.audit import AuditQuery
from app.schema.base import ERRORS
from app.schema.content import BLOCKS
from app.schema.event import Subscription
from app.schema.idempotency import idempotent
from app.schema.message import MessageMutation
from app.schema.query import RootQuery
from app.schema.scalars import CONFIG
from app.schema.search import SearchQuery
from app.schema.session import SessionMutation
from app.schema.session_agent import SessionAgentMutation
from app.schema.streaming_message import StreamMutation
from app.schema.task import TaskMutation, TaskQuery

QUERIES = (RootQuery, TaskQuery, ApprovalQuery, AuditQuery, SearchQuery)
MUTATIONS = (
    SessionMutation,
    MessageMutation,
    StreamMutation,
    SessionAgentMutation,
    AgentMutation,
    TaskMutation,
    ApprovalMutation,
)
Query = strawberry.type(merge_types("Query", QUERIES), description="What can be read.")
Mutation = strawberry.type(
    merge_types("Mutation", MUTATIONS),
    description="What can be written. A business failure is data: `errors`.",
)
schema = Schema(Query, Mutation, Subscription, types=[*ERRORS, *BLOCKS], directives=[idempotent], config=CONFIG)
