"""Statements on idempotency keys. A key commits with its effect, so one without the other cannot exist."""

from sqlalchemy import LargeBinary, Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import JSON, insert

from app.db.access.database import OWNER, Row, Statement, statement
from app.db.tables import idempotency_keys

k = idempotency_keys.c


class Kept(Row):
    """What was answered under a key."""

    request_hash: bytes
    result: str


KEY, HASH = bindparam("key", type_=Text), bindparam("request_hash", type_=LargeBinary)
# A twin in flight is waited for: it takes the key with it, or leaves it to us.
CLAIM: Statement[Row] = statement(
    insert(idempotency_keys)
    .values(owner_id=OWNER, key=bindparam("new_key", type_=Text), request_hash=bindparam("new_hash", type_=LargeBinary))
    .on_conflict_do_nothing()
    .returning(k.key)
)
KEPT = statement(select(k.request_hash, k.result).where(k.owner_id == OWNER, k.key == KEY), Kept)
KEEP: Statement[Row] = statement(
    update(idempotency_keys)
    .where(k.owner_id == OWNER, k.key == KEY)
    .values(result=bindparam("new_result", type_=JSON))
    .returning(k.key)
)
