"""A small table with one statement of every kind, for the tests of `app/db/access`."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    DateTime,
    MetaData,
    Table,
    Text,
    any_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import UUID

from app.db.access.statement import OWNER, Row, across_owners, statement

Id = UUID(as_uuid=False)
NOTES = Table(
    "test_notes",
    MetaData(),
    Column("owner_id", Text, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("text", Text),
    Column("document", JSON),
    Column("revision", BigInteger),
    Column("at", DateTime(timezone=True)),
)
CREATE_TABLE = """
CREATE TABLE test_notes (
    owner_id text NOT NULL, id uuid NOT NULL, text text NOT NULL, document json, revision bigint NOT NULL,
    at timestamptz, CONSTRAINT notes_pk PRIMARY KEY (owner_id, id))
"""
n = NOTES.c
by_owner = n.owner_id == OWNER
has_id = n.id == bindparam("id")


class Note(Row):
    id: str
    text: str
    document: str | None
    revision: int
    at: datetime | None


@dataclass
class Viewer:
    subject: str


ANN, BOB = Viewer("ann"), Viewer("bob")

PUT = statement(
    "test_note.put",
    "Inserts a note.",
    insert(NOTES)
    .values(
        owner_id=OWNER,
        id=bindparam("id"),
        text=bindparam("text"),
        document=bindparam("document"),
        at=bindparam("at"),
        revision=1,
    )
    .returning(NOTES),
    Note,
)
ADD = statement(
    "test_note.add",
    "Inserts an empty note.",
    insert(NOTES).values(owner_id=OWNER, id=bindparam("id"), text="", revision=1).returning(n.id),
    Note,
)
GET = statement("test_note.get", "One note.", select(NOTES).where(by_owner, has_id), Note)
MANY = statement(
    "test_note.many",
    "The notes with these ids.",
    select(NOTES).where(by_owner, n.id == any_(bindparam("ids", type_=ARRAY(Id)))).order_by(n.id),
    Note,
)
BUMP = statement(
    "test_note.bump",
    "Increments the revision of a note.",
    update(NOTES).where(by_owner, has_id).values(revision=n.revision + 1).returning(n.id, n.revision),
    Note,
)
ERASE = statement("test_note.erase", "Deletes all notes.", delete(NOTES).where(by_owner).returning(n.id), Note)
ALL_OWNERS = across_owners(
    "test_note.all_owners",
    "The number of notes of each owner.",
    select(n.owner_id, func.count().label("notes")).group_by(n.owner_id).order_by(n.owner_id),
)
