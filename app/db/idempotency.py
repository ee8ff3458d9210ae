"""Statements on idempotency keys. A key commits with the effect of its mutation: neither exists without the other.

`result` is a JSON object with a `kind`. An append stores `{"kind": "append", "session", "sequence", "revision"}` (see
`append`), every other mutation `{"kind": "payload", "fields"}`.
"""

from sqlalchemy import LargeBinary, Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import JSON, insert

from app.db.access.statement import OWNER, Row, Statement, statement
from app.db.tables import idempotency_keys

k = idempotency_keys.c


class StoredResult(Row):
    """The first result of a key, and the hash of the request that it was for."""

    request_hash: bytes
    result: str


HAS_KEY = (k.owner_id == OWNER, k.key == bindparam("key", type_=Text))
# A concurrent duplicate waits here for the first: after a commit it finds the key taken, after a rollback it claims it.
CLAIM: Statement[Row] = statement(
    "idempotency.claim",
    "Inserts an idempotency key; no row if the key exists.",
    insert(idempotency_keys)
    .values(owner_id=OWNER, key=bindparam("new_key", type_=Text), request_hash=bindparam("new_hash", type_=LargeBinary))
    .on_conflict_do_nothing()
    .returning(k.key),
)
FIND = statement(
    "idempotency.find",
    "The stored result of an idempotency key.",
    select(k.request_hash, k.result).where(*HAS_KEY),
    StoredResult,
)
STORE: Statement[Row] = statement(
    "idempotency.store",
    "Stores the result of a claimed idempotency key.",
    update(idempotency_keys).where(*HAS_KEY).values(result=bindparam("new_result", type_=JSON)).returning(k.key),
)
