"""The loaders of one operation: rows by key, and pages of nested connections, each level in one statement.

They know every noun, so they lie above the nouns; batching and the choice of partial rows are `reading/loader.py`.
"""

from asyncio import InvalidStateError
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any, TypeVar, cast

from graphql_compiled.batch import BatchValue

from app.db import (
    agent,
    approval,
    audit,
    message,
    record,
    session,
    session_agent,
    stats,
    streaming_message,
    streaming_parts,
    task,
)
from app.db.access.reads import Reads
from app.db.access.transaction import Viewer
from app.db.reading.joined import agents_of, joined_agent, last_message_of, named_agents
from app.db.reading.loader import BatchReader, DataLoader, Filters
from app.db.reading.nested import Nested
from app.db.reading.page import KeptSlice, Slice, Window
from app.db.reading.partial_rows import FULL, PartialRows
from app.db.reading.rows import (
    AgentRow,
    ApprovalRow,
    AuditRow,
    DocumentRow,
    Entity,
    LastMessageRow,
    MessageKey,
    MessageRow,
    PartialMessage,
    PartialSessionAgent,
    RecordRow,
    SessionAgentRow,
    SessionRow,
    StreamingRow,
    TaskRow,
)
from app.db.reading.session_cache import KeptSession, SessionCache, What
from app.db.stats import AgentMetricsRow
from app.db.streaming_parts import PartsRow

R = TypeVar("R", bound=Entity)
V = TypeVar("V")
JoinedAgents = dict[tuple[str, str], BatchValue[Any]]
"""The agents that came with the row of their session, by its id and their key."""


class Reader(BatchReader):
    """The batches of nouns that take more than one statement by key."""

    async def sessions(
        self, joined: JoinedAgents, agents: DataLoader[str, Any], ids: Sequence[str]
    ) -> list[SessionRow | None]:
        """With the first of their agents, put into `joined`, and those in the catalogue, put into their loader."""
        rows = await self.by_column(session.WITH_AGENTS, "ids", "id", ids)
        for found, linked in chain.from_iterable(map(agents_of, filter(None, rows))):
            joined[found.session_id, found.key] = BatchValue(agents.read_before, found)
            if found.agent_id is not None:
                agents.prime(found.agent_id, linked)
        return rows

    async def session_agents(
        self, agents: DataLoader[str, Any], keys: Sequence[tuple[str, str, str]]
    ) -> list[SessionAgentRow | None]:
        """With the catalogue's agents, put into their loader, if the operation reads them next."""
        joined = self._partial.joined
        statement = session_agent.WITH_AGENTS if joined else session_agent.BY_KEYS
        rows = await self.by_parent(statement, ("session_id", "kind", "key"), keys)
        if joined:
            _prime(agents, rows)
        return rows

    async def last_messages(self, agents: DataLoader[str, Any], sessions: Sequence[str]) -> list[MessageRow | None]:
        """With the agents in the catalogue that wrote them, put into their loader."""
        rows: list[Any] = await self.by_parent(message.LAST_WITH_AGENTS, ("session_id",), sessions)
        _prime(agents, rows)
        return rows

    async def is_streaming(self, sessions: Sequence[str]) -> list[bool]:
        rows = await self._db.fetch(self._viewer, streaming_message.STREAMING_SESSIONS, ids=sessions)
        found = {row["session_id"] for row in rows}
        return [session in found for session in sessions]


def _prime(agents: DataLoader[str, Any], rows: Sequence[Any]) -> None:
    """Puts the catalogue's agents that came with these rows into their loader."""
    linked = {row.agent_id: row for row in rows if row is not None and row.agent_id is not None}
    for agent_id, row in linked.items():
        agents.prime(agent_id, joined_agent(row))


