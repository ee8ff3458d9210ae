"""The public face. A new noun adds its mutations here, and its types where others reach them."""

import strawberry
from strawberry.tools import merge_types

from app.schema.agent import AgentMutation
from app.schema.base import ERRORS
from app.schema.event import Subscription
from app.schema.idempotency import idempotent
from app.schema.message import MessageMutation
from app.schema.query import Query
from app.schema.scalars import CONFIG
from app.schema.session import SessionMutation
from app.schema.session_agent import SessionAgentMutation

MUTATIONS = (SessionMutation, MessageMutation, SessionAgentMutation, AgentMutation)
Mutation = strawberry.type(
    merge_types("Mutation", MUTATIONS),
    description="What can be written. A business failure is data: `errors`.",
)
schema = strawberry.Schema(Query, Mutation, Subscription, types=ERRORS, directives=[idempotent], config=CONFIG)
