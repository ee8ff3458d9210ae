"""What all tables share: the metadata, the owner column that leads every key, and the column types."""

from typing import Any

from sqlalchemy import Column, DateTime, MetaData, Text, cast, func
from sqlalchemy.dialects.postgresql import JSON, UUID
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)

Uuid = UUID(as_uuid=False)
Timestamp = DateTime(timezone=True)
# Bytewise comparison of keyset columns: a page has the same order on every server, whatever the server's locale.
BytewiseText = Text(collation="C")
# Our own collation, from a migration: no other with upper and lower case is on every supported server.
CASE = "colloquy_case"

# The format of `to_char` for a time in UTC; the pool sets every connection to UTC.
RFC3339 = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id, transported as text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "XID8"


ischema_names["xid8"] = Xid8


def owner_column() -> Column[str]:
    """The token's `sub`: first column of every table and of every key."""
    return Column("owner_id", BytewiseText, nullable=False)


def json_column(name: str) -> Column[str]:
    """A JSON document; no statement reads inside it."""
    return Column(name, JSON, nullable=False)


def timestamp_column(name: str) -> Column[object]:
    """A time, by default that of the insert."""
    return Column(name, Timestamp, nullable=False, server_default=func.now())


def as_client_text(column: Any) -> Any:
    """The column in the format that clients receive: ids and times as text, all else unchanged.

    The driver would parse both into objects only to have them formatted again.
    """
    if isinstance(column.type, UUID):
        return cast(column, Text).label(column.key)
    if isinstance(column.type, DateTime):
        return func.to_char(column, RFC3339).label(column.key)
    return column
