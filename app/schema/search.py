"""Search: messages by their words."""

from typing import Annotated, Any, cast

import strawberry

from app.db.reading.page import Slice, Window
from app.db.reading.rows import FoundRow
from app.resolvers import search
from app.schema import ids
from app.schema.base import Info, to_python
from app.schema.connection import After, Before, Connection, Edge, First, Last
from app.schema.message import Message, MessageRole
from app.schema.scalars import DateTime

field, argument = strawberry.field, strawberry.argument
NOWHERE = "00000000-0000-0000-0000-000000000000"


@strawberry.input(description="Which messages are searched; what is not set does not restrict.")
class MessageSearchFilter:
    session_id: strawberry.ID | None = field(default=None, description="Of this session.")
    agent_type: str | None = field(default=None, description="Of sessions of this agent type.")
    role: list[MessageRole] | None = field(default=None, description="Of one of these speakers.")
    since: DateTime | None = field(default=None, description="Stored at this time or later.")
    until: DateTime | None = field(default=None, description="Stored before this time.")

    def parameters(self) -> dict[str, Any]:
        """As the statements take it; an id that names no session finds nothing."""
        session = None if self.session_id is None else ids.session_of(self.session_id) or NOWHERE
        return {**vars(self), "session_id": session, "role": to_python(self.role)}


@strawberry.type(description="A piece of a snippet. Plain text, never markup.")
class SnippetPart:
    text: str = field(description="What stands there.")
    matched: bool = field(description="It is what was looked for.")


@strawberry.type(description="A message that was found.")
class MessageSearchEdge(Edge[Message]):
    rank: float = field(description="How well it matches, from 0 to 1.")

    @field(description="Where it matches: at most 400 characters of its text.")
    def snippet(self: FoundRow) -> list[SnippetPart]:
        return cast(list[SnippetPart], search.snippet(self.headline, self.mark))


@strawberry.type(description="One page of what was found.")
class MessageSearchConnection(Connection[Message]):
    @field(description="The page's messages with their positions, ranks and snippets.")
    def edges(self: Slice[Any]) -> list[MessageSearchEdge]:
        return cast(list[MessageSearchEdge], self.rows)


@strawberry.type
class SearchQuery:
    @field(
        graphql_type=MessageSearchConnection,
        description="Full-text search over your own messages, best match first, with a highlighted snippet on each "
        "edge. A message matches if it has all words of the query, of the last one its beginning; nothing in it is "
        "syntax. Of many matches the newest 2,000 are ranked, and `totalCount` counts no more than these. Deleted "
        "messages and those of deleted sessions are not found. Chinese, Japanese and Korean are not cut into words.",
    )
    async def search_messages(
        self,
        info: Info,
        query: Annotated[str, argument(description="What to look for, at most 1,000 characters; not empty.")],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[MessageSearchFilter | None, argument(description="Which messages are searched.")] = None,
    ) -> Slice[FoundRow]:
        window = Window.of(first, after, last, before)
        return await search.page(info.context, window, query, (filter or MessageSearchFilter()).parameters())
