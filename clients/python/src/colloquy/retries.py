"""Which operations are sent again, after which errors, and how long the client waits in between."""

import logging
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import uuid4

from tenacity import (
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from colloquy.errors import ColloquyError, IdempotencyInProgress, RateLimited, TimedOut, Unavailable, Unreachable
from colloquy.operation import Operation

log = logging.getLogger(__name__)

T = TypeVar("T")
ATTEMPTS = 5
TOTAL_TIMEOUT_SECONDS = 45.0
MAX_WAIT_SECONDS = 2.0
TRANSIENT = (Unreachable, Unavailable, RateLimited, TimedOut, IdempotencyInProgress)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a client retries: see the arguments of `colloquy.Client`."""

    attempts: int
    total_timeout: float
    max_wait: float
    idempotency_keys: bool

    def prepare(self, operation: Operation[T]) -> Operation[T]:
        """Returns the operation with a new idempotency key if that makes it repeatable."""
        if operation.repeatable or operation.idempotency_key or not self.idempotency_keys:
            return operation
        return replace(operation, idempotency_key=uuid4().hex)

    def options(self, operation: Operation[Any]) -> dict[str, Any]:
        """The arguments of tenacity's `Retrying`: one attempt, unless sending the operation again has no effect."""
        safe = operation.repeatable or operation.idempotency_key is not None
        stop = stop_after_attempt(self.attempts if safe else 1) | stop_before_delay(self.total_timeout)
        return {"stop": stop, **retry_options(self.max_wait)}


def retry_options(max_wait: float) -> dict[str, Any]:
    """The arguments of tenacity's `Retrying` for transient errors.

    A wait is random, of at most 1 second before the second attempt; the maximum doubles up to `max_wait` seconds. The
    `retry_after` of the server is added to it.
    """
    jitter = wait_random_exponential(max=max_wait)
    return {
        "retry": retry_if_exception_type(TRANSIENT),
        "wait": lambda state: jitter(state) + _retry_after(state),
        "before_sleep": _log_retry,
        "reraise": True,
    }


def _retry_after(state: RetryCallState) -> float:
    error = state.outcome and state.outcome.exception()
    return error.retry_after if isinstance(error, ColloquyError) else 0.0


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    log.warning("attempt %d failed, retrying in %.2f s: %s", state.attempt_number, state.upcoming_sleep, error)
