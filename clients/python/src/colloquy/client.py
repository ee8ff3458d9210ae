"""The blocking client of the GraphQL API."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
from tenacity import Retrying

from colloquy.http_transport import decode_response, encode_body, headers, request_error
from colloquy.methods import sync_iterator, sync_method
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
from colloquy.sync_answer import SyncAnswer, answering
from colloquy.validation import Owner, bearer_token, endpoint, owner_headers

T = TypeVar("T")
Token = str | Callable[[], str]


class Client:
    """A client of one server with a pool of connections; threads may share it.

    - `url`: the server's http or https address
    - `token`: a bearer token, or a function that returns one and is called before each request
    - `timeout`: the limit of one request, in seconds
    - `attempts`, `total_timeout`, `max_wait`: the limits of retries: how often an operation is sent, how long all
      attempts and waits may take, and how long one wait may be, in seconds
    - `idempotency_keys`: False sends no keys, for a server with ENABLE_IDEMPOTENCY=false; most mutations are then
      sent once
    - `owner`: the owner for whom a token with the scope `chat:act` acts, or a function that returns one and is called
      before each request; None: the token's own

    Raises BadInput for a URL and Unauthenticated for a token that cannot be used. Every method raises a ColloquyError.
    """

    def __init__(
        self,
        url: str,
        token: Token,
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
        self._http = httpx2.Client(timeout=timeout)

    def run(self, operation: Operation[T]) -> T:
        """Sends an operation of `colloquy.operations` and returns its result."""
        operation = self._policy.prepare(operation)
        body = encode_body(operation)
        for attempt in Retrying(**self._policy.options(operation)):
            with attempt:
                return operation.result(self._send(operation, body))
        raise AssertionError("a retried block returns or raises")

    def execute(self, document: str, variables: Mapping[str, Any] | None = None, **options: Any) -> Mapping[str, Any]:
        """Sends a GraphQL document of your own and returns the response's `data`.

        It is sent once, unless `repeatable=True` or with an `idempotency_key`.
        """
        return self.run(custom_operation(document, variables, **options))

    def answer(
        self, session_id: str, *, pause: float = 0.05, keep_alive: float = 20.0, **fields: Any
    ) -> AbstractContextManager[SyncAnswer]:
        """Starts a streaming message, and ends it with the block: `with client.answer(...) as answer`.

        The arguments are those of `AsyncClient.answer`; a background thread sends what is written. The message ends
        COMPLETE, FAILED after an exception, or CANCELLED after an interrupt. After another client has cancelled it, the
        next `write` ends the block without an exception.
        """
        return answering(self, streaming_message_operations.start_message(session_id, **fields), pause, keep_alive)

    def _send(self, operation: Operation[Any], body: bytes) -> Mapping[str, Any]:
        token = self._token if isinstance(self._token, str) else bearer_token(self._token())
        authorized = headers(operation, token) | self._owner()
        try:
            return decode_response(self._http.post(self._url, content=body, headers=authorized))
        except httpx2.RequestError as error:
            raise request_error(error) from error

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    viewer = sync_method(viewer_operations.viewer)

    session = sync_method(session_operations.session)
    session_page = sync_method(session_operations.session_page)
    sessions = sync_iterator(session_operations.sessions)
    create_session = sync_method(session_operations.create_session)
    update_session = sync_method(session_operations.update_session)
    set_session_status = sync_method(session_operations.set_session_status)
    archive_session = sync_method(session_operations.archive_session)
    restore_session = sync_method(session_operations.restore_session)
    delete_session = sync_method(session_operations.delete_session)
    mark_session_read = sync_method(session_operations.mark_session_read)

    message = sync_method(message_operations.message)
    message_page = sync_method(message_operations.message_page)
    messages = sync_iterator(message_operations.messages)
    append_message = sync_method(message_operations.append_message)
    append_messages = sync_method(message_operations.append_messages)
    update_message = sync_method(message_operations.update_message)
    redact_message = sync_method(message_operations.redact_message)
    delete_message = sync_method(message_operations.delete_message)

    start_message = sync_method(streaming_message_operations.start_message)
    extend_message = sync_method(streaming_message_operations.extend_message)
    finish_message = sync_method(streaming_message_operations.finish_message)
    cancel_message = sync_method(streaming_message_operations.cancel_message)

    session_agent = sync_method(session_agent_operations.session_agent)
    put_session_agent = sync_method(session_agent_operations.put_session_agent)

    agent = sync_method(agent_operations.agent)
    agent_page = sync_method(agent_operations.agent_page)
    agents = sync_iterator(agent_operations.agents)
    create_agent = sync_method(agent_operations.create_agent)
    update_agent = sync_method(agent_operations.update_agent)
    set_agent_status = sync_method(agent_operations.set_agent_status)
    delete_agent = sync_method(agent_operations.delete_agent)

    task = sync_method(task_operations.task)
    task_page = sync_method(task_operations.task_page)
    tasks = sync_iterator(task_operations.tasks)
    create_task = sync_method(task_operations.create_task)
    set_task_status = sync_method(task_operations.set_task_status)

    approval_page = sync_method(approval_operations.approval_page)
    approvals = sync_iterator(approval_operations.approvals)
    request_approval = sync_method(approval_operations.request_approval)
    decide_approval = sync_method(approval_operations.decide_approval)

    record = sync_method(record_operations.record)
    record_page = sync_method(record_operations.record_page)
    records = sync_iterator(record_operations.records)
    record_namespace_page = sync_method(record_operations.record_namespace_page)
    record_namespaces = sync_iterator(record_operations.record_namespaces)
    put_records = sync_method(record_operations.put_records)
    delete_records = sync_method(record_operations.delete_records)
