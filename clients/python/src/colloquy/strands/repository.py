"""A session repository for Strands agents (https://strandsagents.com).

A Strands session is a Colloquy session whose `key` is the Strands id, an agent is a SessionAgent, and a message is a
Message whose `key` is the Strands message id in decimal. `raw` of each holds the JSON document that Strands would write
to a file, character for character; the server derives text, blocks and states from it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from strands.session.session_repository import SessionRepository
from strands.types.exceptions import SessionException
from strands.types.session import (
    Session,
    SessionAgent,
    SessionMessage,
    SessionType,
    decode_bytes_values,
    encode_bytes_values,
)

from colloquy import results
from colloquy.client import Client, Token
from colloquy.errors import BadInput, ColloquyError, NotFound

if TYPE_CHECKING:
    from strands.multiagent import MultiAgentBase

PAGE_SIZE = 100
CACHE_SIZE = 10_000
NOUNS = {"AGENT": "Agent", "MULTI_AGENT": "Multi-agent"}


class ColloquySessionRepository(SessionRepository):
    """Stores the sessions, agents and messages of one owner, the subject of `token`, in Colloquy.

    Threads may share a repository. Its methods block, also inside a running event loop, and every failure of a method
    is a SessionException. A request whose response was lost is sent again, and nothing is stored twice.
    """

    def __init__(self, url: str, token: Token, **options: Any) -> None:
        """The arguments are those of `colloquy.Client`, keyword arguments included."""
        self.client = Client(url, token, **options)
        self._session_ids: dict[str, str] = {}  # by key
        self._agents_created_at: dict[tuple[str, str], str] = {}  # by session key and agent key

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def create_session(self, session: Session, **kwargs: Any) -> Session:
        """Creates a session and returns it. Raises SessionException if a session has its id already."""
        with _session_exceptions(f"Session {session.session_id}"):
            created = self.client.create_session(
                key=session.session_id, status="ACTIVE", metadata={"strands": session.to_dict()}
            )
        self._cache(self._session_ids, session.session_id, created.session.id)
        return session

    def read_session(self, session_id: str, **kwargs: Any) -> Session | None:
        """Returns the session, also one that another program has created; None without it."""
        with _session_exceptions(f"Session {session_id}"):
            found = self.client.session(key=session_id)
        if found is None:
            return None
        self._cache(self._session_ids, session_id, found.id)
        return _session(session_id, found)

    def delete_session(self, session_id: str, **kwargs: Any) -> None:
        """Erases the session and everything in it permanently."""
        with _session_exceptions(f"Session {session_id}"):
            self._in_session(session_id, lambda server_id: self.client.delete_session(server_id, "HARD"))
        self._session_ids.pop(session_id, None)
        for agent in list(self._agents_created_at):
            if agent[0] == session_id:
                self._agents_created_at.pop(agent, None)

    def create_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        """Stores a new agent. Raises SessionException if the session has it already."""
        self._put(session_id, session_agent.agent_id, "AGENT", "CREATE", session_agent.to_dict)
        self._cache(self._agents_created_at, (session_id, session_agent.agent_id), session_agent.created_at)

    def read_agent(self, session_id: str, agent_id: str, **kwargs: Any) -> SessionAgent | None:
        """Returns the agent as it was stored last; None without it."""
        found = self._session_agent(session_id, agent_id, "AGENT")
        if found is None:
            return None
        agent = _agent(found)
        self._cache(self._agents_created_at, (session_id, agent_id), agent.created_at)
        return agent

    def update_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        """Stores the agent again and keeps the time of its creation. Raises SessionException without the agent."""
        agent_id = session_agent.agent_id
        if (session_id, agent_id) not in self._agents_created_at and self.read_agent(session_id, agent_id) is None:
            raise SessionException(f"Agent {agent_id} in session {session_id} does not exist")
        session_agent.created_at = self._agents_created_at.get((session_id, agent_id), session_agent.created_at)
        self._put(session_id, agent_id, "AGENT", "UPDATE", session_agent.to_dict)

    def create_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        """Appends a message. Raises SessionException if the agent has a different message with its id."""
        key, role = str(session_message.message_id), _role(session_message.message)
        with _session_exceptions(f"Message {key} of agent {agent_id} in session {session_id}"):
            fields: dict[str, Any] = {"raw": _json_document(session_message.to_dict), "key": key, "agent_key": agent_id}
            self._in_session(session_id, lambda server_id: self.client.append_message(server_id, role, **fields))

    def read_message(self, session_id: str, agent_id: str, message_id: int, **kwargs: Any) -> SessionMessage | None:
        """Returns the message; None without it."""
        found = self._message(session_id, agent_id, message_id)
        return None if found is None else _message(found, message_id)

    def update_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        """Replaces the message with this id and keeps the time of its creation.

        Raises SessionException without the message.
        """
        message_id = session_message.message_id
        existing = self._message(session_id, agent_id, message_id)
        if existing is None:
            raise SessionException(f"Message {message_id} does not exist")
        session_message.created_at = _message(existing, message_id).created_at
        with _session_exceptions(f"Message {message_id} of agent {agent_id} in session {session_id}"):
            self.client.update_message(existing.id, raw=_json_document(session_message.to_dict))

    def list_messages(
        self, session_id: str, agent_id: str, limit: int | None = None, offset: int = 0, **kwargs: Any
    ) -> list[SessionMessage]:
        """Returns the agent's messages from `offset` on, at most `limit`, in order of creation.

        A window within the first page is read from the beginning, any other from the end: a window near the end of a
        long conversation costs as many requests as the window alone.
        """
        with _session_exceptions(f"Messages of agent {agent_id} in session {session_id}"):
            if limit is not None and offset + limit <= PAGE_SIZE:
                return self._first_messages(session_id, agent_id, offset + limit)[offset:]
            messages = self._messages_from(session_id, agent_id, offset)
        return messages if limit is None else messages[:limit]

    def create_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **kwargs: Any) -> None:
        """Stores the state of a new orchestrator."""
        self._put(session_id, multi_agent.id, "MULTI_AGENT", "CREATE", multi_agent.serialize_state)

    def read_multi_agent(self, session_id: str, multi_agent_id: str, **kwargs: Any) -> dict[str, Any] | None:
        """Returns the orchestrator's state as it was stored last; None without it."""
        found = self._session_agent(session_id, multi_agent_id, "MULTI_AGENT")
        if found is None:
            return None
        state: dict[str, Any] = decode_bytes_values(json.loads(found.raw) if found.raw else found.state)
        return state

    def update_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **kwargs: Any) -> None:
        """Stores the orchestrator's state again."""
        self._put(session_id, multi_agent.id, "MULTI_AGENT", "UPDATE", multi_agent.serialize_state)

    def _put(
        self,
        session_id: str,
        key: str,
        kind: results.SessionAgentKind,
        mode: Literal["CREATE", "UPDATE"],
        document: Callable[[], Any],
    ) -> None:
        with _session_exceptions(f"{NOUNS[kind]} {key} in session {session_id}"):
            fields: dict[str, Any] = {"kind": kind, "mode": mode, "raw": _json_document(document)}
            self._in_session(session_id, lambda server_id: self.client.put_session_agent(server_id, key, **fields))

    def _session_agent(self, session_id: str, key: str, kind: results.SessionAgentKind) -> results.SessionAgent | None:
        with _session_exceptions(f"{NOUNS[kind]} {key} in session {session_id}"):
            return self.client.session_agent(key, session_key=session_id, kind=kind)

    def _message(self, session_id: str, agent_id: str, message_id: int) -> results.Message | None:
        with _session_exceptions(f"Message {message_id} of agent {agent_id} in session {session_id}"):
            return self.client.message(session_key=session_id, key=str(message_id), agent_key=agent_id)

    def _first_messages(self, session_id: str, agent_id: str, count: int) -> list[SessionMessage]:
        if count < 1:
            return []
        page = self._page(session_id, first=count, agent_key=agent_id)
        return [_message(node, index) for index, node in enumerate(page.nodes)]

    def _messages_from(self, session_id: str, agent_id: str, offset: int) -> list[SessionMessage]:
        """All messages from `offset` on: reads pages backward from the end until one holds `offset`."""
        page = self._page(session_id, last=PAGE_SIZE, agent_key=agent_id, with_total=True)
        start = (page.total or 0) - len(page.nodes)
        pages = [page.nodes]
        while start > offset and page.info.has_previous_page:
            size = min(PAGE_SIZE, start - offset)
            page = self._page(session_id, last=size, before=page.info.start_cursor, agent_key=agent_id)
            pages.append(page.nodes)
            start -= len(page.nodes)
        nodes = [node for nodes in reversed(pages) for node in nodes]
        return [_message(node, index) for index, node in enumerate(nodes, start) if index >= offset]

    def _page(self, session_id: str, **window: Any) -> results.Page[results.Message]:
        page = self.client.message_page(session_key=session_id, **window)
        if page is None:
            raise NotFound("does not exist")
        return page

    def _in_session(self, key: str, request: Callable[[str], Any]) -> None:
        """Calls `request` with the server's id of the session with this key.

        The cached id may be that of an erased session: after NotFound the id is read again once.
        """
        cached = self._session_ids.get(key)
        try:
            request(cached or self._read_session_id(key))
        except NotFound:
            if cached is None or (current := self._read_session_id(key)) == cached:
                raise
            request(current)

    def _read_session_id(self, key: str) -> str:
        session = self.client.session(key=key)
        if session is None:
            self._session_ids.pop(key, None)
            raise NotFound("does not exist")
        self._cache(self._session_ids, key, session.id)
        return session.id

    @staticmethod
    def _cache(cache: dict[Any, str], key: Any, value: str) -> None:
        """Stores a value that can be read from the server again; a full cache is cleared."""
        if len(cache) >= CACHE_SIZE:
            cache.clear()
        cache[key] = value


