"""Idempotency keys: the result of a mutation commits with its key, and a later call gets the result again."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson

from app import db
from app.db.access import failures
from app.db.access.transaction import Tx
from app.db.reading.rows import MessageRow
from app.errors import InProgress, KeyReused
from app.unit_of_work import JoinedUnitOfWork, UnitOfWork

StoredResult = Mapping[str, Any]
"""The JSON under a key, by `kind`. "append": session, sequence, revision. "payload": fields, with ids for objects."""


class IdempotencyKey(NamedTuple):
    """The key of one mutation field, and the SHA-256 hash of the field with its arguments."""

    key: str
    request_hash: bytes


class Replay(Exception):
    """The key was used for the same request before; `result` is what was stored."""

    def __init__(self, result: StoredResult) -> None:
        super().__init__("replayed")
        self.result = result


class Claim(NamedTuple):
    """A claimed key, and the unit of work inside its transaction."""

    work: UnitOfWork
    key: IdempotencyKey
    transaction: Tx

    async def store(self, result: StoredResult) -> None:
        """Stores the result under the key."""
        text = orjson.dumps(result).decode()
        await self.transaction.one(db.idempotency.STORE, key=self.key.key, new_result=text)


@asynccontextmanager
async def claim(work: UnitOfWork, key: IdempotencyKey) -> AsyncIterator[Claim]:
    """A transaction with the key in it. Raises Replay, KeyReused, InProgress."""
    try:
        async with work.begin() as tx:
            if await tx.one(db.idempotency.CLAIM, new_key=key.key, new_hash=key.request_hash) is None:
                stored = await tx.one(db.idempotency.FIND, key=key.key)
                if stored is None:
                    raise InProgress("The first call with this key is under way; try again.")
                replay(key, stored.request_hash, stored.result)
            yield Claim(JoinedUnitOfWork(work, tx), key, tx)
    except Exception as error:
        refuse_if_busy(error)
        raise


def refuse_if_busy(error: Exception) -> None:
    """Raises InProgress for a lock timeout: a concurrent duplicate holds the key, or another writer the row."""
    if failures.lock_timeout(error):
        raise InProgress("The first call with this key is under way; try again.") from None


def replay(key: IdempotencyKey, request_hash: bytes, result: str) -> None:
    """Raises Replay for the request that used the key first, KeyReused for another one."""
    if request_hash != key.request_hash:
        raise KeyReused("This key was used for something else.")
    raise Replay(_with_kind(orjson.loads(result)))


def append_result(row: MessageRow) -> StoredResult:
    """The result of an append; `db.append` stores the same in its one statement."""
    return {"kind": "append", "session": row.session_id, "sequence": row.sequence, "revision": row.revision}


def payload_result(fields: Mapping[str, Any]) -> StoredResult:
    """The result of any other mutation: the fields of its payload."""
    return {"kind": "payload", "fields": fields}


def _with_kind(result: dict[str, Any]) -> StoredResult:
    """A stored result with its kind.

    Version 0.1 stored results without a kind. Delete this function when no such row can be left:
    IDEMPOTENCY_TTL_SECONDS (24 hours by default) after the last server of that version has stopped.
    """
    if "kind" in result:
        return result
    return {"kind": "append", **result} if "sequence" in result else payload_result(result)
