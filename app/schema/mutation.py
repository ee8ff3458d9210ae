"""What every mutation field does around its resolver."""

import functools
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry

from app.context import Context, Once
from app.db.access.failures import translated
from app.errors import Problem
from app.resolvers import idempotency
from app.schema.base import Info, error_of
from app.schema.idempotency import once_of, restored, stored

Resolve = Callable[[Any, Info, Any], Awaitable[Any]]


def mutation(description: str, *, input: str, keeps_its_key: bool = False) -> Callable[[Resolve], Any]:
    """A mutation field: fresh loaders, at most once under a key, a business failure as its payload's `errors`.

    `input` describes the field's argument.

    One that `keeps_its_key` finds it in `ctx.once`, and keeps it with its answer by itself.
    """

    def decorate(resolve: Resolve) -> Any:
        payload: Any = resolve.__annotations__["return"]
        argument = strawberry.argument(description=input)
        resolve.__annotations__["input"] = Annotated[resolve.__annotations__["input"], argument]

        @functools.wraps(resolve)
        async def guarded(self: Any, info: Info, input: Any) -> Any:
            info.context.forget()
            once = once_of(info, input)
            try:
                if once is None:
                    with translated({}):
                        return await resolve(self, info, input)
                return await _once(payload, info, once, lambda: resolve(self, info, input), keeps_its_key)
            except Problem as problem:
                return payload(errors=[error_of(problem)])

        return strawberry.mutation(guarded, description=description)

    return decorate


async def _once(
    payload: Any, info: Info, once: Once, resolve: Callable[[], Awaitable[Any]], keeps_its_key: bool
) -> Any:
    """The field's answer, in one transaction with its key; or the first answer again."""
    info.context.once = once if keeps_its_key else None
    try:
        try:
            return await (resolve() if keeps_its_key else _kept(info.context, once, resolve))
        except Problem as problem:
            if not problem.lasting:
                raise
            refused = payload(errors=[error_of(problem)])
        # Another try would not mend it: the failure is the key's answer, though nothing else has happened.
        return await _kept(info.context, once, lambda: _ready(refused))
    except idempotency.Replay as replay:
        info.context.extensions["idempotency"] = {"replayed": True}
        return await restored(payload, replay.result, info.context.loaders)
    finally:
        info.context.once = None


async def _kept(ctx: Context, once: Once, resolve: Callable[[], Awaitable[Any]]) -> Any:
    async with idempotency.claimed(ctx, once) as tx:
        answer = await resolve()
        await idempotency.keep(tx, once, stored(answer))
    return answer


async def _ready(answer: Any) -> Any:
    return answer
