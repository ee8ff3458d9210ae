"""The statements that the code builds at their first use, built here so that checks and tests see them too."""

from itertools import product
from typing import Any

from app.db import agent, approval, audit, message, record, record_namespace, search, session, session_agent, task
from app.db.access.statement import REGISTERED
from app.db.reading.nested import Nested

NESTED = [
    value
    for module in (approval, message, session, session_agent, task)
    for value in vars(module).values()
    if isinstance(value, Nested)
]
STATES = frozenset({"state", "conversation_manager_state", "internal_state", "raw", "agent_id", "client_created_at"})
CONTENT = frozenset({"text", "raw", "content", "metadata", "input_tokens", "output_tokens", "total_tokens"})


def registered() -> dict[str, Any]:
    """Every registered query of the program by name, with all shapes of it."""
    for backward in (False, True):
        for nested in NESTED:
            nested.for_one(backward)
            nested.for_many(backward)
        audit._page(backward)
        for module, by_status in product((approval, task), (False, True)):
            module._page(backward, by_status)
        for access in search.NEWEST:
            search._page(access, backward)
        for order in agent.ORDERS.values():
            agent._page(order, backward)
        for order in record.ORDERS.values():
            record._page(order, backward)
        record_namespace._page(backward)
        for order, shape in session.SHAPES:
            session._page(order, backward, shape)
            session._page_with_last(order, backward, shape)
        for order in session.ORDERS.values():
            session._page_with_agents(order, backward)
        message._update(CONTENT, redacted=backward)
    for nested in NESTED:
        assert nested.count
        assert nested.stored_count is None or nested.stored_count.reads
    agent._update(frozenset(agent.INSERT_COLUMNS) - {"id", "key"})
    session._update(frozenset(session.INSERT_COLUMNS) - {"id", "key"})
    session_agent._insert(STATES)
    session_agent._update(STATES)
    return {name: query for name, query in REGISTERED.items() if not name.startswith("test_")}
