"""Strands agents (https://strandsagents.com) that keep their sessions in Colloquy.

A Strands session is a Colloquy session whose `key` is the Strands id, an agent is a SessionAgent, a message is a
Message whose `key` is the Strands message id in decimal. Each carries the document that Strands would write to a file
in `raw`, character for character; texts, blocks and states that people see are derived from it by the server.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

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

PAGE = 100
REMEMBERED = 10_000
NAMES = {"AGENT": "Agent", "MULTI_AGENT": "Multi-agent"}


class ColloquySessionRepository(SessionRepository):
    """Sessions, agents and messages in Colloquy, for one owner: whoever `token` (or what it returns) stands for.

    Safe to share between threads and to call inside a running event loop, which waits meanwhile. Every refusal is a
    SessionException; a lost answer is asked for again, and nothing is written twice.
    """

    def __init__(self, url: str, token: Token, **options: Any) -> None:
        """`options` are those of `colloquy.Client`: timeout, attempts, patience, keys."""
        self.client = Client(url, token, **options)
        self._ids: dict[str, str] = {}  # server ids of sessions, by key
        self._born: dict[tuple[str, str], str] = {}  # created_at of agents, by session and agent

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
        """Begins a session. Raises SessionException for an id that is taken."""
        with _told(f"Session {session.session_id}"):
            created = self.client.create_session(
                key=session.session_id, status="ACTIVE", metadata={"strands": session.to_dict()}
            )
        self._remember(self._ids, session.session_id, created.session.id)
        return session

    def read_session(self, session_id: str, **kwargs: Any) -> Session | None:
        """The session, None where there is none; one that another program began counts too."""
        with _told(f"Session {session_id}"):
            found = self.client.session(key=session_id)
        if found is None:
            return None
        self._remember(self._ids, session_id, found.id)
        return _session(session_id, found)

    def delete_session(self, session_id: str, **kwargs: Any) -> None:
        """Erases the session and all that is in it, for good."""
        with _told(f"Session {session_id}"):
            self._in_session(session_id, lambda found: self.client.delete_session(found, "HARD"))
        self._ids.pop(session_id, None)
        self._born = {key: at for key, at in self._born.items() if key[0] != session_id}

    def create_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        """Keeps a new agent. Raises SessionException when the session has it already."""
        self._put(session_id, session_agent.agent_id, "AGENT", "CREATE", session_agent.to_dict)
        self._remember(self._born, (session_id, session_agent.agent_id), session_agent.created_at)

    def read_agent(self, session_id: str, agent_id: str, **kwargs: Any) -> SessionAgent | None:
        """The agent as it was kept last, None where there is none."""
        found = self._part(session_id, agent_id, "AGENT")
        if found is None:
            return None
        agent = _agent(found)
        self._remember(self._born, (session_id, agent_id), agent.created_at)
        return agent

    def update_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        """Keeps the agent as it is now, but for the time of its creation."""
        agent_id = session_agent.agent_id
        if (session_id, agent_id) not in self._born and self.read_agent(session_id, agent_id) is None:
            raise SessionException(f"Agent {agent_id} in session {session_id} does not exist")
        session_agent.created_at = self._born.get((session_id, agent_id), session_agent.created_at)
        self._put(session_id, agent_id, "AGENT", "UPDATE", session_agent.to_dict)

    def create_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        """Appends a message. Raises SessionException when the agent has another one under its id."""
        key, role = str(session_message.message_id), _role(session_message.message)
        with _told(f"Message {key} of agent {agent_id} in session {session_id}"):
            raw = _written(session_message.to_dict)
            self._in_session(
                session_id, lambda found: self.client.append_message(found, role, raw=raw, key=key, agent_key=agent_id)
            )

    def read_message(self, session_id: str, agent_id: str, message_id: int, **kwargs: Any) -> SessionMessage | None:
        """The message, None where there is none."""
        found = self._message(session_id, agent_id, message_id)
        return None if found is None else _message(found, message_id)

    def update_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        """Puts the message in place of the one under its id, but for the time of its creation."""
        message_id = session_message.message_id
        there = self._message(session_id, agent_id, message_id)
        if there is None:
            raise SessionException(f"Message {message_id} does not exist")
        session_message.created_at = _message(there, message_id).created_at
        with _told(f"Message {message_id} of agent {agent_id} in session {session_id}"):
            self.client.update_message(there.id, raw=_written(session_message.to_dict))

    def list_messages(
        self, session_id: str, agent_id: str, limit: int | None = None, offset: int = 0, **kwargs: Any
    ) -> list[SessionMessage]:
        """The agent's messages from `offset` on, at most `limit`, in the order in which they were created.

        What the first page holds is read from the beginning, all else from the end: a window near the end of a long
        conversation costs no more than its own length.
        """
        with _told(f"Messages of agent {agent_id} in session {session_id}"):
            if limit is not None and offset + limit <= PAGE:
                return self._first(session_id, agent_id, offset + limit)[offset:]
            wanted = self._from(session_id, agent_id, offset)
        return wanted if limit is None else wanted[:limit]

    def create_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **kwargs: Any) -> None:
        """Keeps the state of a new orchestrator."""
        self._put(session_id, multi_agent.id, "MULTI_AGENT", "CREATE", multi_agent.serialize_state)

    def read_multi_agent(self, session_id: str, multi_agent_id: str, **kwargs: Any) -> dict[str, Any] | None:
        """The orchestrator's state as it was kept last, None where there is none."""
        found = self._part(session_id, multi_agent_id, "MULTI_AGENT")
        if found is None:
            return None
        state: dict[str, Any] = decode_bytes_values(json.loads(found.raw) if found.raw else found.state)
        return state

    def update_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **kwargs: Any) -> None:
        """Keeps the orchestrator's state as it is now."""
        self._put(session_id, multi_agent.id, "MULTI_AGENT", "UPDATE", multi_agent.serialize_state)

    def _put(self, session_id: str, key: str, kind: results.Kind, mode: Any, document: Callable[[], Any]) -> None:
        with _told(f"{NAMES[kind]} {key} in session {session_id}"):
            raw = _written(document)
            self._in_session(
                session_id, lambda found: self.client.put_session_agent(found, key, kind=kind, mode=mode, raw=raw)
            )

    def _part(self, session_id: str, key: str, kind: results.Kind) -> results.SessionAgent | None:
        with _told(f"{NAMES[kind]} {key} in session {session_id}"):
            return self.client.session_agent(key, session_key=session_id, kind=kind)

    def _message(self, session_id: str, agent_id: str, message_id: int) -> results.Message | None:
        with _told(f"Message {message_id} of agent {agent_id} in session {session_id}"):
            return self.client.message(session_key=session_id, key=str(message_id), agent_key=agent_id)

    def _first(self, session_id: str, agent_id: str, count: int) -> list[SessionMessage]:
        if count < 1:
            return []
        page = self._page(session_id, first=count, agent_key=agent_id)
        return [_message(found, place) for place, found in enumerate(page.nodes)]

    def _from(self, session_id: str, agent_id: str, offset: int) -> list[SessionMessage]:
        """All messages from a place on: pages backwards from the end, until the place is reached."""
        page = self._page(session_id, last=PAGE, agent_key=agent_id, counted=True)
        begin = (page.total or 0) - len(page.nodes)
        pages = [page.nodes]
        while begin > offset and page.info.has_previous_page:
            more = min(PAGE, begin - offset)
            page = self._page(session_id, last=more, before=page.info.start_cursor, agent_key=agent_id)
            pages.append(page.nodes)
            begin -= len(page.nodes)
        nodes = [found for nodes in reversed(pages) for found in nodes]
        return [_message(found, begin + place) for place, found in enumerate(nodes) if begin + place >= offset]

    def _page(self, session_id: str, **window: Any) -> results.Page[results.Message]:
        page = self.client.message_page(session_key=session_id, **window)
        if page is None:
            raise NotFound("does not exist")
        return page

    def _in_session(self, key: str, act: Callable[[str], Any]) -> None:
        """Acts on the session of this key. A known id that is gone may be of an erased session: look once more."""
        known = self._ids.get(key)
        try:
            act(known or self._id(key))
        except NotFound:
            if known is None or (again := self._id(key)) == known:
                raise
            act(again)

    def _id(self, key: str) -> str:
        found = self.client.session(key=key)
        if found is None:
            self._ids.pop(key, None)
            raise NotFound("does not exist")
        self._remember(self._ids, key, found.id)
        return found.id

    @staticmethod
    def _remember(known: dict[Any, str], key: Any, value: str) -> None:
        """What can be read again at any time is forgotten when there is too much of it."""
        if len(known) >= REMEMBERED:
            known.clear()
        known[key] = value