@contextmanager
def _session_exceptions(subject: str) -> Iterator[None]:
    """Turns errors of the client into SessionExceptions about `subject`."""
    try:
        yield
    except NotFound as error:
        raise SessionException(f"{subject} does not exist") from error
    except ColloquyError as error:
        raise SessionException(f"{subject}: {error.message} ({error.code})") from error


def _json_document(document: Callable[[], Any]) -> str:
    """The JSON that Strands would write to a file, in ASCII: escapes preserve NUL and lone surrogates."""
    try:
        return json.dumps(encode_bytes_values(document()))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"JSON cannot represent this: {error}") from error


def _role(message: Any) -> results.MessageRole:
    """The role of a message. Strands stores tool results as messages of the user."""
    if message["role"] == "assistant":
        return "ASSISTANT"
    return "TOOL" if any("toolResult" in block for block in message["content"]) else "USER"


def _session(session_id: str, found: results.Session) -> Session:
    """The session as Strands created it, or a new one for a session of another program."""
    stored = found.metadata.get("strands") if isinstance(found.metadata, dict) else None
    if isinstance(stored, dict) and stored.get("session_id") == session_id:
        return Session.from_dict({**stored, "session_type": SessionType(stored["session_type"])})
    return Session(session_id, SessionType.AGENT, found.created_at.isoformat(), found.updated_at.isoformat())


def _agent(found: results.SessionAgent) -> SessionAgent:
    """The agent as Strands stored it, or a new one with the states that another program stored."""
    if found.raw is not None:
        return SessionAgent.from_dict(json.loads(found.raw))
    return SessionAgent(
        agent_id=found.key,
        state=found.state,
        conversation_manager_state=found.conversation_manager_state,
        _internal_state=found.internal_state,
        created_at=found.created_at.isoformat(),
        updated_at=found.updated_at.isoformat(),
    )


def _message(found: results.Message, message_id: int) -> SessionMessage:
    """The message as Strands stored it, or a new one with the text of a message of another program."""
    document = json.loads(found.raw) if found.raw is not None else None
    if isinstance(document, dict) and "message" in document and "message_id" in document:
        return SessionMessage.from_dict(document)
    return SessionMessage(
        message={"role": "assistant" if found.role == "ASSISTANT" else "user", "content": [{"text": found.text}]},
        message_id=message_id,
        created_at=found.created_at.isoformat(),
        updated_at=found.updated_at.isoformat(),
    )
