"""Pages whose JSON is used again, as long as its rows and the ends of the page are equal.

The JSON is kept in the session cache, for each selection: that of a page of messages beside its rows, that of a list of
sessions beside the rows of the sessions, whose heads cover their last messages. No head covers the catalogue: its
agents are read as always, and compared with those in the JSON.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from graphql_compiled.batch import BatchValue
from graphql_compiled.plan import PlanNode
from graphql_compiled.reuse import Reusable

from app.db.loaders import Loaders
from app.db.reading.page import KeptSlice
from app.db.reading.rows import AgentRow

CONTENT = {
    "SessionConnection": "edges nodes pageInfo",
    "SessionEdge": "cursor node",
    "Session": "id key title status role agentType metadata revision messageCount unreadCount lastReadSequence"
    " clientCreatedAt createdAt updatedAt lastActivityAt expiresAt archivedAt deletedAt eventCursor lastMessage",
    "MessageConnection": "edges nodes pageInfo",
    "MessageEdge": "cursor node",
    "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
    "Message": "id key sequence role status text metadata usage revision redactedAt clientCreatedAt createdAt updatedAt"
    " agent",
    "TokenUsage": "inputTokens outputTokens totalTokens",
    "SessionAgent": "id key kind revision clientCreatedAt createdAt updatedAt agent",
    "Agent": "id key name description type status skills hourlyRate metadata revision createdAt updatedAt",
}
COVERED = frozenset((type_, field) for type_, fields in CONTENT.items() for field in [*fields.split(), "__typename"])
"""The fields that read nothing but the rows of the page, their session agents, and the catalogue's agents."""
Agents = dict[str, AgentRow | None]


@dataclass(slots=True)
class EncodedPage(KeptSlice[Any], Reusable):
    """A page that a compiled operation may take as JSON."""

    loaders: Loaders

    def find_completed(self, node: PlanNode) -> Any:
        """The JSON of this selection, once its agents are read and equal; None if there is none."""
        found = self.kept.get((*self.what, "json", node.serial))
        if found is None or found[0] is None:
            return None
        json, rows, agents = found[0]
        if rows != self.compared:
            return None
        return self._unless_changed(json, dict(agents)) if agents else orjson.Fragment(json)

    def keep_completed(self, node: PlanNode, completed: Any) -> None:
        """Keeps the JSON of this selection, with the rows that are in it."""
        if not node.selected_fields <= COVERED:
            return
        what = (*self.what, "json", node.serial)
        agents = self._agents(node.selected_fields)
        if self.compared and agents:
            self.kept.keep((*self.what, "agents"), tuple(agents))  # the next list comes with them
        if self.compared and self.kept.get(what) is None:
            self.kept.keep(what, None)  # most lists have changed when they are read again: encoded at the second time
            return
        if agents is None:
            return
        try:
            json = orjson.dumps(completed, option=orjson.OPT_UTC_Z)
        except TypeError:  # integers beyond 64 bits
            return
        self.kept.keep(what, (json, self.compared, tuple(agents.items())))

    def _agents(self, selected: frozenset[tuple[str, str]]) -> Agents | None:
        """The catalogue's agents that are in the JSON; None if it must not be kept."""
        if self.compared and ("Session", "lastMessage") not in selected:
            return {}
        return self.loaders.catalogue_of(self, agents=("SessionAgent", "agent") in selected)

    def _unless_changed(self, json: bytes, agents: Agents) -> Any:
        found = [self.loaders.agents.known(agent_id) for agent_id in agents]
        if any(isinstance(value, BatchValue) for value in found):
            return self._once_read(json, agents, found)
        return orjson.Fragment(json) if found == list(agents.values()) else None

    async def _once_read(self, json: bytes, agents: Agents, found: list[Any]) -> orjson.Fragment | None:
        try:
            read = [await value if isinstance(value, BatchValue) else value for value in found]
        except Exception:  # raised again at the position of each agent
            return None
        return orjson.Fragment(json) if read == list(agents.values()) else None


def reusable(loaders: Loaders, page: Any) -> Any:
    """The page as one whose JSON is used again, if the session cache may keep it; a future stays as it is."""
    if type(page) is not KeptSlice:
        return page
    return EncodedPage(
        page.rows, page.has_next, page.has_previous, page.total, page.kept, page.what, page.compared, loaders
    )