@contextmanager
def _told(what: str) -> Iterator[None]:
    """A refusal as Strands knows it, in one sentence about `what`."""
    try:
        yield
    except NotFound as error:
        raise SessionException(f"{what} does not exist") from error
    except ColloquyError as error:
        raise SessionException(f"{what}: {error.message} ({error.code})") from error


def _written(document: Callable[[], Any]) -> str:
    """The JSON that Strands would keep in a file; escapes keep NULs and half surrogate pairs."""
    try:
        return json.dumps(encode_bytes_values(document()))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"JSON cannot carry this: {error}") from error


def _role(message: Any) -> results.MessageRole:
    """Strands lets the user say what tools answer."""
    if message["role"] == "assistant":
        return "ASSISTANT"
    return "TOOL" if any("toolResult" in block for block in message["content"]) else "USER"


def _session(session_id: str, found: results.Session) -> Session:
    """The session as it was created here, or what another program's looks like here."""
    kept = found.metadata.get("strands") if isinstance(found.metadata, dict) else None
    if isinstance(kept, dict) and kept.get("session_id") == session_id:
        return Session.from_dict({**kept, "session_type": SessionType(kept["session_type"])})
    return Session(session_id, SessionType.AGENT, found.created_at.isoformat(), found.updated_at.isoformat())


def _agent(found: results.SessionAgent) -> SessionAgent:
    """The agent as it was kept, or made of the states that another program put."""
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
    """The message as it was created, or what one of another program says, under its place among the agent's."""
    document = json.loads(found.raw) if found.raw is not None else None
    if isinstance(document, dict) and "message" in document and "message_id" in document:
        return SessionMessage.from_dict(document)
    return SessionMessage(
        message={"role": "assistant" if found.role == "ASSISTANT" else "user", "content": [{"text": found.text}]},
        message_id=message_id,
        created_at=found.created_at.isoformat(),
        updated_at=found.updated_at.isoformat(),
    )
