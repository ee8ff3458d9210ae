"""The asynchronous twin of `client`, which also follows events."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from colloquy.answer import Answer, answering
from colloquy.call import Call, awaits, walks_async
from colloquy.calls import agent as about_agent
from colloquy.calls import message as about_message
from colloquy.calls import session as about_session
from colloquy.calls import stream as about_stream
from colloquy.calls import task as about_task
from colloquy.documents import SESSION_EVENTS, VIEWER_EVENTS
from colloquy.live import Event, events
from colloquy.transport import ATTEMPTS, PATIENCE_SECONDS, Policy, body_of, headers_of, own, response_of, unreachable

T = TypeVar("T")
AsyncToken = str | Callable[[], str] | Callable[[], Awaitable[str]]


class AsyncClient:
    """A client for one event loop; it keeps its connections, and can follow events.

    `url` is the server's address; `token` a bearer token, or what gives one whenever it is asked, to be awaited or
    not. `timeout` is that of one request, `patience` that of all attempts at one call, both in seconds. Writes get an
    idempotency key unless `keys` is False, which a server with ENABLE_IDEMPOTENCY=false needs; without one they are
    sent once.
    """

    def __init__(
        self,
        url: str,
        token: AsyncToken,
        *,
        timeout: float = 30.0,
        attempts: int = ATTEMPTS,
        patience: float = PATIENCE_SECONDS,
        keys: bool = True,
    ) -> None:
        self._policy = Policy(url, attempts=attempts, patience=patience, keys=keys)
        self._token = token
        self._http = httpx2.AsyncClient(timeout=timeout)

    async def run(self, call: Call[T]) -> T:
        """The answer to a call. Raises ColloquyError."""
        call = self._policy.prepared(call)
        body = body_of(call)
        async for attempt in self._policy.retries(call):
            with attempt:
                return call.answer(await self._send(call, body))
        raise AssertionError("a retried block returns or raises")

    async def execute(
        self, document: str, variables: Mapping[str, Any] | None = None, **options: Any
    ) -> Mapping[str, Any]:
        """The data of an operation of your own; it is sent once, unless `repeatable` or with an `idempotency_key`."""
        return await self.run(own(document, variables, **options))

    def events(self, session_id: str, after: str | None = None, *, follow: bool = True) -> AsyncIterator[Event]:
        """What happens in a session after a cursor (None: from now), across lost connections and ended tokens.

        Never missed, never twice. Without `follow` it ends after CaughtUp. Raises NotFound without the session.
        """
        variables = {"sessionId": session_id, "after": after, "follow": follow}
        return events(self._policy.url, self._bearer, SESSION_EVENTS, variables)

    def viewer_events(self, after: str | None = None, *, follow: bool = True) -> AsyncIterator[Event]:
        """What happens to the bearer's sessions, tasks and approvals; otherwise as `events`.

        Never missed; possibly twice around CaughtUp and after a lost connection.
        """
        return events(self._policy.url, self._bearer, VIEWER_EVENTS, {"after": after, "follow": follow})

    def answer(self, session_id: str, *, pause: float = 0.05, **fields: Any) -> AbstractAsyncContextManager[Answer]:
        """A message to write bit by bit, with what `start_message` takes; pieces gather for `pause` seconds.

        The end of the block ends it: COMPLETE, or FAILED by an exception, or CANCELLED with its task. When somebody
        presses Stop, the next `write` ends the block, quietly.
        """
        return answering(self, about_stream.start_message(session_id, **fields), pause)

    async def _bearer(self) -> str:
        token = self._token if isinstance(self._token, str) else self._token()
        return token if isinstance(token, str) else await token

    async def _send(self, call: Call[Any], body: bytes) -> Mapping[str, Any]:
        headers = headers_of(call, await self._bearer())
        try:
            return response_of(await self._http.post(self._policy.url, content=body, headers=headers))
        except httpx2.TransportError as error:
            raise unreachable(error) from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    viewer = awaits(about_session.viewer)
    session = awaits(about_session.session)
    session_page = awaits(about_session.session_page)
    sessions = walks_async(about_session.sessions)
    create_session = awaits(about_session.create_session)
    update_session = awaits(about_session.update_session)
    set_session_status = awaits(about_session.set_session_status)
    archive_session = awaits(about_session.archive_session)
    restore_session = awaits(about_session.restore_session)
    delete_session = awaits(about_session.delete_session)
    mark_session_read = awaits(about_session.mark_session_read)

    message = awaits(about_message.message)
    message_page = awaits(about_message.message_page)
    messages = walks_async(about_message.messages)
    append_message = awaits(about_message.append_message)
    append_messages = awaits(about_message.append_messages)
    update_message = awaits(about_message.update_message)
    redact_message = awaits(about_message.redact_message)
    delete_message = awaits(about_message.delete_message)

    start_message = awaits(about_stream.start_message)
    extend_message = awaits(about_stream.extend_message)
    finish_message = awaits(about_stream.finish_message)
    cancel_message = awaits(about_stream.cancel_message)

    session_agent = awaits(about_agent.session_agent)
    put_session_agent = awaits(about_agent.put_session_agent)
    agent = awaits(about_agent.agent)
    agent_page = awaits(about_agent.agent_page)
    agents = walks_async(about_agent.agents)
    create_agent = awaits(about_agent.create_agent)
    update_agent = awaits(about_agent.update_agent)
    set_agent_status = awaits(about_agent.set_agent_status)
    delete_agent = awaits(about_agent.delete_agent)

    task = awaits(about_task.task)
    task_page = awaits(about_task.task_page)
    tasks = walks_async(about_task.tasks)
    create_task = awaits(about_task.create_task)
    set_task_status = awaits(about_task.set_task_status)
    approval_page = awaits(about_task.approval_page)
    approvals = walks_async(about_task.approvals)
    request_approval = awaits(about_task.request_approval)
    decide_approval = awaits(about_task.decide_approval)
