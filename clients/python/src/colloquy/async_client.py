"""The asyncio client of the GraphQL API, which also subscribes to events and writes streaming messages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
from tenacity import AsyncRetrying

from colloquy.answer import Answer, answering
from colloquy.graphql_documents import SESSION_EVENTS, VIEWER_EVENTS
from colloquy.http_transport import decode_response, encode_body, headers, request_error
from colloquy.live import Event
from colloquy.methods import async_iterator, async_method
from colloquy.operation import Operation, custom_operation
from colloquy.operations import agent as agent_operations
from colloquy.operations import approval as approval_operations
from colloquy.operations import message as message_operations
from colloquy.operations import record as record_operations
from colloquy.operations import session as session_operations
from colloquy.operations import session_agent as session_agent_operations
from colloquy.operations import streaming_message as streaming_message_operations
from colloquy.operations import task as task_operations
from colloquy.operations import viewer as viewer_operations
from colloquy.retries import ATTEMPTS, MAX_WAIT_SECONDS, TOTAL_TIMEOUT_SECONDS, RetryPolicy
from colloquy.subscription import subscribe
from colloquy.validation import Owner, bearer_token, endpoint, owner_headers

T = TypeVar("T")
AsyncToken = str | Callable[[], str] | Callable[[], Awaitable[str]]


class AsyncClient:
    """A client of one server for one event loop, with a pool of connections.

    The arguments are those of `colloquy.Client`; `token` may also be a coroutine function.
    """

    def __init__(
        self,
        url: str,
        token: AsyncToken,
        *,
        timeout: float = 30.0,
        attempts: int = ATTEMPTS,
        total_timeout: float = TOTAL_TIMEOUT_SECONDS,
        max_wait: float = MAX_WAIT_SECONDS,
        idempotency_keys: bool = True,
        owner: Owner = None,
    ) -> None:
        self._url = endpoint(url)
        self._token = token if callable(token) else bearer_token(token)
        self._policy = RetryPolicy(attempts, total_timeout, max_wait, idempotency_keys)
        self._owner = owner_headers(owner)
        self._http = httpx2.AsyncClient(timeout=timeout)

    async def run(self, operation: Operation[T]) -> T:
        """Sends an operation of `colloquy.operations` and returns its result."""
        operation = self._policy.prepare(operation)
        body = encode_body(operation)
        async for attempt in AsyncRetrying(**self._policy.options(operation)):
            with attempt:
                return operation.result(await self._send(operation, body))
        raise AssertionError("a retried block returns or raises")

    async def execute(
        self, document: str, variables: Mapping[str, Any] | None = None, **options: Any
    ) -> Mapping[str, Any]:
        """Sends a GraphQL document of your own and returns the response's `data`.

        It is sent once, unless `repeatable=True` or with an `idempotency_key`.
        """
        return await self.run(custom_operation(document, variables, **options))

    def events(self, session_id: str, after: str | None = None, *, follow: bool = True) -> AsyncIterator[Event]:
        """Yields the changes in a session after the cursor `after` (None: from now), each exactly once.

        The subscription reconnects without limit and continues after the last event. `follow=False` ends it after
        CaughtUp. Raises NotFound without the session.
        """
        variables = {"sessionId": session_id, "after": after, "follow": follow}
        return subscribe(self._url, self._bearer, SESSION_EVENTS, variables, self._owner())

    def viewer_events(self, after: str | None = None, *, follow: bool = True) -> AsyncIterator[Event]:
        """Yields the changes of the token's owner: sessions, tasks, approvals and live records; otherwise as `events`.

        Each change comes at least once: around CaughtUp and after a lost connection it may come twice.
        """
        return subscribe(self._url, self._bearer, VIEWER_EVENTS, {"after": after, "follow": follow}, self._owner())

    def answer(
        self, session_id: str, *, pause: float = 0.05, keep_alive: float = 20.0, **fields: Any
    ) -> AbstractAsyncContextManager[Answer]:
        """Starts a streaming message, and ends it with the block: `async with client.answer(...) as answer`.

        `fields` are the arguments of `start_message`; with a `parts_format` the answer takes parts. What is written in
        `pause` seconds is sent together; after `keep_alive` seconds without anything the client sends an empty text, so
        that the server does not time the message out. The message ends COMPLETE, FAILED after an exception, or
        CANCELLED with its task. After another client has cancelled it, the next `write` ends the block without an
        exception.
        """
        return answering(self, streaming_message_operations.start_message(session_id, **fields), pause, keep_alive)

    async def _bearer(self) -> str:
        token = self._token if isinstance(self._token, str) else self._token()
        return bearer_token(await token if isinstance(token, Awaitable) else token)

    async def _send(self, operation: Operation[Any], body: bytes) -> Mapping[str, Any]:
        authorized = headers(operation, await self._bearer()) | self._owner()
        try:
            return decode_response(await self._http.post(self._url, content=body, headers=authorized))
        except httpx2.RequestError as error:
            raise request_error(error) from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    viewer = async_method(viewer_operations.viewer)

    session = async_method(session_operations.session)
    session_page = async_method(session_operations.session_page)
    sessions = async_iterator(session_operations.sessions)
    create_session = async_method(session_operations.create_session)
    update_session = async_method(session_operations.update_session)
    set_session_status = async_method(session_operations.set_session_status)
    archive_session = async_method(session_operations.archive_session)
    restore_session = async_method(session_operations.restore_session)
    delete_session = async_method(session_operations.delete_session)
    mark_session_read = async_method(session_operations.mark_session_read)

    message = async_method(message_operations.message)
    message_page = async_method(message_operations.message_page)
    messages = async_iterator(message_operations.messages)
    append_message = async_method(message_operations.append_message)
    append_messages = async_method(message_operations.append_messages)
    update_message = async_method(message_operations.update_message)
    redact_message = async_method(message_operations.redact_message)
    delete_message = async_method(message_operations.delete_message)

    start_message = async_method(streaming_message_operations.start_message)
    extend_message = async_method(streaming_message_operations.extend_message)
    finish_message = async_method(streaming_message_operations.finish_message)
    cancel_message = async_method(streaming_message_operations.cancel_message)

    session_agent = async_method(session_agent_operations.session_agent)
    put_session_agent = async_method(session_agent_operations.put_session_agent)

    agent = async_method(agent_operations.agent)
    agent_page = async_method(agent_operations.agent_page)
    agents = async_iterator(agent_operations.agents)
    create_agent = async_method(agent_operations.create_agent)
    update_agent = async_method(agent_operations.update_agent)
    set_agent_status = async_method(agent_operations.set_agent_status)
    delete_agent = async_method(agent_operations.delete_agent)

    task = async_method(task_operations.task)
    task_page = async_method(task_operations.task_page)
    tasks = async_iterator(task_operations.tasks)
    create_task = async_method(task_operations.create_task)
    set_task_status = async_method(task_operations.set_task_status)

    approval_page = async_method(approval_operations.approval_page)
    approvals = async_iterator(approval_operations.approvals)
    request_approval = async_method(approval_operations.request_approval)
    decide_approval = async_method(approval_operations.decide_approval)

    record = async_method(record_operations.record)
    record_page = async_method(record_operations.record_page)
    records = async_iterator(record_operations.records)
    record_namespace_page = async_method(record_operations.record_namespace_page)
    record_namespaces = async_iterator(record_operations.record_namespaces)
    put_records = async_method(record_operations.put_records)
    delete_records = async_method(record_operations.delete_records)
