"""Full-text search over messages."""

from typing import Annotated, Any, cast

import strawberry

from app.context import Context
from app.db.reading.page import Slice, Window
from app.db.reading.rows import FoundRow
from app.limits import MAX_QUERY_LENGTH, MAX_SNIPPET_LENGTH
from app.resolvers import search
from app.schema import ids
from app.schema.base import Info
from app.schema.connection import Connection, Edge, connection
from app.schema.inputs import to_python
from app.schema.message import Message, MessageRole
from app.schema.scalars import DateTime

field, argument = strawberry.field, strawberry.argument


@strawberry.input(
    description="Conditions on the messages to search. A message must meet all conditions; null or omitted: no "
    "condition."
)
class MessageSearchFilter:
    session_id: strawberry.ID | None = field(default=None, description="The message is in the session with this id.")
    agent_type: str | None = field(default=None, description="The session of the message has exactly this agent type.")
    role: list[MessageRole] | None = field(default=None, description="The message has one of these roles.")
    since: DateTime | None = field(default=None, description="The message was stored at this time or later.")
    until: DateTime | None = field(default=None, description="The message was stored before this time.")

    @staticmethod
    def parameters(filter: "MessageSearchFilter | None") -> dict[str, Any]:
        """The filter as parameters of the statements. An id that names no session matches no message."""
        conditions = vars(filter or MessageSearchFilter())
        session_id = conditions["session_id"]
        session = None if session_id is None else ids.parse_session(session_id) or ids.NO_ROW
        return conditions | {"session_id": session, "role": to_python(conditions["role"])}


@strawberry.type(description="A part of a snippet: plain text without markup.")
class SnippetPart:
    text: str = field(description="The text of this part.")
    matched: bool = field(description="True if this part matches a word of the query, and should be highlighted.")


@strawberry.type(description="A message that matches a search, with its cursor.")
class MessageSearchEdge(Edge[Message]):
    rank: float = field(description="The quality of the match, from 0 to 1. A higher rank is a better match.")

    @field(
        description=f"The matching passage of the message, at most {MAX_SNIPPET_LENGTH} characters. The parts in their "
        "order are the passage."
    )
    def snippet(self: FoundRow, info: Info) -> list[SnippetPart]:
        return cast(list[SnippetPart], search.snippet(info.context, self))


@strawberry.type(description="One page of the messages that match a search.")
class MessageSearchConnection(Connection[Message]):
    @field(description="The messages of the page, each with its cursor, rank and snippet.")
    def edges(self: Slice[Any]) -> list[MessageSearchEdge]:
        return cast(list[MessageSearchEdge], self.rows)


@strawberry.type
class SearchQuery:
    @connection(
        MessageSearchConnection,
        "Full-text search over the messages of the viewer, the best match first. A message matches if it contains "
        "every word of the query; of the last word, its beginning is enough. A word is a run of letters and digits; "
        "punctuation separates the parts of a URL, a path or an address, each of which is found alone. Parts that the "
        "query joins, as in main.py, follow one another in the message. Text in Chinese, Japanese, Korean, Thai, Lao, "
        "Khmer and Burmese is found from two characters on. Upper and lower case are equal, and so are the ways in "
        "which Unicode composes a letter. The query has no operators or other syntax. The search covers the first "
        "16,384 characters of a message (SEARCH_TEXT_LIMIT). If more than 2,000 messages match, only 2,000 are "
        "ranked and counted: the newest ones, those of the most recently active sessions first. Deleted messages, and "
        "messages of deleted sessions, are not found.",
    )
    async def search_messages(
        self,
        ctx: Context,
        window: Window,
        query: Annotated[
            str,
            argument(
                description=f"The words to search for, at most {MAX_QUERY_LENGTH:,} characters. A query without a word "
                "is refused."
            ),
        ],
        filter: Annotated[
            MessageSearchFilter | None,
            argument(description="Conditions on the messages. Null or omitted: all messages."),
        ] = None,
    ) -> Slice[FoundRow]:
        return await search.page(ctx, window, query, MessageSearchFilter.parameters(filter))
