"""The settings of the limits: see `Settings`."""

from pydantic import BaseModel

from app.settings.fields import whole_number


class Limits(BaseModel):
    """The largest request, and how much one client may hold open."""

    max_raw_bytes: int = whole_number(
        2**20, "Largest document in `raw`; also all parts of a streaming message.", low=1024, high=2**26
    )
    max_record_bytes: int = whole_number(2**20, "Largest value, bytes or metadata of a record.", low=1024, high=2**26)
    max_body_bytes: int = whole_number(2**23, "Largest HTTP request body.", low=1024, high=2**30)
    max_frame_bytes: int = whole_number(
        2**18, "Largest WebSocket message; larger writes must use HTTP.", low=1024, high=2**26
    )
    max_document_bytes: int = whole_number(
        2**16, "Largest GraphQL document; it is measured before it is parsed.", low=1024, high=2**24
    )
    max_tokens: int = whole_number(5_000, "Lexical tokens in a GraphQL document.", high=10**6)
    max_depth: int = whole_number(20, "Levels of nesting in a document; GraphiQL's introspection needs 15.", high=200)
    max_fields: int = whole_number(
        1_000, "Fields in a document; a fragment counts as often as it is spread.", high=10**6
    )
    max_aliases: int = whole_number(100, "Aliases in a document, counted as fields are.", high=10**6)
    max_directives: int = whole_number(100, "Directives in a document, counted as fields are.", high=10**6)
    max_cost: int = whole_number(
        20_000,
        "Fields of the largest possible response: what is selected below a page counts once for each of its elements.",
        high=10**9,
    )
    budget_cost: int = whole_number(
        0,
        "Cost of the operations that one owner may run in BUDGET_SECONDS, counted as for MAX_COST; 0: no budgets.",
        low=0,
        high=10**12,
    )
    budget_seconds: int = whole_number(
        60, "Window of a budget; processes with the same REDIS_URL share the budgets.", high=86_400
    )
    socket_init_seconds: int = whole_number(10, "Time in which a new WebSocket must send `connection_init`.", high=600)
    max_operations_per_socket: int = whole_number(100, "Concurrent operations on one WebSocket.", high=10**5)
    max_subscribers_per_user: int = whole_number(1_000, "Live subscriptions of one owner in one process.", high=10**6)
    max_subscribers: int = whole_number(10_000, "Live subscriptions in one process.", high=10**7)
