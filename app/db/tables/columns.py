"""What all tables share: the metadata, the owner that leads every key, and the column types."""

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
Moment = DateTime(timezone=True)
# Keyset columns compare bytewise, so that a page reads the same on every server, whatever its locale.
Ordered = Text(collation="C")


RFC3339 = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'  # of a time in UTC, as our connections have it


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id; it travels as text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "XID8"


ischema_names["xid8"] = Xid8


def owner() -> Column[str]:
    """The token's `sub`: first column of every table, first of every key."""
    return Column("owner_id", Ordered, nullable=False)


def document(name: str) -> Column[str]:
    """A JSON document, never looked into by SQL."""
    return Column(name, JSON, nullable=False)


def moment(name: str) -> Column[object]:
    """A time that is set when the row is made."""
    return Column(name, Moment, nullable=False, server_default=func.now())


def shown(column: Any) -> Any:
    """A column as it is shown: of ids and times their text, which would be parsed only to be written again."""
    if isinstance(column.type, UUID):
        return cast(column, Text).label(column.key)
    if isinstance(column.type, DateTime):
        return func.to_char(column, RFC3339).label(column.key)
    return column
