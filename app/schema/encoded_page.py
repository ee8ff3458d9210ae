"""Pages of messages whose JSON is used again, as long as the session's head and the agents of the catalogue are equal.

The JSON is kept beside the rows of the page in the session cache, for each selection. A head covers all that is
selected here but the catalogue. So its agents are read as always, and compared with those in the JSON.
"""

from asyncio import shield
from dataclasses import dataclass
from typing import Any

import orjson
from graphql_compiled.plan import PlanNode
from graphql_compiled.reuse import Reusable

from app.db.loaders import Loaders
from app.db.reading.page import KeptSlice
from app.db.reading.rows import AgentRow, MessageRow

CONTENT = {
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
"""The fields that read nothing but the rows of the session, and of the catalogue's agents."""
Agents = dict[str, AgentRow | None]


@dataclass(slots=True)
class EncodedPage(KeptSlice[MessageRow], Reusable):
    """A kept page that a compiled operation may take as JSON."""

    loaders: Loaders

    def find_completed(self, node: PlanNode) -> Any:
        """The JSON of this selection, once its agents are read and equal; None if there is none."""
        found = self.kept.get((*self.what, "json", node.serial))
        if found is None:
            return None
        json, agents = found[0]
        return self._unless_changed(json, dict(agents)) if agents else orjson.Fragment(json)

    def keep_completed(self, node: PlanNode, completed: Any) -> None:
        """Keeps the JSON of this selection, with its agents."""
        selected = node.selected_fields
        if not selected <= COVERED:
            return
        agents: Agents | None = self.loaders.catalogue_of(self) if ("SessionAgent", "agent") in selected else {}
        if agents is None:
            return
        try:
            json = orjson.dumps(completed, option=orjson.OPT_UTC_Z)
        except TypeError:  # integers beyond 64 bits
            return
        self.kept.keep((*self.what, "json", node.serial), (json, tuple(agents.items())))

    async def _unless_changed(self, json: bytes, agents: Agents) -> orjson.Fragment | None:
        reads = [self.loaders.agents.load(agent_id) for agent_id in agents]
        try:
            found = [await shield(read) for read in reads]  # other fields may wait for these futures
        except Exception:  # raised again at the position of each agent
            return None
        return orjson.Fragment(json) if found == list(agents.values()) else None


def reusable(loaders: Loaders, page: Any) -> Any:
    """The page, as one whose JSON is used again if the session cache had it; a future stays as it is."""
    if type(page) is not KeptSlice:
        return page
    return EncodedPage(page.rows, page.has_next, page.has_previous, page.total, page.kept, page.what, loaders)
