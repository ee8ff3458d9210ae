"""At most once: a mutation's first answer is kept with its effect, and given again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from app import db
from app.context import Context, Once
from app.db.access import failures
from app.db.access.transaction import Tx
from app.errors import InProgress, KeyReused


class Replay(Exception):
    """The key was used for the same before: `result` is what it answered."""

    def __init__(self, result: Any) -> None:
        super().__init__("replayed")
        self.result = result


@asynccontextmanager
async def claimed(ctx: Context, once: Once) -> AsyncIterator[Tx]:
    """The mutation's transaction, with the key in it. Raises Replay, KeyReused, InProgress."""
    try:
        async with ctx.begin() as tx:
            if await tx.one(db.idempotency.CLAIM, new_key=once.key, new_hash=once.hash) is None:
                kept = await tx.one(db.idempotency.FIND, key=once.key)
                if kept is None:
                    raise InProgress("The first call with this key is under way; try again.")
                answer(once, kept.request_hash, kept.result)
            yield tx
    except Exception as error:
        refuse_if_busy(error)
        raise


def refuse_if_busy(error: Exception) -> None:
    """Raises InProgress for a wait that lasted too long: the twin has the key, or the row that we need."""
    if failures.lock_timeout(error):
        raise InProgress("The first call with this key is under way; try again.") from None


def answer(once: Once, request_hash: bytes, result: str) -> None:
    """Raises Replay for the same request under a key that is known, KeyReused for another."""
    if request_hash != once.hash:
        raise KeyReused("This key was used for something else.")
    raise Replay(orjson.loads(result))


async def keep(tx: Tx, once: Once, result: Any) -> None:
    """Keeps the answer under the claimed key."""
    await tx.one(db.idempotency.STORE, key=once.key, new_result=orjson.dumps(result).decode())
