"""A client of Colloquy's public API: pooled, typed, and sending again only what may be sent again."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from colloquy.call import Call, sends, walks
from colloquy.calls import agent as about_agent
from colloquy.calls import message as about_message
from colloquy.calls import session as about_session
from colloquy.calls import stream as about_stream
from colloquy.calls import task as about_task
from colloquy.transport import ATTEMPTS, PATIENCE_SECONDS, Policy, body_of, headers_of, own, response_of, unreachable

T = TypeVar("T")
Token = str | Callable[[], str]


class Client:
    """A client for threads; one for all of them, it keeps its connections.

    `url` is the server's address; `token` a bearer token, or what gives one whenever it is asked. `timeout` is that of
    one request, `patience` that of all attempts at one call, both in seconds. Writes get an idempotency key unless
    `keys` is False, which a server with ENABLE_IDEMPOTENCY=false needs; without one they are sent once.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        timeout: float = 30.0,
        attempts: int = ATTEMPTS,
        patience: float = PATIENCE_SECONDS,
        keys: bool = True,
    ) -> None:
        self._policy = Policy(url, attempts=attempts, patience=patience, keys=keys)
        self._token = token
        self._http = httpx2.Client(timeout=timeout)

    def run(self, call: Call[T]) -> T:
        """The answer to a call. Raises ColloquyError."""
        call = self._policy.prepared(call)
        body = body_of(call)
        for attempt in self._policy.retries(call):
            with attempt:
                return call.answer(self._send(call, body))
        raise AssertionError("a retried block returns or raises")

    def execute(self, document: str, variables: Mapping[str, Any] | None = None, **options: Any) -> Mapping[str, Any]:
        """The data of an operation of your own; it is sent once, unless `repeatable` or with an `idempotency_key`."""
        return self.run(own(document, variables, **options))

    def _send(self, call: Call[Any], body: bytes) -> Mapping[str, Any]:
        token = self._token if isinstance(self._token, str) else self._token()
        try:
            return response_of(self._http.post(self._policy.url, content=body, headers=headers_of(call, token)))
        except httpx2.TransportError as error:
            raise unreachable(error) from error

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    viewer = sends(about_session.viewer)
    session = sends(about_session.session)
    session_page = sends(about_session.session_page)
    sessions = walks(about_session.sessions)
    create_session = sends(about_session.create_session)
    update_session = sends(about_session.update_session)
    set_session_status = sends(about_session.set_session_status)
    archive_session = sends(about_session.archive_session)
    restore_session = sends(about_session.restore_session)
    delete_session = sends(about_session.delete_session)
    mark_session_read = sends(about_session.mark_session_read)

    message = sends(about_message.message)
    message_page = sends(about_message.message_page)
    messages = walks(about_message.messages)
    append_message = sends(about_message.append_message)
    append_messages = sends(about_message.append_messages)
    update_message = sends(about_message.update_message)
    redact_message = sends(about_message.redact_message)
    delete_message = sends(about_message.delete_message)

    start_message = sends(about_stream.start_message)
    extend_message = sends(about_stream.extend_message)
    finish_message = sends(about_stream.finish_message)
    cancel_message = sends(about_stream.cancel_message)

    session_agent = sends(about_agent.session_agent)
    put_session_agent = sends(about_agent.put_session_agent)
    agent = sends(about_agent.agent)
    agent_page = sends(about_agent.agent_page)
    agents = walks(about_agent.agents)
    create_agent = sends(about_agent.create_agent)
    update_agent = sends(about_agent.update_agent)
    set_agent_status = sends(about_agent.set_agent_status)
    delete_agent = sends(about_agent.delete_agent)

    task = sends(about_task.task)
    task_page = sends(about_task.task_page)
    tasks = walks(about_task.tasks)
    create_task = sends(about_task.create_task)
    set_task_status = sends(about_task.set_task_status)
    approval_page = sends(about_task.approval_page)
    approvals = walks(about_task.approvals)
    request_approval = sends(about_task.request_approval)
    decide_approval = sends(about_task.decide_approval)
