"""Mutation fields: fresh loaders, idempotency keys, and business failures as data."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import strawberry

from app.context import Context
from app.db.access.failures import conflict_of
from app.errors import Problem
from app.resolvers import idempotency
from app.resolvers.idempotency import IdempotencyKey
from app.schema.base import Info
from app.schema.idempotency import key_of
from app.schema.replay import restored, stored_fields
from app.schema.user_errors import error_of
from app.unit_of_work import UnitOfWork

Resolve = Callable[..., Awaitable[Any]]
"""`(self, work, input)`, or `(self, work, input, idempotency_key)` for one that stores its key: returns the payload."""


def mutation(description: str, *, input: str, stores_key: bool = False) -> Callable[[Resolve], Any]:
    """A mutation field, declared by a function that gets a unit of work and the input, and returns the payload.

    `input` describes the argument. A business failure becomes the payload's `errors`. Under an idempotency key the
    payload commits with the key; a function that `stores_key` gets the key (or None) as an argument and does so itself.
    """

    no_key = [None] if stores_key else []

    def declare(resolve: Resolve) -> Any:
        payload: Any = resolve.__annotations__["return"]
        argument = strawberry.argument(description=input)

        async def field(self: Any, info: Info, input: Any) -> Any:
            context = info.context
            context.reset_loaders()
            key = key_of(info, input)
            try:
                if key is not None:
                    return await _at_most_once(payload, partial(resolve, self), context, input, key, stores_key)
                return await resolve(self, UnitOfWork(context), input, *no_key)
            except Problem as problem:
                return payload(errors=[error_of(problem)])
            except Exception as error:
                if (conflict := conflict_of(error)) is None:
                    raise
                return payload(errors=[error_of(conflict)])

        field.__name__, field.__module__ = resolve.__name__, resolve.__module__
        field.__annotations__["input"] = Annotated[resolve.__annotations__["input"], argument]
        field.__annotations__["return"] = payload
        return strawberry.mutation(field, description=description)

    return declare


async def _at_most_once(
    payload: Any, resolve: Resolve, context: Context, input: Any, key: IdempotencyKey, stores_key: bool
) -> Any:
    """The payload of the first call with this key: made now, or restored."""
    work = UnitOfWork(context)
    try:
        try:
            if stores_key:
                return await resolve(work, input, key)
            return await _resolve_and_store(resolve, work, input, key)
        except Problem as problem:
            if not problem.lasting:
                raise
            # A retry would fail again, so the failure is stored under the key, though nothing else was written.
            return await _store(payload(errors=[error_of(problem)]), work, key)
    except idempotency.Replay as replay:
        context.extensions["idempotency"] = {"replayed": True}
        return await restored(payload, replay.result, context.loaders)


async def _resolve_and_store(resolve: Resolve, work: UnitOfWork, input: Any, key: IdempotencyKey) -> Any:
    async with idempotency.claim(work, key) as claim:
        payload = await resolve(claim.work, input)
        await claim.store(idempotency.payload_result(stored_fields(payload)))
    return payload


async def _store(payload: Any, work: UnitOfWork, key: IdempotencyKey) -> Any:
    async with idempotency.claim(work, key) as claim:
        await claim.store(idempotency.payload_result(stored_fields(payload)))
    return payload