class Loaders:
    """One loader of each kind, alive as long as the operation; `partial` says which rows may be partial.

    With a cache, what lies in a session is read from the cache if this operation has read the session's row.
    """

    def __init__(
        self, db: Reads, viewer: Viewer, partial: PartialRows = FULL, cache: SessionCache | None = None
    ) -> None:
        self._read, self.partial = Reader(db, viewer, partial), partial
        self._nested: dict[Any, DataLoader[Any, Any]] = {}
        self._cache, self._owner = cache, viewer.subject
        self._kept: dict[str, KeptSession | None] = {}
        """By session id, for the sessions whose head this operation has read."""
        self.joins_last = cache is None and partial.last_joined
        """The last messages of sessions come with their agents: a cache keeps no agents, since no head covers them."""
        self._joined: JoinedAgents = {}
        self._listed: Sequence[SessionRow] = ()
        self._immediate = True
        """Kept values come at once, until the cache lacks one. From then on they come with the batch of their level:
        otherwise each level would need a statement for what lies below kept values, and one for the rest."""

    @cached_property
    def sessions(self) -> DataLoader[str, SessionRow | None]:
        """By id."""
        if self.partial.session_joined:
            return DataLoader(partial(self._read.sessions, self._joined, self.agents))
        return DataLoader(partial(self._read.by_column, session.BY_IDS, "ids", "id"))

    @cached_property
    def sessions_by_key(self) -> DataLoader[str, SessionRow | None]:
        """By the client's key."""
        return DataLoader(partial(self._read.by_column, session.BY_KEYS, "keys", "key"))

    @cached_property
    def agents(self) -> DataLoader[str, AgentRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, agent.BY_IDS, "ids", "id"))

    @cached_property
    def agents_by_key(self) -> DataLoader[str, AgentRow | None]:
        """By the client's key."""
        return DataLoader(partial(self._read.by_column, agent.BY_KEYS, "keys", "key"))

    @cached_property
    def session_agents(self) -> DataLoader[tuple[str, str, str], SessionAgentRow | None]:
        """By (session id, kind, key)."""
        return DataLoader(partial(self._read.session_agents, self.agents))

    @cached_property
    def messages(self) -> DataLoader[MessageKey, MessageRow | None]:
        """By (session id, sequence)."""
        return DataLoader(partial(self._read.by_parent, message.BY_MESSAGE_KEYS, MessageKey._fields))

    @cached_property
    def message_documents(self) -> DataLoader[MessageKey, DocumentRow | None]:
        """Messages with document and blocks, by (session id, sequence)."""
        return DataLoader(partial(self._read.by_parent, message.DOCUMENTS, MessageKey._fields))

    @cached_property
    def streaming_messages(self) -> DataLoader[MessageKey, StreamingRow | None]:
        """Messages with their text so far, by (session id, sequence)."""
        return DataLoader(partial(self._read.by_parent, streaming_message.BY_MESSAGE_KEYS, MessageKey._fields))

    @cached_property
    def streaming_parts(self) -> DataLoader[tuple[str, int, int], PartsRow | None]:
        """Parts so far, by (session id, sequence, number of parts that may be left out)."""
        return DataLoader(
            partial(self._read.by_parent, streaming_parts.BY_MESSAGE_KEYS, ("session_id", "sequence", "after"))
        )

    @cached_property
    def session_is_streaming(self) -> DataLoader[str, bool]:
        """True if a message of the session is being written, by the session's id."""
        return DataLoader(self._read.is_streaming)

    @cached_property
    def messages_by_key(self) -> DataLoader[tuple[str, str | None, str], MessageRow | None]:
        """By (session id, agent key, client's key)."""
        return DataLoader(partial(self._read.by_parent, message.BY_CLIENT_KEYS, ("session_id", "agent_key", "key")))

    @cached_property
    def last_messages(self) -> DataLoader[str, MessageRow | None]:
        """The newest message of a session, by the session's id."""
        return DataLoader(partial(self._read.by_parent, message.LAST_OF_SESSIONS, ("session_id",)))

    @cached_property
    def last_messages_with_agents(self) -> DataLoader[str, Any]:
        """The same; their agents need no statement of their own."""
        return DataLoader(partial(self._read.last_messages, self.agents))

    @cached_property
    def agent_metrics(self) -> DataLoader[str, AgentMetricsRow | None]:
        """The metrics of an agent, by the agent's id."""
        return DataLoader(partial(self._read.by_parent, stats.AGENT_METRICS, ("agent_id",)))

    @cached_property
    def tasks(self) -> DataLoader[str, TaskRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, task.BY_IDS, "ids", "id"))

    @cached_property
    def approvals(self) -> DataLoader[str, ApprovalRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, approval.BY_IDS, "ids", "id"))

    @cached_property
    def audit_events(self) -> DataLoader[str, AuditRow | None]:
        """By id."""
        return DataLoader(partial(self._read.by_column, audit.BY_IDS, "ids", "id"))

    @cached_property
    def records(self) -> DataLoader[str, RecordRow | None]:
        """By path."""
        return DataLoader(partial(self._read.by_column, record.BY_PATHS, "paths", "path"))

    def page(self, nested: Nested[R], parent: Any, window: Window, **filters: Any) -> "BatchValue[Slice[R]]":
        """One page of a nested connection; one statement reads all parents with this window and these filters."""
        return self._pages(nested, window, tuple(filters.items())).load(parent)

    def listed(self, sessions: Sequence[SessionRow], agent_ids: Sequence[str] = ()) -> None:
        """Announces a page of sessions that this operation has read, the first with these agents of the catalogue."""
        self._listed = sessions
        if not sessions:
            return
        agents = cast(DataLoader[str, Any], self.agents)
        if agent_ids:
            named = {agent.id: agent for agent in named_agents(sessions[0])}
            for agent_id in agent_ids:
                agents.prime(agent_id, named.get(agent_id))
        if self.joins_last:
            messages = self.last_messages_with_agents
            for row in sessions:
                found, linked = last_message_of(row)
                messages.prime(row.id, found)
                if found is not None and found.agent_id is not None:
                    agents.prime(found.agent_id, linked)

    def page_in_session(
        self, nested: Nested[R], session: SessionRow, window: Window, parent: Any = None, **filters: Any
    ) -> "Slice[R] | BatchValue[Slice[R]]":
        """The same in a session whose row this operation has read; `parent`: the session's id, if it is not set."""
        parent = parent or session.id
        conditions, kept = tuple(filters.items()), self._known(session)
        if kept is None or filters.get("status"):
            return self._pages(nested, window, conditions).load(parent)
        limits = window.limit, window.backward, window.after, window.before
        what = (nested.name, nested.row in self.partial.rows, parent, *limits, *conditions)
        found = kept.get(what)
        if found is None:
            return self._load_and_keep(self._pages(nested, window, conditions), parent, kept, what)
        total = partial(self.total, nested, parent, conditions)
        rows, has_next, has_previous = found[0]
        page: Slice[R] = KeptSlice(rows, has_next, has_previous, total, kept, what, ())
        return page if self._immediate else self._pages(nested, window, conditions).load_known(parent, page)

    def messages_in_session(
        self, session: SessionRow, window: Window, *, agent_key: str | None, **filters: Any
    ) -> "Slice[MessageRow] | BatchValue[Slice[MessageRow]]":
        """A page of the messages of a session, from the index that suits the filters."""
        if agent_key is not None:
            return self.page_in_session(message.OF_SESSION_AGENTS, session, window, (session.id, agent_key), **filters)
        return self.page_in_session(message.of_sessions(**filters), session, window, **filters)

    def last_message(self, session: SessionRow) -> "MessageRow | BatchValue[MessageRow | None] | None":
        """The newest message of a session whose row this operation has read."""
        if self.joins_last:
            return self.last_messages_with_agents.known(session.id)
        kept = self._known(session)
        if kept is None:
            return self.last_messages.load(session.id)
        return self._kept_or_loaded(self.last_messages, session.id, kept, ("last", MessageRow in self.partial.rows))

    def writer(
        self, row: MessageRow, key: str
    ) -> "SessionAgentRow | PartialSessionAgent | BatchValue[SessionAgentRow | None] | None":
        """The session agent with the key that a message names; from the cache if its session's row was read."""
        session_id = row.session_id
        if isinstance(row, (LastMessageRow, PartialMessage)):
            return PartialSessionAgent(session_id, "AGENT", key, row.agent_id)
        kept = self._kept.get(session_id)
        if kept is None:  # a cache takes no agent that was read before it had a place for it
            return self._joined.get((session_id, key)) or self.session_agents.load((session_id, "AGENT", key))
        what = ("agent", SessionAgentRow in self.partial.rows, "AGENT", key)
        return self._kept_or_loaded(self.session_agents, (session_id, "AGENT", key), kept, what)

    def catalogue_agent(self, agent_id: str) -> "AgentRow | BatchValue[AgentRow | None] | None":
        """An agent of the catalogue by its id: at once if it came with a session agent."""
        return self.agents.known(agent_id) if self.partial.joined else self.agents.load(agent_id)

    def kept_lists(self) -> KeptSession | None:
        """What is kept of the viewer's lists of sessions. Call this before a list is read."""
        return self._cache.lists(self._owner) if self._cache else None

    def kept_agent_ids(self, kept: KeptSession, what: What) -> Sequence[str]:
        """The catalogue's agents in what was kept of this list, if its partial rows may bring theirs."""
        are_partial = self.partial.joined and SessionRow in self.partial.rows
        found = kept.entries.get((*what, "agents")) if are_partial else None
        return found[0] if found else ()

    def catalogue_of(self, page: KeptSlice[Any], *, agents: bool) -> dict[str, AgentRow | None] | None:
        """The catalogue's agents of the messages of a page, or of the last messages of its sessions, by id.

        Without `agents` none. None if the cache lacks one of the messages, as one that is being written, or of their
        session agents, or if this operation has not read an agent.
        """
        found = {}
        try:
            writers = set(self._writers(page))
            for kept, key in writers if agents else ():
                part = kept.entries["agent", SessionAgentRow in self.partial.rows, "AGENT", key][0]
                if part is not None and part.agent_id is not None:
                    found[part.agent_id] = self.agents.loaded(part.agent_id)
        except (LookupError, InvalidStateError):
            return None
        return found

    def _writers(self, page: KeptSlice[Any]) -> Iterator[tuple[KeptSession, str]]:
        """What is kept of its session, and the agent's key, for each message of an agent. Raises LookupError."""
        for row in page.rows:
            kept, message = page.kept, row
            if isinstance(row, SessionRow):
                if (known := self._kept[row.id]) is None:
                    raise LookupError
                kept, message = known, known.entries["last", MessageRow in self.partial.rows][0]
            if message is not None and message.agent_key is not None:
                yield kept, message.agent_key

    def total(self, nested: Nested[Any], parent: Any, filters: Filters) -> "BatchValue[int]":
        """The number of rows of a nested connection."""
        return self._totals(nested, filters).load(parent)

    def _known(self, session: SessionRow) -> KeptSession | None:
        """What the cache keeps of the session under the head of this row, or of a later row in this operation."""
        cache = self._cache
        if cache is None:
            return None
        if self._listed:
            self._immediate = all(cache.has(self._owner, row.id, row.head) for row in self._listed)
            self._listed = ()
        kept = self._kept.get(session.id)
        if kept is None or kept.head < session.head:
            kept = cache.session(self._owner, session.id, session.head, session.postgres_started)
            self._kept[session.id] = kept
        return kept

    def _kept_or_loaded(
        self, loader: DataLoader[Any, V], key: Any, kept: KeptSession, what: What
    ) -> "V | BatchValue[V]":
        found = kept.get(what)
        if found is None:
            return self._load_and_keep(loader, key, kept, what)
        value: V = found[0]
        return value if self._immediate else loader.load_known(key, value)

    def _load_and_keep(self, loader: DataLoader[Any, V], key: Any, kept: KeptSession, what: What) -> "BatchValue[V]":
        self._immediate = False
        value = loader.requested(key)
        if value is None:
            kept.cache.misses += 1
            value = loader.load(key)
            loader.when_read(partial(_keep, kept, what, value))
        return value

    def _pages(self, nested: Nested[R], window: Window, filters: Filters) -> DataLoader[Any, Slice[R]]:
        kind = (nested, window, filters)
        loader = self._nested.get(kind)
        if loader is None:
            totals = self._totals(nested, filters)
            loader = self._nested[kind] = DataLoader(partial(self._read.pages, totals, *kind))
        return loader

    def _totals(self, nested: Nested[Any], filters: Filters) -> DataLoader[Any, int]:
        loader = self._nested.get((nested, filters))
        if loader is None:
            loader = self._nested[nested, filters] = DataLoader(partial(self._read.totals, nested, filters))
        return loader


def _keep(kept: KeptSession, what: What, loaded: BatchValue[Any]) -> None:
    """Keeps what was loaded, unless a message in it is being written: its text grows without a number."""
    if loaded.error is not None:
        return
    value = loaded.value
    rows = value.rows if isinstance(value, Slice) else [value]
    if not any(isinstance(row, MessageRow) and row.status == "STREAMING" for row in rows):
        kept.keep(what, (value.rows, value.has_next, value.has_previous) if isinstance(value, Slice) else value)
